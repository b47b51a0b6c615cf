"""What a machine can do at most: how it is measured, and how it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import calibrations, ceilings, runner
from harness.environment import environment, fingerprint
from harness.errors import CalibrationError, UsageError
from harness.results import Bandwidth, Ceilings, Repeated
from harness.worker import ceilings as measuring
from harness.worker.machine import machine
from tests.command_line import harness_command
from tests.conftest import Quiet, fake_scenario

pytestmark = pytest.mark.usefixtures("_own_cache")
FIGURE = Repeated(best=4e9, median=3e9, worst=1e9, repeats=15)


@pytest.fixture
def here() -> dict[str, Any]:
    return environment(threads=1, seed=0)


@pytest.fixture
def known(here: dict[str, Any]) -> Ceilings:
    code = fingerprint(here, "cpu").code
    return Ceilings(
        digest=code, machine="a machine", device="cpu", made="2026-11-28", threads=1,
        bandwidths=(Bandwidth(block_bytes=1024, copy=FIGURE, read=FIGURE),), rates={"float32": FIGURE}, call=FIGURE,
    )  # fmt: skip


def test_what_is_kept_is_found_again_on_the_same_machine_alone(
    tmp_path: Path, here: dict[str, Any], known: Ceilings
) -> None:
    shelf = ceilings.shelf(tmp_path)
    assert shelf.find(here, "cpu") is None
    shelf.keep(known)
    assert shelf.find(here, "cpu") == known
    assert shelf.find({**here, "memory_bytes": 8 * here["memory_bytes"]}, "cpu") is None
    assert shelf.find(environment(threads=2, seed=0), "cpu") is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema_version": 9}, "schema version 9"),
        ({"bandwidths": []}, "a figure is missing"),
        ({"rates": {"float32": {"best": 0, "median": 0, "worst": 0, "repeats": 3}}}, "not positive"),
        ({"device": "cuda:0"}, "another machine or device"),
        ({"call": "fast"}, "call"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, here: dict[str, Any], known: Ceilings, change: dict[str, Any], why: str
) -> None:
    shelf = ceilings.shelf(tmp_path)
    path = shelf.keep(known)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CalibrationError, match=why):
        shelf.find(here, "cpu")


def test_the_best_of_many_readings_is_the_ceiling_and_the_others_are_its_spread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "BLOCKS", {"cpu": (2**12, 2**14)})
    monkeypatch.setattr(measuring, "SIDES", {"cpu": (16, 32)})
    monkeypatch.setattr(measuring, "SHORTEST_S", 1e-4)
    monkeypatch.setattr(measuring, "CALLS", 20)
    found = measuring.measured(machine("cpu"))
    assert [known["block_bytes"] for known in found["bandwidths"]] == [2**12, 2**14]
    assert set(found["rates"]) == {"float32", "bfloat16"}
    assert found["launch"] is None
    rates = [figure for known in found["bandwidths"] for figure in (known["copy"], known["read"])]
    for figure in (*rates, *found["rates"].values()):
        assert figure["best"] >= figure["median"] >= figure["worst"] > 0
        assert figure["repeats"] == measuring.REPEATS
    assert 0 < found["call"]["best"] <= found["call"]["median"] <= found["call"]["worst"]


def test_precision_of_products_is_as_it_was_after_measuring() -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with measuring._tf32(on=not before):
        assert torch.backends.cuda.matmul.allow_tf32 is not before
    assert torch.backends.cuda.matmul.allow_tf32 is before


def test_a_device_that_is_not_here_is_refused(here: dict[str, Any]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(UsageError, match="no CUDA device"):
        ceilings.measure("cuda:0", {**here, "gpus": []})


def test_a_terminal_is_told_every_figure(known: Ceilings) -> None:
    told = "\n".join(ceilings.lines(replace(known, launch=replace(FIGURE, best=2e-6, median=3e-6))))
    assert "copy 4.00\u202fGB/s" in told.replace("\u00a0", "\u202f")
    assert "one small kernel on the device" in told


def test_a_run_takes_what_is_known_of_its_machine_with_it(tmp_path: Path, known: Ceilings, quiet: Quiet) -> None:
    chosen = fake_scenario(measure={"budget": "1s"})
    digest = fingerprint(runner.here(chosen), "cpu").code
    shelf = calibrations.shelf(tmp_path / "kept")
    ceilings.shelf(shelf.folder).keep(replace(known, digest=digest))
    run = runner.run(chosen, tmp_path / "run", devices=("cpu",), progress=quiet, known=shelf)
    assert [found.digest for found in run.ceilings] == [digest]
    assert run.floors == ()


def test_a_command_says_what_is_kept_and_json_is_alone_on_stdout(tmp_path: Path, known: Ceilings) -> None:
    ceilings.shelf(tmp_path).keep(known)
    command = ("limits", "--device", "cpu", "--calibrations", str(tmp_path))
    done = harness_command(*command, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [ceilings.as_data(known)]
    told = harness_command(*command)
    assert "products of matrices, float32: 4.00" in told.stdout
    assert told.stderr == ""
