"""A worker in an interpreter that has nothing of this project: driven as the runner drives it, with a target of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil
import pytest
import soundfile

from harness import adapters, runner
from harness.errors import MeasureError, ScenarioError, UsageError, WorkerError
from harness.processes import Alone, Side, WorkerProcess
from harness.results import Run
from harness.scenario import Scenario
from harness.worker import PROTOCOL, serving
from tests.conftest import Quiet, fake_scenario
from tests.worker.interpreters import bare, oldest
from tests.worker.tones_adapter import ADAPTER

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script stands for a bare interpreter")

TOGGLE = "resample_cache"


@pytest.fixture(params=["bare", "oldest"])
def python(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An interpreter without this project, and without torch or numpy."""
    if request.param == "bare":
        return bare(tmp_path)
    found = oldest()
    if found is None:
        pytest.skip("no Python between 3.9 and this one is on PATH (Debian's pypy3 is one)")
    return found


@pytest.fixture
def prompt(tmp_path: Path) -> dict[str, Any]:
    audio = tmp_path / "prompt.wav"
    soundfile.write(audio, np.zeros(16_000, np.float32), 16_000, subtype="PCM_16")
    return {"id": "somebody", "audio": str(audio), "text": "hello", "digest": "d"}


def asked(prompt: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "id": "r", "mode": "zero_shot", "text": "good morning", "speaker": prompt, "seed": 0, "stream": False,
        "source": None, "stratum": "en", "concurrency": 1, **keys,
    }  # fmt: skip


def job(folder: Path, prompt: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        "device": "cpu", "fake": True, "vram_limit_bytes": None, "threads": 1, "pin": False, "core": None,
        "work_dir": str(folder), "target": ADAPTER.portable, "options": options, "speakers": [prompt],
        "arms": [{"name": "none", "states": {TOGGLE: False}}, {"name": "quick", "states": {TOGGLE: True}}],
    }  # fmt: skip


@pytest.fixture
def process(tmp_path: Path, python: str, prompt: dict[str, Any]) -> Iterator[WorkerProcess]:
    log = tmp_path / "worker.log"
    with WorkerProcess(job(tmp_path, prompt), log=log, alone=Alone(python=python)) as started:
        started.ask({"do": "bind", "arms": ["none", "quick"]}, limit_s=60)
        yield started


def test_each_process_that_is_timed_keeps_memory_of_its_own_sizes_and_the_one_whose_memory_is_read_none(
    tmp_path: Path, prompt: dict[str, Any]
) -> None:
    def answers(**told: Any) -> tuple[int, list[str]]:
        commands, events = StringIO(json.dumps({"protocol": PROTOCOL, **job(tmp_path, prompt), **told})), StringIO()
        with patch("harness.worker.serving._scattered", wraps=serving._scattered) as scattered:
            serving.serve(commands, events)
        return scattered.call_count, [json.loads(line)["event"] for line in events.getvalue().splitlines()]

    assert answers(scatters=True) == (1, ["ready", "done"])
    assert answers(scatters=False) == answers() == (0, ["ready", "done"])
    assert len({tuple(map(len, serving._scattered())) for _ in range(20)}) > 1


def block(order: list[str], request: dict[str, Any]) -> dict[str, Any]:
    return {"order": order, "request": request, "rehearsal": request, "settle": True, "dose_s": 0.0}


def test_it_times_both_arms(process: WorkerProcess, prompt: dict[str, Any]) -> None:
    (event,) = process.ask({"do": "blocks", "blocks": [block(["quick", "none"], asked(prompt))]}, limit_s=60)
    timed = {trial["arm"]: trial["values"] for trial in event["trials"]}
    assert timed["quick"]["latency"] == pytest.approx(0.01, rel=0.01)
    assert timed["none"]["latency"] == timed["none"]["stage.tone"] == pytest.approx(0.02, rel=0.01)


def test_requests_at_the_same_moment_have_a_target_each(process: WorkerProcess, prompt: dict[str, Any]) -> None:
    (event,) = process.ask({"do": "blocks", "blocks": [block(["none"], asked(prompt, concurrency=3))]}, limit_s=60)
    assert event["trials"][0]["values"]["alike"] == 1


def test_it_warms_up_times_places_and_reads_memory(process: WorkerProcess, prompt: dict[str, Any]) -> None:
    request = asked(prompt)
    warm = process.ask(
        {"do": "warm_up", "arms": ["none", "quick"], "requests": [request], "others": [request]}, limit_s=60
    )
    assert [event["arm"] for event in warm].count("quick") == 1
    message = {
        "do": "place",
        "toggle": TOGGLE,
        "arms": ["none", "quick"],
        "parameters": {},
        "request": request,
        "seed": "1",
    }
    first, *_ = process.ask(message, limit_s=60)
    placed = {trial["arm"]: trial["values"] for trial in first["trials"]}
    assert placed["none"]["site"] == pytest.approx(2 * placed["quick"]["site"])
    assert (placed["none"]["events"], placed["quick"]["events"]) == (1, 0)
    (memory,) = process.ask(
        {"do": "memory", "arm": "none", "requests": [request], "dose": True, "snapshot": None}, limit_s=60
    )
    assert memory["values"]["rss_peak"] == 64 * 2**20


