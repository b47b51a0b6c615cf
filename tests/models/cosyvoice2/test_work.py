"""What stages declare of their work, against PyTorch's own counter of operations and the sums of the tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness.models.cosyvoice2 import flow_encoder, flow_estimator, vocoder_source, work
from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.declaring import declaring
from harness.models.cosyvoice2.pipeline import Networks
from tests.models.cosyvoice2.conftest import Ask, Build

MELS = NANO.mels


def counted(call: Callable[[], object]) -> int:
    """Operations of matrix products, attention and convolutions that PyTorch counts in a call.

    Its counter does not know the fused attention of the CPU, so that attention is made of matrix products.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def size(*parts: nn.Module | torch.Tensor) -> int:
    """Numbers in the parameters of some modules."""
    return sum(number.numel() for part in parts for number in _numbers(part))


def _numbers(part: nn.Module | torch.Tensor) -> Iterable[torch.Tensor]:
    return [part] if isinstance(part, torch.Tensor) else part.parameters()


@pytest.mark.parametrize(("new", "held"), [(17, 0), (1, 17), (1, 0)])
def test_a_step_of_the_language_model_declares_what_is_counted(shared_networks: Networks, new: int, held: int) -> None:
    llm = shared_networks.acoustic.llm
    cache = llm.new_cache()
    if held:
        llm.step(torch.randn(1, held, NANO.llm.hidden), cache)
    declared = work.llm(NANO.llm, new=new, held=held)
    found = counted(lambda: llm.step(torch.randn(1, new, NANO.llm.hidden), cache))
    assert found == declared.matrix + declared.convolution
    qwen = llm.llm.model.model
    assert declared.parameters == size(qwen.layers, qwen.norm, llm.llm_decoder)
    assert declared.state == sum(part.numel() for layer in cache._held if layer for part in layer)


@pytest.mark.parametrize(("tokens", "coming"), [(20, 0), (20, 3)])
def test_the_flows_encoder_declares_what_is_counted(shared_networks: Networks, tokens: int, coming: int) -> None:
    flow = shared_networks.acoustic.flow
    x = torch.randn(1, tokens, NANO.flow.width)
    ahead = torch.randn(1, coming, NANO.flow.width) if coming else None
    declared = work.flow_encoder(NANO.flow, tokens=tokens, coming=coming, mels=MELS)
    found = counted(lambda: flow.encoder_proj(flow.encoder(x, ahead)))
    assert found == declared.matrix + declared.convolution
    assert declared.parameters == size(flow.encoder, flow.encoder_proj)


def test_an_euler_step_declares_what_is_counted(shared_networks: Networks) -> None:
    estimator = shared_networks.acoustic.flow.decoder.estimator
    mel, time, speaker = torch.randn(2, MELS, 30), torch.rand(2), torch.randn(2, MELS)
    declared = work.flow_estimator(NANO.flow, frames=30, mels=MELS)
    assert counted(lambda: estimator(mel, mel, time, speaker, mel)) == declared.matrix + declared.convolution
    assert declared.parameters == size(estimator)


def test_the_vocoder_declares_what_is_counted(shared_networks: Networks) -> None:
    vocoder = shared_networks.acoustic.vocoder
    declared = work.vocoder(NANO.vocoder, frames=13, mels=MELS)
    found = counted(lambda: vocoder.inference(torch.randn(1, MELS, 13)))
    assert found == declared.matrix + declared.convolution
    assert declared.parameters == size(vocoder)


@pytest.mark.parametrize("frames", [100, 203])
def test_the_front_ends_networks_declare_what_is_counted(shared_networks: Networks, frames: int) -> None:
    tokenizer, encoder = shared_networks.front_end.speech_tokenizer, shared_networks.front_end.speaker_encoder
    declared = work.speech_tokens(NANO.speech_tokenizer, frames=frames)
    found = counted(lambda: tokenizer.encode(torch.randn(1, NANO.speech_tokenizer.mels, frames)))
    assert found == declared.matrix + declared.convolution
    assert declared.parameters == size(tokenizer)  # type: ignore[arg-type]
    declared = work.speaker_embedding(NANO.speaker_encoder, frames=frames)
    found = counted(lambda: encoder.embed(torch.randn(1, frames, NANO.speaker_encoder.mels)))
    assert found == declared.matrix + declared.convolution
    assert declared.parameters == size(encoder)  # type: ignore[arg-type]


def test_constants_are_those_of_the_networks() -> None:
    assert work.F0_LAYERS == vocoder_source.F0_LAYERS
    assert work.ESTIMATOR_KERNEL == flow_estimator.KERNEL
    assert work.UPSAMPLING == flow_encoder.UPSAMPLING


def test_the_published_size_declares_the_parameters_that_were_counted_on_the_public_code() -> None:
    """In millions: 357.9 in the layers and 5.9 in the head, 37.8 and (read in each of ten steps) 71.3 in the flow, 20.8 in the vocoder."""
    declared = work.of_request(FULL, text_tokens=20, prompt_text_tokens=10, prompt_tokens=87, speech_tokens_made=75)
    assert declared["llm.prefix"].parameters / 1e6 == pytest.approx(357.9 + 5.9, abs=0.1)
    assert declared["flow.encoder"].parameters / 1e6 == pytest.approx(37.8, abs=0.1)
    assert declared["flow.estimator"].parameters / 1e6 == pytest.approx(713, abs=1)
    assert declared["vocoder"].parameters / 1e6 == pytest.approx(20.8, abs=0.1)
    assert 2 * declared["llm.prefix"].parameters / 1e9 == pytest.approx(0.73, abs=0.01)  # bytes of a step in bfloat16
    assert declared["llm.step"].parameters == 74 * declared["llm.prefix"].parameters


def test_a_request_declares_what_its_networks_are_called_with(
    shared_networks: Networks, build: Build, ask: Ask
) -> None:
    """As the whole is reckoned from lengths, and nothing is left in front of the networks."""
    pipeline, request = build(), ask()
    before = dict(shared_networks.acoustic.llm.__dict__)
    with declaring(shared_networks) as parts:
        output = pipeline.run(request, lambda _: None)
    assert dict(shared_networks.acoustic.llm.__dict__) == before
    told = {part["part"]: part for part in parts}
    assert told["llm.step"]["calls"] == len(output.tokens) - 1
    assert told["llm.prefix"]["calls"] == told["flow.encoder"]["calls"] == told["vocoder"]["calls"] == 1
    assert told["flow.estimator"]["calls"] == NANO.flow.euler_steps
    assert told["vocoder"]["matrix"] == work.vocoder(NANO.vocoder, frames=2 * len(output.tokens), mels=MELS).matrix
    assert told["frontend.embedding"]["on_host"]
    step = work.llm(NANO.llm, new=1, held=0)
    assert told["llm.step"]["parameter_bytes"] == 4 * step.parameters * told["llm.step"]["calls"]
