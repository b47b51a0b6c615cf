"""The command line: exit codes, and what it says on which stream."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import doctor
from harness.results import Run
from tests.command_line import harness_command as harness

SCENARIO = """\
name: quick
model: {adapter: fake, noise: 0.002}
devices: [cpu]
workload: {texts: {en: hello}}
optimizations: {resample_cache: true, cached_device: true}
measure: {metrics: [latency, init], budget: 20s, workers: 3}
"""


def test_run_writes_a_run_a_page_and_markdown_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text(SCENARIO)
    done = harness("run", "quick.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    for name in ("run.json", "samples.parquet", "report.html", "report.md"):
        assert (folder / name).stat().st_size > 0
    assert {plot.suffix for plot in (folder / "plots").iterdir()} == {".svg"}
    assert (folder / "report.html").as_uri() in "".join(done.stdout.split())
    assert "resample_cache" in done.stdout


def test_json_is_alone_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "quick.yaml").write_text(SCENARIO)
    done = harness("run", "quick.yaml", "--json", "--budget", "5s", "--set", "measure.margin=5%", cwd=tmp_path)
    run = json.loads(done.stdout)
    assert run["plan"]["budget_s"] == 5
    assert {contrast["margin"] for contrast in run["contrasts"]} == {0.05}
    wanted = {
        "optimization", "metric", "device", "unit", "statistic", "reference_arm", "arm", "before", "after", "ratio",
        "ratio_low", "ratio_high", "margin", "verdict", "blocks", "workers", "witness_before", "witness_after", "equivalence",
    }  # fmt: skip
    assert all(wanted <= set(contrast) for contrast in run["contrasts"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "seed-optimisations"], "did you mean seed-optimizations"),
        (["run", "missing.yaml"], "no such file"),
        (["run"], "name a scenario"),
        (["run", "smoke", "--device", "tpu"], "allowed are cpu, cuda, cuda:N and all"),
        (["run", "smoke", "--budget", "soon"], "budget"),
        (["run", "smoke", "--set", "measure.budgt=3s"], "did you mean budget"),
        (["run", "--resume", "nowhere"], "holds no run"),
        (["run", "smoke", "--resume", "nowhere"], "--resume takes everything from the run"),
        (["report", "nowhere"], "holds no run"),
        (["show", "nowhere"], "holds no run (neither run.json nor journal.jsonl); there is no such folder"),
        (["run", "smoke", "--budget", "20sec"], "--budget: found '20sec'"),
        (["run", "smoke", "--for", "20sec"], "--for: found '20sec'"),
        (["index", "nowhere"], "there is no such folder"),
        (["list", "toggles"], "known are optimizations"),
        (["validate", "nothing"], "no scenario is called"),
        (["make-checkpoint", "--size", "huge", "new"], "allowed are nano, reduced, full"),
        (["profile"], "name a scenario, or give --run"),
        (["profile", "smoke", "--run", "nowhere"], "not both"),
        (["profile", "smoke", "--with", "perf"], "allowed are py-spy, torch, memory, host-memory"),
        (["profile", "smoke", "--arm", "later"], "allowed are before, after, each"),
        (["profile", "--run", "nowhere"], "holds no run"),
        (["frobnicate"], "No such command"),
    ],
)
def test_what_cannot_be_read_is_one_message_and_exit_code_2(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = harness(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_run_in_which_nothing_can_be_measured_is_exit_code_4(tmp_path: Path) -> None:
    faulty = SCENARIO.replace("noise: 0.002", "noise: 0.002, faults: {resample_cache: error, cached_device: error}")
    (tmp_path / "faulty.yaml").write_text(faulty)
    done = harness("run", "faulty.yaml", cwd=tmp_path)
    assert done.returncode == 4
    assert "planted error" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("error", [EOFError("planted"), BrokenPipeError(errno.EPIPE, "planted")])
def test_nothing_but_a_decision_ends_with_the_exit_code_of_a_regression(error: Exception) -> None:
    """Typer answers some errors with 1 by itself."""

    def fail(_: doctor.System | None = None) -> list[doctor.Diagnosis]:
        raise error

    def before() -> None:
        pytest.MonkeyPatch().setattr(doctor, "examine", fail)  # in the process of the command, which ends

    assert harness("doctor", before=before).returncode == 4


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "as python -u"])
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_reader_that_goes_away_stops_nothing_and_changes_no_exit_code(
    closed: str, tmp_path: Path, *, buffered: bool
) -> None:
    """As `harness run ... | head -1`: the run is measured to its end, and the page is written."""
    (tmp_path / "mine.yaml").write_text(SCENARIO)

    def before() -> None:
        reading, writing = os.pipe()
        os.close(reading)
        number = 1 if closed == "stdout" else 2
        os.dup2(writing, number)
        if not buffered:
            raw = io.FileIO(number, "wb", closefd=False)
            setattr(sys, closed, io.TextIOWrapper(raw, encoding="utf-8", write_through=True))

    done = harness("run", "mine.yaml", cwd=tmp_path, before=before)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("results/*/report.html"))
    assert not list(tmp_path.glob("results/*/journal.jsonl"))


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="a folder in which nobody may write is known on Linux alone")
def test_where_nothing_may_be_written_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    done = harness("run", "mine.yaml", "--out", "/sys/results", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "harness: /sys/results" in done.stderr
    assert done.stderr.rstrip().endswith("; name another place, or allow it")
    assert "Traceback" not in done.stderr


def test_what_is_no_folder_cannot_hold_a_run_and_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    done = harness("run", "mine.yaml", "--out", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Not a directory; name another place" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_time_may_be_plain_seconds_and_what_is_printed_to_be_typed_can_be(tmp_path: Path) -> None:
    (tmp_path / "my run.yaml").write_text(SCENARIO)
    done = harness("run", "my run.yaml", "--for", "30", "--budget", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "harness calibrate 'my run.yaml' would say" in " ".join(done.stderr.split())
    assert "harness calibrate 'my run.yaml' --budget 2" in " ".join(done.stdout.split())


def test_a_folder_of_runs_is_no_run_and_one_of_them_is_named(measure_fake: Callable[..., Run], tmp_path: Path) -> None:
    run = measure_fake()
    done = harness("show", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert f"there are some in it, such as {tmp_path / run.id}" in done.stderr


def test_listings_are_json_on_request() -> None:
    names = {item["name"] for item in json.loads(harness("list", "optimizations", "--json").stdout)}
    assert {"resample_cache", "batched_cleanup"} <= names
    scenarios = {item["name"] for item in json.loads(harness("list", "scenarios", "--json").stdout)}
    assert {"seed-optimizations", "smoke"} <= scenarios
    models = {item["name"]: item for item in json.loads(harness("list", "models", "--json").stdout)}
    assert models["cosyvoice2 full"]["llm"]["layers"] == 24


def test_validate_names_line_and_key_of_each_bad_scenario(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(SCENARIO.replace("resample_cache", "resample_cash"))
    done = harness("validate", "smoke", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "smoke: valid" in done.stdout
    assert done.stderr.startswith("bad.yaml:5: optimizations.resample_cash")
    assert "did you mean resample_cache" in done.stderr


def test_validate_says_what_a_valid_scenario_lacks_here(tmp_path: Path) -> None:
    texts = {
        "weights": "model: {adapter: cosyvoice2, weights: nowhere}\n",
        "function": "model: {adapter: callable, target: 'mine.py:speak'}\n",
        "recording": "model: {adapter: cosyvoice2}\nworkload: {prompts: [{audio: me.wav, text: hello}]}\n",
        "below": "model: {adapter: planted, units: 1, unit: 1ms, over: {adapter: cosyvoice2, weights: nowhere}}\n",
        "interpreter": "model: {adapter: callable, target: 'here.py:speak', python: ./none}\n",
    }
    (tmp_path / "here.py").write_text("def speak():\n    return 1.0\n")
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\n{text}")
    done = harness("validate", *(f"{name}.yaml" for name in texts), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name}.yaml: valid" for name in texts]
    lines = done.stderr.splitlines()
    assert [line.partition(": but here it cannot run: ")[0] for line in lines] == [f"{name}.yaml" for name in texts]
    for line, missing in zip(lines, ("nowhere", "mine.py", "me.wav", "nowhere", "none"), strict=True):
        assert missing in line


def test_schema_prints_a_json_schema() -> None:
    assert json.loads(harness("schema").stdout)["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize(("more", "wanted"), [((), True), (("--no-plots",), False)])
def test_a_page_links_to_its_plots_where_they_are_written(
    measure_fake: Callable[..., Run], tmp_path: Path, more: tuple[str, ...], *, wanted: bool
) -> None:
    measure_fake()
    done = harness("report", "run", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ('href="./plots/"' in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")) is wanted
    assert (tmp_path / "run" / "plots").exists() is wanted


def test_report_goes_to_stdout_for_a_pull_request(measure_fake: Callable[..., Run], tmp_path: Path) -> None:
    measure_fake(measure={"budget": "3s"})
    done = harness("report", "run", "--markdown", "-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## ")
    assert "resample\\_cache" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["report", "run", "--html", "-"], "--html"),
        (["report", "run", "--markdown", "-", "--html", "-"], "--html"),
        (["index", ".", "--out", "-"], "--out"),
        (["inspect", ".", "--write", "-", "--json"], "--write"),
        (["gate", "smoke", "--base", "main", "--json", "-"], "--json"),
        (["gate", "smoke", "--base", "main", "--junit", "-"], "--junit"),
        (["gate", "smoke", "--base", "main", "--markdown", "-"], "--markdown"),
    ],
)
def test_what_goes_to_a_file_alone_is_refused_for_stdout_before_anything_is_done(
    arguments: list[str], option: str, tmp_path: Path
) -> None:
    done = harness(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"harness: {option} -: this goes to a file, not to stdout; give the name of one\n"
    assert not list(tmp_path.iterdir())


def test_an_export_goes_to_stdout_alone_unless_a_file_is_named(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    measure_fake(measure={"budget": "3s"})
    done = harness("export", "run", cwd=tmp_path)
    assert json.loads(done.stdout)["benchmarks"]
    assert harness("export", "run", "--out", "-", cwd=tmp_path).stdout == done.stdout
    assert harness("export", "run", "--out", "out/samples.json", cwd=tmp_path).stdout == ""
    assert (tmp_path / "out" / "samples.json").read_text(encoding="utf-8") == done.stdout
    assert not (tmp_path / "-").exists()


def test_several_runs_stand_side_by_side_and_one_beside_itself_is_refused(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    measure_fake(measure={"budget": "3s"})
    (tmp_path / "run").rename(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    found = json.loads((tmp_path / "second" / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "second" / "run.json").write_text(json.dumps({**found, "id": "second"}), encoding="utf-8")
    done = harness("report", "first", "second", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "first" / "comparison.html"
    assert page.as_uri() in "".join(done.stdout.split())
    assert "2 runs side by side" in page.read_text(encoding="utf-8")
    told = harness("report", "first", "second", "--markdown", "-", cwd=tmp_path)
    assert told.stdout.startswith("## 2 runs side by side")
    both = harness("report", "first", "second", "--lang", "zh", "--markdown", "-", "--html", "zh.html", cwd=tmp_path)
    assert both.stdout.startswith("## 2 runs side by side")
    assert "2 次运行并列" in (tmp_path / "zh.html").read_text(encoding="utf-8")
    refused = harness("report", "first", "first", "--lang", "zh", "--html", "never.html", cwd=tmp_path)
    assert refused.returncode == 2
    assert "it is the same run" in refused.stderr
    assert not (tmp_path / "never.html").exists()


def test_show_prints_the_tables_of_a_run_and_json_on_request(measure_fake: Callable[..., Run], tmp_path: Path) -> None:
    measure_fake(measure={"budget": "3s"})
    done = harness("show", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Latency on cpu" in done.stdout
    assert "resample_cache" in done.stdout
    asked = harness("show", "run", "--json", cwd=tmp_path)
    assert [device["device"] for device in json.loads(asked.stdout)["devices"]] == ["cpu"]


def test_index_lists_runs_in_progress_and_finished_and_says_where(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    measure_fake(measure={"budget": "3s"})
    (tmp_path / "quick.yaml").write_text(SCENARIO)
    harness("run", "quick.yaml", "--for", "1ms", cwd=tmp_path)
    done = harness("index", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 runs\n")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "index.html").as_uri() in "".join(done.stdout.split())
    assert page.count("<tr role=") == 2
    assert page.count("run not finished") == 1
    assert "<h1>Runs</h1>" in page
    harness("index", ".", "--lang", "zh", "--out", "zh.html", cwd=tmp_path)
    assert "<h1>运行列表</h1>" in (tmp_path / "zh.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [("report", "run"), ("index", "."), ("profile", "smoke")])
def test_a_language_that_no_page_speaks_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    done = harness(*command, "--lang", "tlh", cwd=tmp_path)
    assert done.returncode == 2
    assert "--lang tlh: the page speaks en and zh" in done.stderr


def test_version_is_printed() -> None:
    assert harness("--version").stdout.startswith("tts-harness ")


def test_a_part_of_a_run_says_how_to_go_on_and_continue_does(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    part = harness("run", "mine.yaml", "--for", "1ms", cwd=tmp_path)
    (folder,) = (tmp_path / "results").iterdir()
    assert part.returncode == 0, part.stderr
    assert f"harness run --resume results/{folder.name}" in " ".join(part.stdout.split())
    assert (folder / "journal.jsonl").exists()
    other = harness("run", "mine.yaml", "--continue", "--budget", "5s", cwd=tmp_path)
    assert other.returncode == 2
    assert "was begun with other values of measure" in other.stderr
    whole = harness("run", "mine.yaml", "--continue", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    assert [path.name for path in (tmp_path / "results").iterdir()] == [folder.name]
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["complete"] is True


@pytest.mark.parametrize("arguments", [["--set", "measure.workers=3"], ["--memory-snapshot"], ["--device", "cpu"]])
def test_a_resumed_run_takes_no_other_settings(arguments: list[str], tmp_path: Path) -> None:
    done = harness("run", "--resume", str(tmp_path), *arguments)
    assert done.returncode == 2
    assert "--resume takes everything from the run" in done.stderr


@pytest.mark.parametrize("sides", [(), ("--base", "HEAD", "--baseline", "results/run")])
def test_a_gate_compares_with_a_revision_or_with_stored_runs(sides: tuple[str, ...]) -> None:
    done = harness("gate", "smoke", *sides)
    assert done.returncode == 2
    assert "--base REV, or --baseline RUN for a stored run; not both" in done.stderr


def test_a_gate_of_stored_runs_takes_no_calibrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "of gates with --base alone it is known how small a slow-down they find"
    given = harness("gate", "smoke", "--baseline", str(tmp_path), "--calibrations", str(tmp_path))
    assert (given.returncode, told in given.stderr) == (2, True)
    monkeypatch.setenv("HARNESS_CALIBRATIONS", str(tmp_path))
    usual = harness("gate", "smoke", "--baseline", str(tmp_path))
    assert (usual.returncode, told in usual.stderr) == (2, False), "as CI sets it for all of its gates"


def test_a_run_is_judged_again_by_the_rules_of_today(tmp_path: Path) -> None:
    """As where another version drew other verdicts from the same samples."""
    (tmp_path / "quick.yaml").write_text(SCENARIO)
    harness("run", "quick.yaml", "--out", ".", cwd=tmp_path)
    (kept,) = tmp_path.glob("*/run.json")
    made = json.loads(kept.read_text())
    found = [contrast["verdict"] for contrast in made["contrasts"]]
    stale = [{**contrast, "verdict": "slower", "reason": "by an older rule"} for contrast in made["contrasts"]]
    kept.write_text(json.dumps({**made, "contrasts": stale}))
    harness("report", str(kept.parent))
    assert {contrast["verdict"] for contrast in json.loads(kept.read_text())["contrasts"]} == {"slower"}
    done = harness("report", str(kept.parent), "--again")
    assert done.returncode == 0, done.stderr
    again = json.loads(kept.read_text())
    assert [contrast["verdict"] for contrast in again["contrasts"]] == found
    assert {key: again[key] for key in ("plan", "witnesses", "environment")} == {
        key: made[key] for key in ("plan", "witnesses", "environment")
    }
