"""`harness gate` from end to end: real repositories, real worker processes, the fake adapter."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET  # of files that the test itself had written

import psutil
import pytest

from harness import groups, store, units
from tests.command_line import harness_command
from tests.test_revisions import git

SCENARIO = """
name: small
model: {{adapter: fake, base: {base}, noise: {noise}, faults: {faults}}}
devices: [cpu]
workload: {{texts: {{en: hello}}}}
optimizations: {{resample_cache: true}}
measure: {{metrics: [latency], budget: 60s, margin: 1%, time_limit: 20s}}
"""


def write(folder: Path, *, base: str = "50ms", noise: float = 0.001, faults: str = "{}", more: str = "") -> None:
    """Commit a revision whose model takes `base` for a request."""
    (folder / "bench.yaml").write_text(SCENARIO.format(base=base, noise=noise, faults=faults) + more)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", base)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    write(folder)
    return folder


def gate(
    folder: Path, *arguments: str, before: Callable[[], None] | None = None, scenario: str = "bench.yaml"
) -> subprocess.CompletedProcess[str]:
    """`harness gate SCENARIO --base HEAD~1` in `folder`, all outputs asked for."""
    outputs = ("--json", "gate.json", "--junit", "gate.xml", "--markdown", "gate.md")
    return harness_command("gate", scenario, "--base", "HEAD~1", *outputs, *arguments, cwd=folder, before=before)


def decision(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "gate.json").read_text())
    return found


def failures(folder: Path) -> list[str]:
    document = ET.fromstring((folder / "gate.xml").read_text())  # noqa: S314  the gate's own
    return [str(failure.get("message")) for failure in document.iter("failure")]


def test_equal_revisions_pass(repository: Path) -> None:
    write(repository)
    done = gate(repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert decision(repository)["outcome"] == "pass"
    assert "the code was compared with itself" not in done.stdout
    assert failures(repository) == []
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    (run,) = (store.load(path.parent) for path in (repository / "results").glob("*/run.json"))
    assert [c.workers for c in run.contrasts if c.metric == "latency"] == [len({t.worker for t in run.trials})]


def test_a_gate_of_one_commit_says_that_it_compared_the_code_with_itself(repository: Path) -> None:
    write(repository)
    done = gate(repository, "--head", "HEAD~1", "--budget", "3s")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "Base and head are one commit (" in (repository / "gate.md").read_text()


OWN = """
name: own
model: {{adapter: callable, target: "speech.py:speak", python: {python}}}
measure: {{metrics: [latency], budget: 2s, margin: 20%, workers: 3, time_limit: 20s}}
"""
SPEAK = """
import array, pathlib, sys
pathlib.Path({log!r}).open("a").write(sys.prefix + "\\n")

def speak(text):
    return array.array("f", [{level}] * 1600), 16000
