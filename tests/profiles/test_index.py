"""The index of a run's profiles: read, added to, and refused where it leads elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import store
from harness.cli import app, pages
from harness.errors import RunFileError
from harness.profiles.index import Differing, Index, Kind, Profiled, Refusal, dump, merged, read, stem
from tests.report import sample_runs


def profiled(arm: str, kind: Kind = "py-spy") -> Profiled:
    return Profiled(device="cpu", arm=arm, kind=kind, requests=3, processes=2, files={"flame graph": f"cpu-{arm}.html"})


def differing(arm: str, page: str = "a.difference.html") -> Differing:
    return Differing(
        device="cpu", before="none", arm=arm, toggle=arm, kind="py-spy", page=page, sentences=("It differs.",)
    )


INDEX = Index(
    scenario="smoke", command="harness profile smoke", started="2026-11-28T00:00:00Z",
    profiles=(profiled("none"), profiled("all")), differences=(differing("all"),),
)  # fmt: skip


def test_what_was_written_is_read_again() -> None:
    assert read(dump(INDEX).encode()) == INDEX


@pytest.mark.parametrize(
    "page", ["../x.html", "/etc/passwd", "javascript:alert(1)", "a/b.html", "", ".hidden", "a b.html"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(page: str) -> None:
    hostile = replace(INDEX, differences=(differing("all", page),))
    with pytest.raises(RunFileError, match="no file beside it"):
        read(dump(hostile).encode())


def test_what_is_damaged_or_newer_is_refused() -> None:
    with pytest.raises(RunFileError, match="cannot be read"):
        read(b'{"scenario": 3')
    with pytest.raises(RunFileError, match="schema version 99"):
        read(dump(replace(INDEX, schema_version=99)).encode())


def test_profiles_that_are_added_leave_those_of_other_arms_and_kinds() -> None:
    new = replace(
        INDEX, profiles=(profiled("none"), profiled("one")), differences=(differing("one"),),
        refusals=(Refusal(device="cpu", arm="all", kind="memory", message="no allocator"),),
    )  # fmt: skip
    whole = merged(replace(INDEX, profiles=(*INDEX.profiles, profiled("none", "torch"))), new)
    assert sorted((known.arm, known.kind) for known in whole.profiles) == [
        ("all", "py-spy"), ("none", "py-spy"), ("none", "torch"), ("one", "py-spy"),
    ]  # fmt: skip
    assert [known.arm for known in whole.differences] == ["all", "one"]
    again = merged(whole, replace(INDEX, profiles=(profiled("all", "memory"),), differences=()))
    assert again.refusals == ()
    refused = Refusal(device="cpu", arm="all", kind="py-spy", message="ptrace is not allowed here")
    worse = merged(whole, replace(INDEX, profiles=(), differences=(), refusals=(refused,)))
    assert worse.profiles == whole.profiles
    assert worse.refusals == (*whole.refusals, refused)


def test_files_that_were_left_out_are_not_linked_and_what_is_there_still_is(tmp_path: Path) -> None:
    """As before publishing: a trace has megabytes. The page of the folder is written with that of the run."""
    store.save(sample_runs.calibrated(), tmp_path)
    folder = tmp_path / "profiles"
    folder.mkdir()
    files = {"flame graph": "cpu-none.html", "trace": "cpu-none.trace.json.gz"}
    whole = replace(
        INDEX, profiles=(replace(profiled("none"), files=files, link="cpu-none.speedscope.html"),),
        differences=(differing("all"), differing("other", "other.difference.html")),
    )  # fmt: skip
    (folder / "index.json").write_text(dump(whole))
    for name in ("cpu-none.html", "a.difference.html"):
        (folder / name).touch()
    pages.write_reports(tmp_path, html=tmp_path / "report.html")
    listed, page = ((tmp_path / name).read_text() for name in ("profiles/index.html", "report.html"))
    assert ['"cpu-none.html"' in listed, '"a.difference.html"' in listed] == [True, True]
    assert "./profiles/a.difference.html" in page
    for text in (listed, page):
        assert not any(name in text for name in ("trace.json.gz", "speedscope.html", "other.difference"))
    assert read((folder / "index.json").read_bytes()) == whole


def test_of_profiles_without_a_run_their_page_is_written_and_a_folder_with_nothing_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "index.json").write_text(dump(replace(INDEX, differences=(differing("all"),))))
    (folder / "a.difference.html").touch()
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 0
    assert done.output == f"page  {(folder / 'index.html').as_uri()}\n"
    assert '"a.difference.html"' in (folder / "index.html").read_text()
    (folder / "index.json").unlink()
    with pytest.raises(RunFileError, match="holds no run"):
        CliRunner().invoke(app, ["report", str(tmp_path)], catch_exceptions=False)


def test_file_names_are_plain_whatever_an_arm_is_called() -> None:
    assert stem("cuda:0", "a+b/../<script>", "py-spy") == "cuda-0-a-b-script-py-spy"
    assert stem("cpu", "///") == "cpu-x"