def test_it_counts_witnesses_and_hands_the_very_samples_over(
    process: WorkerProcess, prompt: dict[str, Any], tmp_path: Path
) -> None:
    request, file = asked(prompt), tmp_path / "audio" / "none.wav"
    message = {
        "do": "examine", "arm": "none", "probes": [{"name": TOGGLE, "toggle": TOGGLE, "parameters": {}}],
        "first": [request, request], "second": [request], "files": [str(file)],
    }  # fmt: skip
    witness, output = process.ask(message, limit_s=60)
    assert (witness["at_bind"], witness["per_request"]) == (0, [1, 1])
    assert output["as_first"]
    assert output["tokens"] == [16_000, 16_000]  # the rate and the length of the prompt, as the target read it
    heard, rate_hz = soundfile.read(file, dtype="float32")
    assert rate_hz == 8000
    expected = np.array([0.3 * np.sin(2 * np.pi * 200 * at / 8000) for at in range(2000)], np.float32)
    assert np.array_equal(heard, expected)


def test_an_arm_is_active_while_it_runs_and_at_no_other_time(
    process: WorkerProcess, prompt: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "activations").unlink(missing_ok=True)
    process.ask({"do": "blocks", "blocks": [block(["quick", "none"], asked(prompt))]}, limit_s=60)
    lines = (tmp_path / "activations").read_text().splitlines()
    assert lines == ["quick on", "quick off"] * 2 + ["plain on", "plain off"] * 2  # each settled, and then timed


def test_a_worker_imports_nothing_but_the_standard_library_and_hides_nothing(
    tmp_path: Path, prompt: dict[str, Any]
) -> None:
    python, log = bare(tmp_path), tmp_path / "worker.log"
    with WorkerProcess(job(tmp_path, prompt), log=log, alone=Alone(python=python)) as process:
        process.ask({"do": "bind", "arms": ["none"]}, limit_s=60)
        process.ask({"do": "blocks", "blocks": [block(["none"], asked(prompt))]}, limit_s=60)
        process.ask({"do": "room"}, limit_s=60)
    seen = json.loads((tmp_path / "seen.json").read_text())
    tops = {name.partition(".")[0] for name in seen["modules"]}
    assert tops - set(sys.stdlib_module_names) == {"_harness_worker", "__main__"}
    assert seen["hidden"] == []


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system stops no process")
def test_a_paused_worker_takes_no_core_and_goes_on(tmp_path: Path, prompt: dict[str, Any]) -> None:
    def reaches(process: psutil.Process, *, stopped: bool) -> bool:
        until_s = time.monotonic() + 20
        while (process.status() == psutil.STATUS_STOPPED) != stopped and time.monotonic() < until_s:
            time.sleep(0.01)
        return (process.status() == psutil.STATUS_STOPPED) == stopped

    with WorkerProcess(job(tmp_path, prompt), log=tmp_path / "worker.log", alone=Alone()) as process:
        seen = psutil.Process(process.pid)
        process.pause()
        assert reaches(seen, stopped=True)
        process.go_on()
        assert reaches(seen, stopped=False)
        assert process.ask({"do": "room"}, limit_s=20)


def test_a_worker_in_this_interpreter_hides_none_of_the_target_s_modules(
    tmp_path: Path, prompt: dict[str, Any]
) -> None:
    with WorkerProcess(job(tmp_path, prompt), log=tmp_path / "worker.log", alone=Alone()) as process:
        process.ask({"do": "bind", "arms": ["none"]}, limit_s=60)
        process.ask({"do": "blocks", "blocks": [block(["none"], asked(prompt))]}, limit_s=60)
    assert json.loads((tmp_path / "seen.json").read_text())["hidden"] == []


def test_a_request_that_hangs_ends_the_worker_with_its_name_and_its_arm_s(
    tmp_path: Path, prompt: dict[str, Any]
) -> None:
    told = job(tmp_path, prompt, hang=True)
    with WorkerProcess(told, log=tmp_path / "worker.log", alone=Alone(python=bare(tmp_path))) as process:
        process.ask({"do": "bind", "arms": ["quick"]}, limit_s=60)
        with pytest.raises(
            WorkerError, match="no answer for 1 s while quick ran the request r-1, past its time limit"
        ) as raised:
            process.ask({"do": "blocks", "blocks": [block(["quick"], asked(prompt, id="r-1"))]}, limit_s=1)
    assert (raised.value.kind, raised.value.arm) == ("hang", "quick")
    assert "tones.py" in (tmp_path / "worker.log").read_text()  # the stack of the thread that hangs


def test_an_interpreter_that_is_not_there_is_a_usage_error(tmp_path: Path, prompt: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="nowhere/python cannot be started: No such file"):
        WorkerProcess(job(tmp_path, prompt), log=tmp_path / "log", alone=Alone(python="/nowhere/python"))