"""


def test_a_function_without_toggles_is_gated_in_its_own_interpreter_and_by_what_it_returns(
    repository: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "own", with_pip=False)
    log = tmp_path / "log"

    def write_speech(level: str) -> None:
        (repository / "speech.py").write_text(SPEAK.format(log=str(log), level=level))
        git(repository, "add", "bench.yaml", "speech.py")
        git(repository, "commit", "--quiet", "--allow-empty", "--message", level)

    (repository / "bench.yaml").write_text(OWN.format(python=tmp_path / "own" / "bin" / "python"))
    write_speech("0.5")
    write_speech("0.5")
    done = gate(repository)
    assert done.returncode in (0, 3), done.stdout + done.stderr  # microseconds of work: noise may leave it open
    assert set(log.read_text().split()) == {str(tmp_path / "own")}
    assert "output" not in (repository / "gate.md").read_text()

    write_speech("0.500001")
    done = gate(repository)
    assert done.returncode == 4, done.stdout + done.stderr
    reason = decision(repository)["lines"][0]["reason"]  # type: ignore[index]
    assert (
        "is graded tolerance, up to 1e-06 apart; bitwise is required; if so much may change: --set gate.output=tolerance"
        in reason
    )
    done = gate(repository, "--set", "gate.output=tolerance")
    assert done.returncode in (0, 3), done.stdout + done.stderr

    write_speech("0.25")
    done = gate(repository, "--set", "gate.output=tolerance")
    assert done.returncode == 4, done.stdout + done.stderr
    done = gate(repository, "--set", "gate.output=any")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "Outputs were not compared" in (repository / "gate.md").read_text()


def test_a_slower_revision_fails_once_fresh_processes_have_shown_it_again(repository: Path) -> None:
    write(repository, base="51ms")
    done = gate(repository)
    assert done.returncode == 1, done.stdout + done.stderr
    assert decision(repository)["outcome"] == "regressed"
    assert failures(repository)
    line = decision(repository)["lines"][0]  # type: ignore[index]
    assert line["ratio"] == pytest.approx(1.02, abs=0.002)
    told = f"latency with no optimization on cpu is {units.percent(line['ratio'] - 1)} slower"
    assert told in (repository / "gate.md").read_text()
    (run,) = (store.load(path.parent) for path in (repository / "results").glob("*/run.json"))
    groups = {group: {t.worker for t in run.trials if t.group == group} for group in ("request", "confirmation")}
    assert groups["confirmation"]
    assert not groups["request"] & groups["confirmation"]


def test_a_faster_revision_has_improved(repository: Path) -> None:
    write(repository, base="45ms")
    assert gate(repository).returncode == 0
    assert decision(repository)["outcome"] == "improved"


def test_noise_makes_a_gate_inconclusive_and_does_not_fail_it(repository: Path) -> None:
    """By its level a gate of equal revisions fails in one of a hundred such runs, and this one is not asked to be lucky: not twice."""
    write(repository, noise=0.9)
    codes = [gate(repository, "--budget", "20s").returncode]
    if codes != [3]:
        codes.append(gate(repository, "--budget", "20s").returncode)
    assert codes[-1] == 3, codes
    assert decision(repository)["outcome"] == "inconclusive"


def test_a_scenario_that_one_revision_spells_wrong_is_told(repository: Path) -> None:
    path = repository / "bench.yaml"
    path.write_text(path.read_text().replace("budget:", "budgget:"))
    git(repository, "commit", "--quiet", "--all", "--message", "broken")
    done = gate(repository)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "did you mean" in done.stderr
    assert done.stderr.startswith("harness: HEAD:bench.yaml:7: ")
    assert "harness-gate-" not in done.stderr


def test_a_revision_that_dies_is_no_regression_and_what_can_be_measured_is(repository: Path) -> None:
    alone = "gate: {latency: 1%, optimizations: {resample_cache: {latency: 5%}}}\n"
    write(repository, faults="{resample_cache: crash}", more=alone)
    done = gate(repository)
    assert done.returncode == 4, done.stdout + done.stderr
    lines = decision(repository)["lines"]
    assert isinstance(lines, list)
    assert {line["setting"]: line["outcome"] for line in lines} == {"none": "pass", "resample_cache": "failed"}
    assert "SIGABRT" in str(lines)


def test_a_scenario_that_one_revision_lacks_is_told(repository: Path) -> None:
    git(repository, "mv", "bench.yaml", "other.yaml")
    git(repository, "commit", "--quiet", "--message", "moved")
    done = gate(repository)
    assert done.returncode == 2
    assert "bench.yaml is missing in HEAD" in done.stderr


def test_of_a_scenario_that_is_nowhere_the_nearest_is_named(repository: Path) -> None:
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "another")
    done = gate(repository, scenario="bnch.yaml")
    assert done.returncode == 2
    assert "did you mean bench.yaml?" in done.stderr


def test_uncommitted_changes_are_refused_and_measured_with_dirty(repository: Path) -> None:
    write(repository)
    path = repository / "bench.yaml"
    path.write_text(path.read_text().replace("50ms", "60ms"))
    assert "uncommitted changes" in gate(repository).stderr
    assert gate(repository).returncode == 2
    assert gate(repository, "--dirty").returncode == 1
    assert "with uncommitted changes" in str(decision(repository)["head"])


def test_a_killed_worker_is_told_and_replaced(repository: Path) -> None:
    write(repository)
    command = [sys.executable, "-m", "harness", "gate", "bench.yaml", "--base", "HEAD~1"]
    process = subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    killed = False
    while not killed and time.monotonic() < deadline:
        for journal in (repository / "results").glob("*/journal.jsonl"):
            workers = psutil.Process(process.pid).children()
            if journal.read_bytes().count(b'"timed"') > 3 and workers:
                workers[0].send_signal(signal.SIGKILL)
                killed = True
    process.communicate(timeout=120)
    assert killed
    assert process.returncode == 0
    (run,) = (store.load(path.parent) for path in (repository / "results").glob("*/run.json"))
    assert any("SIGKILL" in failure.message and not failure.final for failure in run.failures)


def test_a_full_disk_is_told_and_is_no_regression(repository: Path) -> None:
    write(repository)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = gate(repository, before=little_room)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr


def write_own(folder: Path, scenario: str, function: str, where: str = "speech.py") -> None:
    """Commit a revision with a function of its own, and its scenario."""
    (folder / "bench.yaml").write_text(scenario)
    (folder / where).parent.mkdir(parents=True, exist_ok=True)
    (folder / where).write_text(function)
    git(folder, "add", "bench.yaml", where)
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "own")


SHORT = "measure: {metrics: [latency], budget: 2s, margin: 20%, workers: 3, time_limit: 20s}\n"


def test_code_that_is_in_neither_revision_is_refused(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a package that is installed editable from a folder that is neither the top of the repository nor src/."""
    scenario = "name: own\nmodel: {adapter: callable, target: 'own_speech:speak'}\n" + SHORT
    for _ in range(2):
        write_own(repository, scenario, "def speak(text):\n    return text\n", "backend/own_speech.py")
    monkeypatch.setenv("PYTHONPATH", str(repository / "backend"))
    done = gate(repository)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "backend/own_speech.py, which is not in HEAD" in done.stderr


