"""Random weights: reproducible, independent of the process, and at scales through which signals survive."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from harness.models.cosyvoice2 import weights
from harness.models.cosyvoice2.config import FULL, NANO
from harness.models.cosyvoice2.weights import AcousticModel


def parts(model: AcousticModel) -> dict[str, nn.Module]:
    return {"llm": model.llm, "flow": model.flow, "vocoder": model.vocoder}


def state(model: AcousticModel) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": tensor
        for part, module in parts(model).items()
        for name, tensor in module.state_dict().items()
    }


def same(one: AcousticModel, other: AcousticModel) -> dict[str, bool]:
    theirs = state(other)
    return {name: torch.equal(tensor, theirs[name]) for name, tensor in state(one).items()}


def synthesise(model: AcousticModel, text: list[int]) -> Tensor:
    draws = torch.Generator().manual_seed(0)
    prompt = torch.arange(6)[None]
    spoken = list(model.llm.generate(torch.tensor([text]), prompt, prompt, 8, draws))
    mel = model.flow.inference(
        torch.tensor([spoken]), prompt, torch.zeros(1, 12, 80), torch.ones(1, 192), streaming=False, finalize=True
    )
    return model.vocoder.inference(mel, None, draws)[0]


def test_the_same_seed_gives_the_same_weights_whatever_the_global_state() -> None:
    torch.manual_seed(1)
    one = weights.random_model(NANO, "cpu", 7)
    torch.manual_seed(2)
    assert all(same(one, weights.random_model(NANO, "cpu", 7)).values())


def test_the_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    weights.random_model(NANO, "cpu", 7)
    assert torch.equal(before, torch.random.get_rng_state())


def test_another_seed_gives_other_weights() -> None:
    equal = same(weights.random_model(NANO, "cpu", 7), weights.random_model(NANO, "cpu", 8))
    constant = ("norm", "alpha", "block.2.", "out.1.")
    assert not [name for name, is_equal in equal.items() if is_equal and not any(mark in name for mark in constant)]


def test_a_change_of_the_flow_leaves_the_other_parts_weights_alone() -> None:
    wider = replace(NANO, flow=replace(NANO.flow, ffn=2 * NANO.flow.ffn))
    one, other = weights.random_model(NANO, "cpu", 7), weights.random_model(wider, "cpu", 7)
    for part in ("llm", "vocoder"):
        theirs = parts(other)[part].state_dict()
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in parts(one)[part].state_dict().items())


def test_the_parts_are_ready_for_inference() -> None:
    for module in parts(weights.random_model(NANO, "cpu", 7)).values():
        assert not module.training
        assert not any(parameter.requires_grad or parameter.is_meta for parameter in module.parameters())
        assert not any(buffer.is_meta for buffer in module.buffers())


@pytest.mark.parametrize("seed", range(4))
def test_audio_from_random_weights_is_finite_heard_unclipped_and_follows_the_text(seed: int) -> None:
    model = weights.random_model(NANO, "cpu", seed)
    one, other = synthesise(model, [1, 2, 3]), synthesise(model, [4, 5, 6])
    assert one.isfinite().all()
    assert one.std() > 1e-3
    assert (one.abs() >= NANO.vocoder.audio_limit).float().mean() < 0.01
    assert (one - other).std() > 0.1 * one.std()


def test_the_state_dict_loads_into_a_module_built_anew() -> None:
    one, other = weights.random_model(NANO, "cpu", 1), weights.random_model(NANO, "cpu", 2)
    for part, module in parts(other).items():
        module.load_state_dict(parts(one)[part].state_dict(), strict=True)
    assert all(same(one, other).values())
    assert torch.equal(synthesise(one, [1, 2]), synthesise(other, [1, 2]))


def test_the_fingerprint_names_the_seed_and_the_dimensions() -> None:
    prints = {weights.fingerprint(config, seed) for config in (NANO, FULL) for seed in (0, 1)}
    assert len(prints) == 4
    assert weights.fingerprint(NANO, 0) == weights.fingerprint(replace(NANO), 0)


class Zoo(nn.Module):
    """One of each kind of layer that weights are drawn for."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 64)
        self.linear = nn.Linear(400, 300)
        self.conv = nn.Conv2d(8, 64, 3)
        self.up = nn.ConvTranspose1d(64, 32, 16, 8)
        self.normed = weight_norm(nn.Conv1d(64, 64, 7))
        self.batch_norm = nn.BatchNorm1d(8)
        self.tied = nn.Linear(64, 50, bias=False)
        self.tied.weight = self.table.weight
        self.scale = nn.Parameter(torch.zeros(5))


def test_every_layer_keeps_signals_near_unit_variance() -> None:
    zoo = weights.build(Zoo, weights.generator_for(0, "zoo"))
    draws = torch.Generator().manual_seed(0)
    for layer, shape in (
        (zoo.linear, (40, 400)),
        (zoo.conv, (2, 8, 20, 20)),
        (zoo.up, (2, 64, 50)),
        (zoo.normed, (2, 64, 50)),
    ):
        assert 0.7 < layer(torch.randn(shape, generator=draws)).std() < 1.3, layer
    assert 0.9 < zoo.table.weight.std() < 1.1
    assert torch.equal(zoo.scale, torch.ones(5))


def test_tied_weights_stay_tied_and_statistics_start_neutral() -> None:
    zoo = weights.build(Zoo, weights.generator_for(0, "zoo"))
    assert zoo.tied.weight is zoo.table.weight
    assert zoo.batch_norm.running_mean is not None
    assert zoo.batch_norm.running_mean.tolist() == [0.0] * 8
    torch.testing.assert_close(zoo.batch_norm(torch.ones(2, 8, 3)), torch.ones(2, 8, 3))
