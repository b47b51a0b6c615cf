"""Runs on disk: torn and damaged files, unknown schemas, journals that end anywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness import store
from harness.errors import RunFileError
from harness.results import SCHEMA_VERSION, Bandwidth, Ceilings, PartWork, Repeated, Run, StageWork


def test_a_torn_last_line_is_dropped_and_writing_goes_on(tmp_path: Path) -> None:
    journal = store.Journal(tmp_path)
    journal.append("finding", {"n": 1})
    journal.close()
    with (tmp_path / store.JOURNAL).open("ab") as file:
        file.write(b'{"is": "block", "tri')
    assert [event["n"] for event in store.read_journal(tmp_path)] == [1]
    again = store.Journal(tmp_path)
    again.append("finding", {"n": 2})
    again.close()
    assert [event["n"] for event in store.read_journal(tmp_path)] == [1, 2]


def test_figures_that_are_not_finite_are_kept_as_unknown(tmp_path: Path) -> None:
    journal = store.Journal(tmp_path)
    journal.append("finding", {"bound": math.nan, "within": [{"a": -math.inf}, (1.5,)]})
    journal.close()
    with (tmp_path / store.JOURNAL).open("ab") as file:
        file.write(b'{"is": "finding", "bound": NaN}\n')
    assert [event["bound"] for event in store.read_journal(tmp_path)] == [None, None]
    assert next(store.read_journal(tmp_path))["within"] == [{"a": None}, [1.5]]


def test_damage_before_the_last_line_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / store.JOURNAL).write_text('{"is": "run"}\ngarbage\n{"is": "complete"}\n')
    with pytest.raises(RunFileError, match=r"journal.jsonl:2"):
        list(store.read_journal(tmp_path))


def test_a_folder_without_a_run_is_said_to_hold_none(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="holds no run"):
        store.load(tmp_path)


def test_an_empty_journal_has_nothing_measured_yet(tmp_path: Path) -> None:
    store.Journal(tmp_path).close()
    with pytest.raises(RunFileError, match="nothing was measured yet"):
        store.load(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', '{"schema_version": "x"}', "{"])
def test_a_damaged_run_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / store.RUN_FILE).write_text(text)
    with pytest.raises(RunFileError, match="cannot be read as a run"):
        store.load(tmp_path)


def test_a_newer_schema_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / store.RUN_FILE).write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(RunFileError, match="update it"):
        store.load(tmp_path)


def test_a_journal_cut_at_any_line_can_be_read(measure_fake: Callable[..., Run], tmp_path: Path) -> None:
    lines: list[str] = []
    original = store.Journal.append

    def keep(self: store.Journal, kind: str, data: dict[str, object]) -> None:
        original(self, kind, data)
        lines.append(json.dumps({"is": kind, **data}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.Journal, "append", keep)
        whole = measure_fake(measure={"budget": "2s"})
    folder = tmp_path / "cut"
    folder.mkdir()
    for end in range(1, len(lines) + 1, 7):
        (folder / store.JOURNAL).write_text("\n".join(lines[:end]) + "\n")
        assert len(store.load(folder).trials) <= len(whole.trials)


def test_run_ids_are_safe_names_and_differ() -> None:
    first, second = store.new_run_id("../a b/ü"), store.new_run_id("../a b/ü")
    assert "/" not in first
    assert "." not in first
    assert first != second


def test_a_run_of_the_first_schema_has_contrasts_of_the_whole_workload(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    run = measure_fake()
    path = tmp_path / "run" / store.RUN_FILE
    data = json.loads(path.read_bytes())
    assert data["schema_version"] == SCHEMA_VERSION
    data["schema_version"] = 1
    for contrast in data["contrasts"]:
        del contrast["stratum"]
    path.write_text(json.dumps(data))
    assert store.load(tmp_path / "run") == run


@pytest.mark.parametrize("in_journal", [False, True], ids=["run.json", "a journal"])
def test_a_run_from_before_a_role_was_renamed_can_be_read(
    measure_fake: Callable[..., Run],
    tmp_path: Path,
    in_journal: bool,  # noqa: FBT001  a column of a table
) -> None:
    run = measure_fake(measure={"budget": "2s", "instrumentation": True})
    folder = tmp_path / "run"
    data = json.loads((folder / store.RUN_FILE).read_bytes())
    for arm in (*data["plan"]["arms"], *data["arms"]):
        arm["role"] = {"instrumentation": "uninstrumented"}.get(arm["role"], arm["role"])
    if in_journal:
        journal = store.Journal(folder)
        journal.append("run", {key: value for key, value in data.items() if key != "arms"})
        journal.close()
        assert store.load(folder).plan.arms == run.plan.arms
    else:
        (folder / store.RUN_FILE).write_text(json.dumps(data))
        assert store.load(folder) == run


def test_what_stages_do_and_what_the_machine_can_do_are_kept_and_a_run_from_before_has_neither(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    figure = Repeated(best=2.0, median=1.0, worst=0.5, repeats=15)
    part = PartWork(
        part="llm.step", on_host=False, precision="float32", calls=1, matrix=2, convolution=3, parameter_bytes=4,
        state_bytes=5, data_bytes=6, working_bytes=7,
    )  # fmt: skip
    whole = replace(
        measure_fake(measure={"budget": "1s"}),
        work=(StageWork(device="cpu", arm="none", request="r", stratum="s", stage="llm", operations=8, parts=(part,)),),
        ceilings=(Ceilings(
            digest="0", machine="m", device="cpu", made="2026-11-28", threads=1, call=figure, rates={"float32": figure},
            bandwidths=(Bandwidth(block_bytes=1024, copy=figure, read=figure),),
        ),),
    )  # fmt: skip
    store.save(whole, tmp_path / "run")
    read = store.load(tmp_path / "run", samples=False)
    assert (read.work, read.ceilings) == (whole.work, whole.ceilings)
    path = tmp_path / "run" / store.RUN_FILE
    data = json.loads(path.read_text())
    path.write_text(json.dumps({key: data[key] for key in data if key not in ("work", "ceilings", "floors")}))
    older = store.load(tmp_path / "run", samples=False)
    assert [*older.work, *older.ceilings, *older.floors] == []


def test_what_stages_do_is_read_from_the_journal(tmp_path: Path, measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(measure={"budget": "1s"})
    journal = store.Journal(tmp_path / "again")
    told = {"request": "r", "stratum": "s", "stage": "llm", "operations": 8, "parts": []}
    journal.append("run", {"id": "again", "scenario": run.scenario, "environment": {}, "plan": asdict(run.plan),
                           "optimizations": {}, "timing": {}})  # fmt: skip
    journal.append("examined", {"device": "cpu", "arm": "none", "witnesses": [], "outputs": [], "work": [told]})
    journal.append("examined", {"device": "cpu", "arm": "all", "witnesses": [], "outputs": []})
    journal.close()
    (found,) = store.load(tmp_path / "again").work
    assert (found.arm, found.stage, found.operations) == ("none", "llm", 8)