def test_a_target_that_is_not_there_is_a_usage_error(tmp_path: Path, prompt: dict[str, Any]) -> None:
    told = {**job(tmp_path, prompt), "target": f"{tmp_path / 'absent.py'}:load"}
    with pytest.raises(WorkerError, match=r"absent.py cannot be loaded") as raised:
        WorkerProcess(told, log=tmp_path / "log", alone=Alone(python=bare(tmp_path)))
    assert raised.value.kind == "usage"


def test_a_worker_of_another_protocol_is_refused(tmp_path: Path, prompt: dict[str, Any]) -> None:
    revision = tmp_path / "revision"
    (revision / "harness").mkdir(parents=True)
    (revision / "harness" / "__init__.py").touch()
    (revision / "harness" / "worker.py").write_text('print(\'{"event": "failed", "kind": "error", "message": ""}\')\n')
    side = Side(python=sys.executable, paths=(str(revision),), scenario={})
    with pytest.raises(MeasureError, match=f"speaks protocol 2 or older, this harness speaks {PROTOCOL}"):
        WorkerProcess(job(tmp_path, prompt), log=tmp_path / "log", side=side)


def test_a_runner_of_another_protocol_is_refused(tmp_path: Path, prompt: dict[str, Any]) -> None:
    with pytest.raises(WorkerError, match=f"speaks protocol {PROTOCOL}, and the runner 2"):
        WorkerProcess({**job(tmp_path, prompt), "protocol": 2}, log=tmp_path / "log")


@pytest.fixture
def _tones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter `fake` of a scenario is one that stands alone."""
    monkeypatch.setitem(adapters.ADAPTERS, "fake", "tests.worker.tones_adapter")


def in_interpreter(monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    """Have every scenario name this interpreter, as the adapters whose schema has the key do."""
    own = Scenario.options
    monkeypatch.setattr(Scenario, "options", lambda scenario: {**own(scenario), "python": python})


@pytest.mark.usefixtures("_tones")
def test_a_whole_run_is_measured_in_an_interpreter_of_its_own(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    in_interpreter(monkeypatch, python)
    measure = {"metrics": ["latency", "init", "site", "rss_peak"], "budget": "10s", "memory_repeats": 1}
    run = measure_fake(optimizations={TOGGLE: True}, measure=measure)
    found = {contrast.metric: contrast for contrast in run.contrasts}
    assert found["latency"].verdict == "faster"
    assert found["latency"].ratio == pytest.approx(0.5, rel=0.01)
    assert (found["latency"].witness_before, found["latency"].witness_after) == (1, 0)
    assert found["latency"].equivalence == "bitwise"
    (place,) = [trial.values for trial in run.trials if (trial.kind, trial.arm) == ("place", TOGGLE)][:1]
    assert place["site"] == pytest.approx(1e-6)
    assert not run.failures


@pytest.mark.usefixtures("_tones")
def test_an_arm_that_hangs_fails_and_the_run_goes_on(
    tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, python = Scenario.options, bare(tmp_path)
    monkeypatch.setattr(Scenario, "options", lambda scenario: {**own(scenario), "python": python, "hang": True})
    scenario = fake_scenario(
        optimizations={TOGGLE: True}, measure={"metrics": ["latency"], "budget": "1s", "time_limit": "1s", "workers": 1}
    )
    with pytest.raises(MeasureError, match=f"while {TOGGLE} ran the request en-zero_shot-"):
        runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)
    assert any(note.startswith(f"cpu: {TOGGLE} has failed: no answer for ") for note in quiet.notes)


@pytest.mark.usefixtures("_tones")
@pytest.mark.parametrize(
    ("script", "needs", "said"),
    [
        (None, (), "cannot be started: No such file or directory"),
        ("exit 3", (), "does not answer as a Python interpreter does: it ended with 3"),
        ("""echo '{"version": [3, 8, 18], "lacking": []}'""", (), "is Python 3.8.18; a worker needs 3.9 or newer"),
        ('exec "{python}" -I -S "$@"', ("torch",), "has no torch; name the interpreter of the environment"),
    ],
    ids=["absent", "no-python", "too-old", "without-torch"],
)
def test_an_interpreter_that_cannot_run_a_worker_is_refused_before_anything_starts(
    tmp_path: Path, quiet: Quiet, monkeypatch: pytest.MonkeyPatch, script: str | None, needs: tuple[str, ...], said: str
) -> None:
    python = tmp_path / "some-python"
    if script is not None:
        python.write_text("#!/bin/sh\n" + script.replace("{python}", sys.executable) + "\n")
        python.chmod(0o755)
    in_interpreter(monkeypatch, str(python))
    monkeypatch.setattr(ADAPTER, "needs", needs)
    with pytest.raises(ScenarioError, match=said) as raised:
        runner.run(fake_scenario(), tmp_path / "run", devices=["cpu"], progress=quiet)
    assert raised.value.key == "model.python"
    assert not (tmp_path / "run").exists()