def test_less_work_on_a_request_that_was_not_compared_is_a_changed_output(repository: Path) -> None:
    scenario = (
        "name: own\nmodel: {adapter: callable, target: 'speech.py:speak'}\nworkload: {seeds: [0, 1, 2]}\n" + SHORT
    )
    spoken = "import numpy\n\ndef speak(text, seed):\n    return numpy.zeros({length}, 'float32'), 16000\n"
    write_own(repository, scenario, spoken.format(length="16000"))
    write_own(repository, scenario, spoken.format(length="16000 if seed == 0 else 160"))
    done = gate(repository)
    assert done.returncode == 4, done.stdout + done.stderr
    reason = decision(repository)["lines"][0]["reason"]  # type: ignore[index]
    assert "on call-s1 none@base made 1 s of audio; none@head made 0.01 s of audio" in reason


def test_a_limit_that_the_head_widened_is_noted(repository: Path) -> None:
    write(repository, more="gate: {latency: 60%}\n")
    done = gate(repository, "--budget", "5s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differs between the revisions (gate)" in " ".join(decision(repository)["notes"])  # type: ignore[arg-type]


def test_what_a_gate_of_two_revisions_cannot_judge_is_refused(repository: Path) -> None:
    write(repository, more="gate: {init: 10%}\n")
    done = gate(repository, "--set", "measure.metrics=[latency, init]")
    assert (done.returncode, "a gate of two revisions times requests" in done.stderr) == (2, True)
    done = gate(repository, "--head", "HEAD", "--dirty")
    assert (done.returncode, "give one of them" in done.stderr) == (2, True)


def test_a_new_file_that_is_not_committed_is_measured_with_dirty(repository: Path) -> None:
    scenario = "name: own\nmodel: {adapter: callable, target: 'speech.py:speak'}\n" + SHORT
    write_own(
        repository,
        scenario,
        "try:\n    from extra import said\nexcept ImportError:\n    said = 'old'\n\n\ndef speak(text):\n    return said\n",
    )
    (repository / "extra.py").write_text("said = 'new'\n")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "again")
    done = gate(repository, "--dirty")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "output changed" in done.stdout


def test_every_group_meets_every_kind_of_request_where_their_order_is_drawn(repository: Path) -> None:
    speakers = "speakers: {count: 4, reuse: {distribution: zipf, items: 60, exponent: 1.0, requests: 300}}"
    text = SCENARIO.format(base="600ms", noise=0.001, faults="{}")
    (repository / "bench.yaml").write_text(text.replace("{en: hello}}", f"{{en: hello}}, {speakers}}}"))
    git(repository, "commit", "--quiet", "--all", "--message", "drawn")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "again")
    gate(repository)
    (run,) = (store.load(path.parent) for path in (repository / "results").glob("*/run.json"))
    groups: dict[int, set[str]] = {}
    for trial in run.trials:
        if trial.pass_ == "latency":
            groups.setdefault(trial.worker, set()).add(trial.stratum)
    assert len(groups) >= 3
    assert {frozenset(strata) for strata in groups.values()} == {frozenset(run.plan.strata)}


