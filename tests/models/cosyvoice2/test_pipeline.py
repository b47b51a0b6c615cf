from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.errors import UsageError
from harness.models.cosyvoice2.config import NANO
from harness.models.cosyvoice2.pipeline import Pipeline
from harness.worker import spans
from harness.worker.requests import Output, Request

Build = Callable[..., Pipeline]
Ask = Callable[..., Request]
Record = Callable[..., Path]

SAMPLES_PER_TOKEN = 960
LONG = "今天的天气很好，我们一起去公园里面慢慢地散步，然后再去图书馆里读一下午的书，晚上和朋友们一起吃饭。"


def speak(pipeline: Pipeline, request: Request) -> tuple[Output, int]:
    chunks: list[int] = []
    output = pipeline.run(request, chunks.append)
    assert sum(chunks) == len(output.audio)
    return output, len(chunks)


def recorded(pipeline: Pipeline, request: Request) -> spans.Recorder:
    with spans.recording(spans.Recorder()) as recorder:
        speak(pipeline, request)
    return recorder


class CountedCleanup:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def after_segment(self) -> None:
        self.calls.append("segment")

    def after_request(self) -> None:
        self.calls.append("request")


@pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual", "sft"])
def test_a_text_becomes_forty_milliseconds_of_audio_a_token(build: Build, ask: Ask, mode: str) -> None:
    output, chunks = speak(build(), ask(mode=mode))
    assert chunks == 1
    assert output.sample_rate_hz == 24_000
    assert output.audio.dtype == np.float32
    assert len(output.audio) == len(output.tokens) * SAMPLES_PER_TOKEN
    assert np.isfinite(output.audio).all()
    assert np.abs(output.audio).max() > 0
    assert not output.hit_cap


def test_voice_conversion_speaks_as_long_as_its_source(build: Build, ask: Ask, record: Record) -> None:
    source = record("source.wav", pitch_hz=200, seconds=1.0)
    output, _ = speak(build(), ask(mode="voice_conversion", source=source))
    assert len(output.tokens) == 25
    assert len(output.audio) == 24_000


def test_voice_conversion_without_a_source_is_refused(build: Build, ask: Ask) -> None:
    with pytest.raises(UsageError, match="'r1' is for voice conversion and names no source"):
        speak(build(), ask(mode="voice_conversion"))


def test_equal_requests_sound_equal_whatever_was_spoken_before(build: Build, ask: Ask) -> None:
    worn = build()
    speak(worn, ask(text=LONG, stream=True, seed=1))
    again, _ = speak(worn, ask(text=LONG, stream=True))
    fresh, _ = speak(build(), ask(text=LONG, stream=True))
    assert again.tokens == fresh.tokens
    assert np.array_equal(again.audio, fresh.audio)


def test_another_seed_gives_other_tokens(build: Build, ask: Ask) -> None:
    pipeline = build()
    assert speak(pipeline, ask(seed=1))[0].tokens != speak(pipeline, ask(seed=2))[0].tokens


def test_the_global_random_state_is_neither_used_nor_changed(build: Build, ask: Ask) -> None:
    pipeline = build()
    torch.manual_seed(1)
    first, _ = speak(pipeline, ask())
    state = torch.get_rng_state()
    torch.manual_seed(2)
    second, _ = speak(pipeline, ask())
    assert np.array_equal(first.audio, second.audio)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


def test_streaming_speaks_the_same_tokens_for_the_same_time_in_several_chunks(build: Build, ask: Ask) -> None:
    pipeline = build()
    offline, _ = speak(pipeline, ask(text=LONG))
    streamed, chunks = speak(pipeline, ask(text=LONG, stream=True))
    assert chunks > 1
    assert streamed.tokens == offline.tokens
    assert len(streamed.audio) == len(offline.audio)


def test_the_first_chunk_comes_before_the_last_token_is_generated(build: Build, ask: Ask) -> None:
    pipeline = build()
    generated: list[int] = []
    draw = pipeline._synthesiser._networks.llm.generate

    def counting(*args: Any) -> Any:
        for token in draw(*args):
            generated.append(token)
            yield token
        return False

    at_chunk: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline._synthesiser._networks.llm, "generate", counting)
        pipeline.run(ask(text=LONG, stream=True), lambda _: at_chunk.append(len(generated)))
    hop, lookahead = NANO.flow.chunk_tokens, NANO.flow.lookahead
    assert at_chunk[0] == hop + lookahead
    assert at_chunk[1] == hop + 2 * hop + lookahead


