"""The flow at nano size: shapes, what the mel depends on, and what may not change when more tokens come."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from harness.models.cosyvoice2 import weights
from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.flow import NOISE_FRAMES, ConditionalFlow, Flow, rand_noise
from harness.models.cosyvoice2.flow_encoder import chunk_mask, relative_positions
from harness.worker.spans import Recorder, recording

PROMPT = 6
CHUNK = 4
LOOKAHEAD = NANO.flow.lookahead
CONFIG = replace(NANO.flow, chunk_tokens=CHUNK, estimator_mid_blocks=2)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(count: int, seed: int = 1) -> Tensor:
    return torch.randint(0, NANO.llm.speech_vocab, (1, count), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def flow() -> Flow:
    return weights.build(lambda: Flow(CONFIG, NANO.llm.speech_vocab), weights.generator_for(0, "flow"))


def mel_of(
    flow: Flow,
    spoken: Tensor,
    *,
    streaming: bool = False,
    finalize: bool = True,
    speaker: Tensor | None = None,
    prompt_mel: Tensor | None = None,
) -> Tensor:
    speaker = draw(1, 192) if speaker is None else speaker
    prompt_mel = draw(1, 2 * PROMPT, 80) if prompt_mel is None else prompt_mel
    return flow.inference(spoken, tokens(PROMPT), prompt_mel, speaker, streaming=streaming, finalize=finalize)


def test_each_token_becomes_two_mel_frames(flow: Flow) -> None:
    assert mel_of(flow, tokens(9)).shape == (1, 80, 18)


def test_while_more_tokens_will_come_the_lookahead_is_heard_but_not_spoken(flow: Flow) -> None:
    assert mel_of(flow, tokens(9), finalize=False).shape == (1, 80, 2 * (9 - LOOKAHEAD))


def test_no_prompt_is_a_prompt_of_length_zero(flow: Flow) -> None:
    mel = flow.inference(tokens(5), tokens(0), draw(1, 0, 80), draw(1, 192), streaming=False, finalize=True)
    assert mel.shape == (1, 80, 10)


@pytest.mark.parametrize("streaming", [False, True])
def test_the_mel_is_finite_varied_and_the_same_each_time(flow: Flow, streaming: bool) -> None:  # noqa: FBT001 (a parameter)
    mel = mel_of(flow, tokens(9), streaming=streaming)
    assert mel.isfinite().all()
    assert mel.std() > 0.1
    assert torch.equal(mel, mel_of(flow, tokens(9), streaming=streaming))


def test_other_tokens_another_speaker_and_another_prompt_give_another_mel(flow: Flow) -> None:
    mel = mel_of(flow, tokens(9))
    assert (mel - mel_of(flow, tokens(9, seed=2))).abs().max() > 0.1
    assert (mel - mel_of(flow, tokens(9), speaker=draw(1, 192, seed=5))).abs().max() > 0.01
    assert (mel - mel_of(flow, tokens(9), prompt_mel=draw(1, 2 * PROMPT, 80, seed=5))).abs().max() > 0.01


def test_only_the_direction_of_the_speaker_embedding_counts(flow: Flow) -> None:
    one, louder = draw(1, 192), draw(1, 192) * 7
    torch.testing.assert_close(mel_of(flow, tokens(9), speaker=one), mel_of(flow, tokens(9), speaker=louder))


def test_streamed_frames_of_whole_chunks_stay_when_more_tokens_come(flow: Flow) -> None:
    whole = 2 * CHUNK - PROMPT % CHUNK
    early = mel_of(flow, tokens(20)[:, : whole + LOOKAHEAD], streaming=True, finalize=False)
    later = mel_of(flow, tokens(20), streaming=True, finalize=False)
    assert early.shape[2] == 2 * whole
    torch.testing.assert_close(early, later[:, :, : 2 * whole], rtol=1e-4, atol=1e-5)


def test_streamed_frames_see_their_own_chunk_to_its_end(flow: Flow) -> None:
    spoken = tokens(20)
    changed = spoken.clone()
    changed[0, CHUNK - PROMPT % CHUNK + CHUNK - 1] += 1
    before, after = (mel_of(flow, each, streaming=True) for each in (spoken, changed))
    chunk_start = 2 * (CHUNK - PROMPT % CHUNK)
    assert (before - after)[:, :, chunk_start].abs().max() > 1e-4


def test_without_streaming_every_frame_sees_every_token(flow: Flow) -> None:
    spoken = tokens(20)
    changed = spoken.clone()
    changed[0, -1] += 1
    assert (mel_of(flow, spoken) - mel_of(flow, changed))[:, :, 0].abs().max() > 1e-6


def test_a_chunk_mask_shows_the_own_chunk_and_all_before() -> None:
    assert chunk_mask(5, 2, torch.device("cpu")).int().tolist() == [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]


def test_relative_positions_run_from_the_farthest_past_to_the_farthest_future() -> None:
    encoded = relative_positions(700, draw(1, 700, 4))
    assert encoded.shape == (1, 1399, 4)
    torch.testing.assert_close(encoded[0, 699], torch.tensor([0.0, 1.0, 0.0, 1.0]))
    torch.testing.assert_close(encoded[0, 0, 0], torch.tensor(699.0).sin(), rtol=1e-4, atol=1e-4)


def test_the_flow_starts_from_the_published_noise_which_is_no_parameter(flow: Flow) -> None:
    noise = rand_noise(80)
    assert noise.shape == (1, 80, NOISE_FRAMES)
    torch.manual_seed(0)
    assert torch.equal(noise, torch.randn(1, 80, NOISE_FRAMES))
    assert not [name for name in flow.state_dict() if "noise" in name]


def test_more_frames_than_the_noise_has_are_refused_in_words(flow: Flow) -> None:
    long = torch.empty(1, 80, NOISE_FRAMES + 1)
    with pytest.raises(ValueError, match="15001 mel frames"):
        flow.decoder(long, draw(1, 80), long, streaming=False)


def test_the_euler_steps_follow_a_cosine_schedule_from_zero_to_one() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.times: list[float] = []

        def forward(self, x: Tensor, _mu: Tensor, time: Tensor, *_: Tensor, streaming: bool) -> Tensor:
            assert not streaming
            self.times.append(float(time[0]))
            return torch.ones_like(x)

    solver = ConditionalFlow(CONFIG, 80)
    constant = Constant()
    solver.estimator = constant  # type: ignore[assignment]  # stands where the estimator does
    mel = solver(draw(1, 80, 10), draw(1, 80), draw(1, 80, 10), streaming=False)
    torch.testing.assert_close(mel, rand_noise(80)[:, :, :10] + 1)
    expected = [1 - math.cos(step / CONFIG.euler_steps * math.pi / 2) for step in range(CONFIG.euler_steps)]
    assert constant.times == pytest.approx(expected, abs=1e-6)


def test_guidance_moves_the_mel_away_from_the_unconditional_one() -> None:
    def solve(guidance: float) -> Tensor:
        config = replace(CONFIG, guidance=guidance)
        solver = weights.build(lambda: ConditionalFlow(config, 80), weights.generator_for(0, "cfm"))
        with torch.inference_mode():
            mel: Tensor = solver(draw(1, 80, 10), draw(1, 80), draw(1, 80, 10, seed=2), streaming=False)
        return mel

    assert (solve(0.0) - solve(0.7)).abs().max() > 0.05


def test_the_encoder_and_each_euler_step_are_spans(flow: Flow) -> None:
    with recording(Recorder()) as recorder:
        mel_of(flow, tokens(4))
    names = Counter(recorded[0] for recorded in recorder.spans)
    assert names == {"flow.encoder": 1, "flow.estimator": CONFIG.euler_steps}


def test_full_size_has_the_published_parameter_names_and_counts() -> None:
    with torch.device("meta"):
        flow = Flow(FULL.flow, FULL.llm.speech_vocab)
    shapes = {name: tuple(tensor.shape) for name, tensor in flow.state_dict().items()}
    counts = {
        part: sum(parameter.numel() for parameter in flow.get_submodule(part).parameters())
        for part in ("", "encoder", "decoder.estimator")
    }
    assert counts == {"": 112_549_360, "encoder": 37_831_168, "decoder.estimator": 71_302_480}
    assert len(shapes) == 1121
    assert shapes["input_embedding.weight"] == (6561, 512)
    assert shapes["encoder.up_encoders.3.self_attn.pos_bias_u"] == (8, 64)
    assert shapes["decoder.estimator.down_blocks.0.1.3.ff.net.0.proj.weight"] == (1024, 256)
    assert shapes["decoder.estimator.up_blocks.0.0.block1.block.0.weight"] == (256, 512, 3)