@pytest.fixture
def _few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of the command line are forks of this one."""
    monkeypatch.setattr(groups, "LEAST", 8)


@pytest.mark.usefixtures("_few_groups")
def test_a_gate_says_how_small_a_slow_down_it_finds_here_once_it_is_calibrated(repository: Path) -> None:
    kept = ("--calibrations", "kept")
    write(repository)
    done = harness_command("calibrate", "bench.yaml", "--gate", "--confirm", "--json", *kept, cwd=repository)
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads(done.stdout)
    found = {round(item["budget_s"]): item for item in outcome["foresights"]}[60]
    assert 0.01 < found["detectable"] < 0.02
    assert found["slower"] <= 0.01 * found["runs"]
    assert found["power"] == 0.99
    confirmed = outcome["calibration"]["confirmed"]
    assert confirmed["called_slower"]
    assert confirmed["slow_down"] == pytest.approx(found["detectable"], rel=0.05)
    assert Path(repository, outcome["path"]).name.endswith("-gate.json")
    assert gate(repository, *kept).returncode == 0
    notes = " ".join(decision(repository)["notes"])  # type: ignore[arg-type]
    assert f"found in 99\u202f% is: {100 * found['detectable']:.2f}\u202f%" in notes
    assert "identical code fails it in 0 of 2\u202f000" in notes
    (slowed,) = repository.glob("results/*-gate-confirmation-*")
    assert "was planted in each request of the head" in (slowed / "run.json").read_text()
    asked = ("gate", "bench.yaml", "--baseline", str(slowed))
    refused = harness_command(*asked, cwd=repository)
    assert refused.returncode == 2
    assert "a delay was planted in it" in refused.stderr


@pytest.mark.usefixtures("_few_groups")
def test_a_gate_that_was_not_calibrated_here_claims_nothing(repository: Path) -> None:
    write(repository)
    assert gate(repository, "--calibrations", "nothing", "--budget", "5s").returncode in (0, 3)
    assert not any("resampled" in note for note in decision(repository)["notes"])  # type: ignore[attr-defined]


def test_what_has_no_gate_of_latency_cannot_be_calibrated_as_one(repository: Path, tmp_path: Path) -> None:
    write(repository, more="gate: {rtf: 2%}\n")
    asked = ("calibrate", "bench.yaml", "--gate", "--set", "measure.metrics=[latency, rtf]")
    done = harness_command(*asked, cwd=repository)
    assert done.returncode == 2
    assert "a gate is calibrated by its limit of latency, and there is none" in done.stderr
    outside = tmp_path / "outside"
    outside.mkdir()
    done = harness_command("calibrate", "smoke", "--gate", cwd=outside)
    assert done.returncode == 2
    assert "is not in a git repository" in done.stderr
    (repository / "bench.yaml").write_text("name: other\n")
    done = harness_command("calibrate", "bench.yaml", "--gate", cwd=repository)
    assert done.returncode == 2
    assert "has uncommitted changes" in done.stderr


def test_a_gate_ends_where_the_workers_of_one_side_alone_never_start(repository: Path) -> None:
    """The workers of the other side do, each time: nothing else would end it."""
    scenario = "name: own\nmodel: {adapter: callable, target: 'speech.py:speak'}\ngate: {output: any}\n" + SHORT
    for code in ("", "raise RuntimeError('planted at load')\n"):
        (repository / "bench.yaml").write_text(scenario)
        (repository / "speech.py").write_text(code + "def speak(text):\n    return 1\n")
        git(repository, "add", "-A")
        git(repository, "commit", "--quiet", "--allow-empty", "--message", "speech")
    done = gate(repository)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "planted at load" in done.stdout + done.stderr


def test_a_revision_that_git_cannot_check_out_is_told_in_its_words_and_is_no_regression(repository: Path) -> None:
    write(repository)
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho planted by a hook >&2\nexit 1\n")
    hook.chmod(0o755)
    done = gate(repository)
    assert done.returncode == 4, done.stdout + done.stderr
    assert decision(repository)["outcome"] == "failed"
    assert "planted by a hook" in str(decision(repository)["reason"])
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_package_that_the_revision_has_is_not_measured_as_it_is_installed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target's file is the revision's; what it imports would be the same on both sides."""
    installed = tmp_path / "site" / "mytts"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("def speak(text):\n    return text\n")
    monkeypatch.setenv("PYTHONPATH", str(installed.parent))
    scenario = "name: own\nmodel: {adapter: callable, target: 'bench.py:speak'}\n" + SHORT
    for _ in range(2):
        write_own(repository, scenario, (installed / "__init__.py").read_text(), "packages/mytts/__init__.py")
        write_own(repository, scenario, "from mytts import speak\n", "bench.py")
    done = gate(repository)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "mytts was imported from" in done.stderr
    assert "packages/mytts" in done.stderr

    late = "def speak(text):\n    from mytts import speak as own\n    return own(text)\n"
    for _ in range(2):
        write_own(repository, scenario, late, "bench.py")
    done = gate(repository)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "mytts was imported from" in done.stderr, "what is imported at the first request is known after it"

    own = "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent / 'packages'))\nfrom mytts import speak\n"
    for _ in range(2):
        write_own(repository, scenario, own, "bench.py")
    done = gate(repository)
    assert done.returncode in (0, 3), done.stdout + done.stderr


