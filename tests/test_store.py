"""Runs on disk: torn and damaged files, unknown schemas, journals that end anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import store
from harness.errors import RunFileError
from harness.results import SCHEMA_VERSION, Run


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