def test_the_first_chunk_fills_up_the_last_block_of_a_prompt(build: Build, ask: Ask, record: Record) -> None:
    prompt = ask().speaker
    odd = type(prompt)(id="odd", audio=record("odd.wav", seconds=1.8), text=prompt.text, digest="odd")
    firsts: list[int] = []
    source = record("source.wav", seconds=2.0)
    for speaker in (prompt, odd):
        pipeline = build()
        audio = pipeline._synthesiser.speech
        sizes: list[int] = []

        def measured(*args: Any, audio: Any = audio, sizes: list[int] = sizes, **kwargs: Any) -> Any:
            for piece in audio(*args, **kwargs):
                sizes.append(len(piece))
                yield piece

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline._synthesiser, "speech", measured, raising=False)
            speak(pipeline, ask(mode="voice_conversion", source=source, speaker=speaker, stream=True))
        firsts.append(sizes[0])
    held_back = 8 * 480
    assert firsts == [25 * SAMPLES_PER_TOKEN - held_back, 30 * SAMPLES_PER_TOKEN - held_back]


def test_each_segment_is_cleaned_up_and_then_the_request(build: Build, ask: Ask) -> None:
    cleanup = CountedCleanup()
    pipeline = build(sites={"engine.cleanup": cleanup})
    _, chunks = speak(pipeline, ask(text="今天天气很好。我们去公园吧！你来吗？"))
    assert chunks == 3
    assert cleanup.calls == ["segment", "segment", "segment", "request"]


def test_cuda_is_asked_for_while_building_and_at_the_end_of_each_segment(build: Build, ask: Ask) -> None:
    asked: list[None] = []

    def available() -> bool:
        asked.append(None)
        return False

    pipeline = build(sites={"model.cuda_available": available})
    while_building = len(asked)
    speak(pipeline, ask(text="今天天气很好。我们去公园吧！"))
    assert while_building == 2
    assert len(asked) == while_building + 2


def test_the_facade_decides_the_device_of_its_inputs_in_each_request(build: Build, ask: Ask, record: Record) -> None:
    asked: list[None] = []

    def device() -> torch.device:
        asked.append(None)
        return torch.device("cpu")

    pipeline = build(sites={"facade.device": device})
    speak(pipeline, ask())
    speak(pipeline, ask(mode="voice_conversion", source=record("source.wav", seconds=1.0)))
    assert len(asked) == 2


@pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual", "sft", "voice_conversion"])
def test_a_speaker_is_extracted_in_every_request_until_registered(
    build: Build, ask: Ask, record: Record, mode: str
) -> None:
    request = ask(mode=mode, source=record("source.wav", seconds=1.0))
    for registered, extractions in ((False, 1), (True, 0)):
        pipeline = build({"speaker_preregistration": registered})
        for _ in range(2):
            with spans.counting() as counts:
                speak(pipeline, request)
            assert counts["speaker.extracted"] == extractions


@pytest.mark.parametrize("mode", ["zero_shot", "voice_conversion"])
def test_prompts_are_resampled_through_the_site_on_both_paths(
    build: Build, ask: Ask, record: Record, mode: str
) -> None:
    rates: list[tuple[int, int]] = []

    def resample(audio: torch.Tensor, orig_hz: int, new_hz: int) -> torch.Tensor:
        rates.append((orig_hz, new_hz))
        return audio.repeat_interleave(3, dim=1)[:, ::2]

    source = record("source.wav", seconds=1.0)
    speak(build(sites={"frontend.resample": resample}), ask(mode=mode, source=source))
    assert rates == [(16_000, 24_000)]


@pytest.mark.parametrize("stream", [False, True])
def test_the_stages_of_a_request_follow_one_another(build: Build, ask: Ask, *, stream: bool) -> None:
    recorder = recorded(build(), ask(text=LONG, stream=stream))
    stages = sorted((start, end, name) for name, start, end, _, _ in recorder.spans if "." not in name)
    assert {name for _, _, name in stages} == {"frontend", "llm", "flow", "vocoder", "cleanup"}
    assert all(before[1] <= after[0] for before, after in pairwise(stages))
    assert {"frontend.speaker", "frontend.resample"} <= {name for name, *_ in recorder.spans}