@pytest.mark.parametrize("unsteady", ["", ", unsteady_from: 2"], ids=["steady", "unsteady"])
def test_of_a_setting_whose_base_was_off_by_chance_the_base_is_heard_again(repository: Path, unsteady: str) -> None:
    """The output of the base that the head's is held against is the one that is off, on a device that repeats nothing."""
    alone = "gate: {latency: 60%, optimizations: {resample_cache: {latency: 60%}}}\n"
    write(repository, faults="{resample_cache: glitch}" + unsteady, more=alone)
    write(repository, more=alone)
    done = gate(repository, "--budget", "5s")
    assert done.returncode == (0 if unsteady else 4), done.stdout + done.stderr
    told = " ".join(done.stdout.split())
    assert (" So resample_cache@base, resample_cache@head spoke again 8 times" in told) == bool(unsteady)


def test_a_package_of_other_people_that_has_the_name_of_one_in_the_revision_is_theirs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository may have a folder `datasets` of its own beside code that imports the library of that name."""
    for folder, modules in ((tmp_path / "site", ("builder", "load")), (repository / "backend", ("clean", "read"))):
        (folder / "datasets").mkdir(parents=True)
        for module in ("__init__", *modules):
            (folder / "datasets" / f"{module}.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    scenario = "name: own\nmodel: {adapter: callable, target: 'bench.py:speak'}\n" + SHORT
    git(repository, "add", "backend")
    for _ in range(2):
        write_own(repository, scenario, "import datasets\n\n\ndef speak(text):\n    return text\n", "bench.py")
    done = gate(repository)
    assert done.returncode in (0, 3), done.stdout + done.stderr


HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and each child, ignores it
from harness.cli import main
main()
"""


@pytest.mark.parametrize("output", ["bitwise", "any"], ids=["while outputs are compared", "while pairs are timed"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_gate_that_is_ended_while_its_workers_start_ends_at_once_and_leaves_nothing(
    repository: Path, tmp_path: Path, how: signal.Signals, output: str
) -> None:
    scenario = (
        f"name: own\nmodel: {{adapter: callable, target: 'speech.py:speak'}}\ngate: {{output: {output}}}\n" + SHORT
    )
    began = tmp_path / "began"
    slow = f"import pathlib, time\npathlib.Path({str(began)!r}).touch()\ntime.sleep(600)\n"
    for _ in range(2):
        write_own(repository, scenario, slow + "def speak(text):\n    return text\n")
    command = [sys.executable, "-c", HEARS_CTRL_C, "gate", "bench.yaml", "--base", "HEAD~1"]
    process = subprocess.Popen(command, cwd=repository, stderr=subprocess.PIPE, text=True)
    while not began.exists():
        assert process.poll() is None
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)  # as a CI does that is in a hurry, while things are left in order
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not psutil.wait_procs(workers, timeout=30)[1]
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_setting_that_starts_its_process_otherwise_has_processes_of_its_own(repository: Path) -> None:
    """The head is slower in such a process alone."""
    optimizations = 'optimizations: {environment: {after: {variables: "SLOW=1"}}, resample_cache: true}\n'
    for slow in (0.0, 0.2):
        text = SCENARIO.format(base="50ms", noise=0.001, faults="{}")
        text = text.replace("optimizations: {resample_cache: true}\n", optimizations)
        text = text.replace("faults: {}", f'environment: {{"SLOW=1": {slow}}}')
        (repository / "bench.yaml").write_text(text)
        git(repository, "commit", "--quiet", "--all", "--message", f"slow by {slow}")
    done = gate(repository)
    assert done.returncode == 1, done.stdout + done.stderr
    told = {line["setting"]: line["outcome"] for line in json.loads((repository / "gate.json").read_text())["lines"]}
    assert told == {"none": "pass", "all": "regressed"}
