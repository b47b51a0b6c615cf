"""What makes the host wait for the device is listed with file and line."""

from __future__ import annotations

import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.profiles.operators import callers
from harness.worker import profiling, synchronizations
from harness.worker.machine import is_torchs


def planted_wait() -> None:
    torch.cuda.synchronize()


LINE = planted_wait.__code__.co_firstlineno + 1


@pytest.fixture
def _no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card's functions that do nothing, as where there is none."""
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("_no_card")
def test_a_planted_synchronize_is_listed_with_file_and_line_and_how_often(tmp_path: Path) -> None:
    file = tmp_path / "waits.json"
    told = profiling.profile("synchronizations", lambda _: planted_wait(), ["a", "b", "c"], file, 0.0)
    assert told["requests"] == 3
    (found,) = json.loads(file.read_bytes())["callers"]
    assert (found["call"], found["line"], found["count"]) == ("torch.cuda.synchronize", LINE, 3)
    assert found["file"].endswith("tests/worker/test_synchronizations.py")
    (row,) = callers([], [{"requests": 3, "callers": [found]}])
    assert row.name == f"torch.cuda.synchronize at tests/worker/test_synchronizations.py:{LINE} in planted_wait"
    assert (row.calls_before, row.calls_after) == (0.0, 1.0)


@pytest.mark.usefixtures("_no_card")
def test_what_would_wait_on_a_card_is_listed_too_and_by_its_caller_outside_torch() -> None:
    with synchronizations.watching() as found:
        values = torch.tensor([1.0, 2.0])
        values[0].item()
        if values[1] > 1:
            values.cpu()
    calls = {row["call"]: row for row in found.callers()}
    assert set(calls) == {"Tensor.item", "Tensor.__bool__", "Tensor.cpu"}
    assert all(row["file"] == __file__ for row in calls.values())


@pytest.mark.usefixtures("_no_card")
def test_nothing_stays_patched_even_after_an_error() -> None:
    before = (torch.cuda.synchronize, torch.Tensor.item, torch.Tensor.__bool__, torch.cuda.Event.synchronize)
    names = set(torch.Tensor.__dict__)
    with pytest.raises(RuntimeError, match="cannot be converted to Scalar"), synchronizations.watching():
        torch.ones(2).item()
    assert (torch.cuda.synchronize, torch.Tensor.item, torch.Tensor.__bool__, torch.cuda.Event.synchronize) == before
    assert set(torch.Tensor.__dict__) == names


@pytest.mark.usefixtures("_no_card")
def test_the_harness_own_waiting_at_the_end_of_a_request_is_no_callers() -> None:
    from harness.worker.machine import CudaMachine

    made: Any = CudaMachine.__new__(CudaMachine)
    made._torch = torch
    with synchronizations.watching() as found:
        made.synchronize()
    assert found.callers() == []


def test_what_pytorch_warns_of_is_listed_with_the_line_that_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning comes by way of the standard library's module, whose lines wait for nothing."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda _: None)
    with synchronizations.watching() as found:
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    (row,) = found.callers()
    assert (row["call"], row["file"], row["line"], row["waited_s"]) == ("implicit", __file__, line, None)


@pytest.mark.cuda
def test_on_a_card_implicit_and_explicit_waits_are_listed_by_line() -> None:
    values = torch.ones(8, device="cuda")
    with synchronizations.watching() as found:
        values.nonzero()
        planted_wait()
        values.sum().item()
    rows = {(row["call"], row["line"] - LINE) for row in found.callers() if row["file"] == __file__}
    first = test_on_a_card_implicit_and_explicit_waits_are_listed_by_line.__code__.co_firstlineno - LINE
    assert ("torch.cuda.synchronize", 0) in rows
    assert {offset - first for call, offset in rows if call == "implicit"} == {4, 6}
    assert torch.cuda.get_sync_debug_mode() == 0


def test_a_folder_that_is_called_torch_is_not_pytorchs() -> None:
    own = str(Path(torch.__file__).parent / "nn" / "functional.py")
    assert is_torchs(own)
    assert is_torchs("/other/lib/python3.12/site-packages/torch/cuda/__init__.py")
    assert not is_torchs("/home/me/envs/torch/lib/python3.12/site-packages/mine/model.py")
