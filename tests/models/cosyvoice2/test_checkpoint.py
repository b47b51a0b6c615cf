"""Weights of a directory: every tensor accounted for, the wild's quirks served, code in a file never run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from harness.errors import CheckpointError
from harness.models.cosyvoice2 import checkpoint, weights
from harness.models.cosyvoice2.config import NANO
from harness.models.cosyvoice2.model_dir import FLOW_FILE, LLM_FILE, VOCODER_FILE, ModelDir
from harness.models.cosyvoice2.weights import AcousticModel

Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def original() -> AcousticModel:
    return weights.random_model(NANO, "cpu", 5)


@pytest.fixture
def directory(tmp_path: Path, original: AcousticModel) -> ModelDir:
    folder = tmp_path / "mine"
    folder.mkdir()
    torch.save(original.llm.state_dict(), folder / LLM_FILE)
    torch.save(original.flow.state_dict(), folder / FLOW_FILE)
    torch.save(original.vocoder.state_dict(), folder / VOCODER_FILE)
    return ModelDir(path=folder, config=NANO, files=(LLM_FILE, FLOW_FILE, VOCODER_FILE), made=None)


def rewrite(directory: ModelDir, file: str, change: Change, **save: Any) -> None:
    path = directory.path / file
    torch.save(change(dict(torch.load(path, weights_only=True))), path, **save)


def assert_same(one: AcousticModel, other: AcousticModel) -> None:
    for part in ("llm", "flow", "vocoder"):
        theirs = getattr(other, part).state_dict()
        for name, tensor in getattr(one, part).state_dict().items():
            assert torch.equal(tensor, theirs[name]), f"{part}.{name}"


def test_what_was_saved_is_loaded_to_the_bit_and_ready(directory: ModelDir, original: AcousticModel) -> None:
    loaded = checkpoint.load_acoustic(directory, "cpu")
    assert_same(loaded, original)
    assert not loaded.flow.training
    assert not any(parameter.requires_grad for parameter in loaded.llm.parameters())


def old_weight_norm(tensors: dict[str, Any]) -> dict[str, Any]:
    old = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, before in old.items():
            name = name.replace(new, before)  # noqa: PLW2901  the name is what is changed
        renamed[name] = tensor
    return renamed


@pytest.mark.parametrize(
    ("file", "change"),
    [
        (VOCODER_FILE, lambda tensors: {f"generator.{name}": tensor for name, tensor in tensors.items()}),
        (VOCODER_FILE, old_weight_norm),
        (LLM_FILE, lambda tensors: {name: tensor for name, tensor in tensors.items() if name != checkpoint.HEAD}),
        (LLM_FILE, lambda tensors: {name: tensor.clone() for name, tensor in tensors.items()}),
        (FLOW_FILE, lambda tensors: {name: tensor.double() for name, tensor in tensors.items()}),
    ],
    ids=["generator prefix", "old weight norm", "no tied head", "head saved apart", "float64"],
)
def test_quirks_of_published_files_are_served(
    directory: ModelDir, original: AcousticModel, file: str, change: Change
) -> None:
    rewrite(directory, file, change)
    assert_same(checkpoint.load_acoustic(directory, "cpu"), original)


def test_files_of_before_the_zip_format_are_read(directory: ModelDir, original: AcousticModel) -> None:
    rewrite(directory, FLOW_FILE, lambda tensors: tensors, _use_new_zipfile_serialization=False)
    assert_same(checkpoint.load_acoustic(directory, "cpu"), original)


def test_everything_that_does_not_fit_is_named_in_one_error(directory: ModelDir) -> None:
    def spoil_flow(tensors: dict[str, Any]) -> dict[str, Any]:
        del tensors["encoder_proj.bias"]
        return {**tensors, "encoder_proj.weight": torch.zeros(3, 4), "discriminator.weight": torch.zeros(1)}

    rewrite(directory, FLOW_FILE, spoil_flow)
    rewrite(directory, LLM_FILE, lambda tensors: {**tensors, "epoch": 7, "llm_decoder.bias": torch.zeros(6564).long()})
    with pytest.raises(CheckpointError) as raised:
        checkpoint.load_acoustic(directory, "cpu")
    for line in (
        "mine/flow.pt: 1 missing: encoder_proj.bias",
        "mine/flow.pt: 1 left over: discriminator.weight",
        "mine/flow.pt: 1 of another shape: encoder_proj.weight (3, 4) instead of (80, 32)",
        "mine/llm.pt: 1 left over: epoch",
        "mine/llm.pt: 1 not floating-point tensors: llm_decoder.bias",
    ):
        assert line in str(raised.value)


def test_a_long_list_is_cut_and_counted(directory: ModelDir) -> None:
    rewrite(directory, FLOW_FILE, lambda _: {})
    with pytest.raises(CheckpointError, match=r"flow.pt: \d+ missing: input_embedding.weight, .* and \d+ more"):
        checkpoint.load_acoustic(directory, "cpu")


def test_a_head_that_is_not_tied_is_refused(directory: ModelDir) -> None:
    rewrite(directory, LLM_FILE, lambda tensors: {**tensors, checkpoint.HEAD: tensors[checkpoint.HEAD] + 1})
    with pytest.raises(CheckpointError, match=r"lm_head.weight differs from .*embed_tokens.weight"):
        checkpoint.load_acoustic(directory, "cpu")


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("as_zip", [True, False])
def test_code_in_a_file_is_not_run(directory: ModelDir, tmp_path: Path, as_zip: bool) -> None:  # noqa: FBT001  a parameter
    mark = tmp_path / "executed"
    file = directory.path / FLOW_FILE
    if as_zip:
        torch.save({"weight": Evil(mark)}, file)
    else:
        file.write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(
        CheckpointError, match=r"mine/flow.pt .*holds more than tensors, or is damaged, and was not loaded"
    ):
        checkpoint.load_acoustic(directory, "cpu")
    assert not mark.exists()


def test_a_truncated_file_is_said_to_be_cut_off(directory: ModelDir) -> None:
    file = directory.path / VOCODER_FILE
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"mine/hift.pt .*download it again"):
        checkpoint.load_acoustic(directory, "cpu")


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"\x80\x02."], ids=["a web page", "half a pickle"])
def test_something_else_under_the_name_is_said_so(directory: ModelDir, content: bytes) -> None:
    (directory.path / LLM_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"mine/llm.pt .*download it again"):
        checkpoint.load_acoustic(directory, "cpu")


def test_a_tensor_instead_of_named_ones_is_refused(directory: ModelDir) -> None:
    torch.save(torch.zeros(3), directory.path / LLM_FILE)
    with pytest.raises(CheckpointError, match="holds a Tensor instead of named tensors"):
        checkpoint.load_acoustic(directory, "cpu")


def test_names_that_are_ours_already_stay(original: AcousticModel) -> None:
    tensors: dict[str, Tensor] = original.vocoder.state_dict()
    assert list(checkpoint.named_as_here(tensors, VOCODER_FILE)) == list(tensors)
