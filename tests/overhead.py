"""What the harness itself costs: `python -m tests.overhead SCENARIO` times a request through it and as a plain call.

For scenarios of the adapters `checkout` and `callable`, whose code is not ours, so that there is a plain call. In each of
several fresh processes, in the interpreter of the scenario, rounds of both in random order: the call as a script makes it, and the same request as a worker runs
it, with the adapter's patches and with spans that are recorded; and once more to whose spans nobody listens. Both sides have
the same weights, process, threads and garbage collector (off), so that what is left is the harness.

Exit code 0: the reported latency is above the plain call's by less than `LIMIT`, at 95 %; 1: by more; 2: the command line or the
scenario cannot be used; 3: cannot be told; 4: could not be measured.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from harness import adapters, plugins, units, workload
from harness.errors import HarnessError, MeasureError, UsageError
from harness.processes import OWN_WORKER, worker_environment
from harness.scenario import Scenario
from harness.scenario.loading import load
from harness.session import alone_of
from harness.statistics import Effect, joint_effects
from harness.wire import Wire
from tests.overhead_child import HEARD, UNHEARD

LIMIT = 0.005
"""The most, as a share of the plain call, that the harness may add to what it reports."""
CHILD = Path(__file__).with_name("overhead_child.py")
ROWS: Mapping[str, tuple[str, str]] = {
    HEARD: ("plain", "as the harness reports it"),
    UNHEARD: ("plain", "  without listening to stages"),
    f"{HEARD}.whole": ("plain", "with all that is not timed"),
    f"{HEARD}.cpu": ("plain.cpu", "CPU time of it"),
}
"""What is compared -> with what, and its name."""
Round = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rounds of each process, in seconds by side; `spans` of a request, and whether both sides made equally much sound."""

    processes: tuple[tuple[Round, ...], ...]
    spans: Mapping[str, int]
    same_work: bool

    def effect(self, side: str) -> Effect:
        """The log-ratio of `side` to the plain call, or of its CPU time to the plain call's."""
        return self._effects()[side]

    def _effects(self) -> Mapping[str, Effect]:
        table = {
            side: {
                worker: {"": [math.log(row[side] / row[plain]) for row in rounds]}
                for worker, rounds in enumerate(self.processes)
            }
            for side, (plain, _) in ROWS.items()
        }
        return joint_effects(table, {"": 1.0})

    def typical_s(self, of: Callable[[Round], float]) -> float:
        """The median over all rounds."""
        return median(of(row) for rounds in self.processes for row in rounds)


def measure(scenario: Scenario, *, device: str, processes: int, rounds: int, index: int) -> Found:
    """Measure request `index` of the scenario's workload."""
    with tempfile.TemporaryDirectory() as folder:
        told = _told(scenario, device, rounds, index, Path(folder))
        alone = alone_of(scenario)
        python = sys.executable if alone is None or alone.python is None else alone.python
        environment = worker_environment(scenario.measure.threads, foreign=python != sys.executable)
        answers = [_answer(python, {**told, "seed": seed}, environment) for seed in range(processes)]
    sounds = [length for answer in answers for length in answer["audio_s"].values()]
    return Found(
        processes=tuple(tuple(answer["rounds"]) for answer in answers),
        spans=answers[0]["spans"],
        same_work=max(sounds) - min(sounds) < 1e-6,
    )


def _answer(python: str, told: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What a process found. Raises UsageError where it cannot be started, and MeasureError where it fails."""
    try:
        done = subprocess.run(
            [python, str(CHILD)], input=json.dumps(told), capture_output=True, env=environment, text=True, encoding="utf-8",
            check=False,
        )  # fmt: skip
    except OSError as error:
        message = f"the interpreter {python} cannot be started: {error.strerror or error}"
        raise UsageError(message) from None
    if done.returncode:
        message = f"process {told['seed'] + 1} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        raise MeasureError(message)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _told(scenario: Scenario, device: str, rounds: int, index: int, folder: Path) -> dict[str, Any]:
    """What a process is told: a worker's job, and one request."""
    name = scenario.model.adapter
    alone = alone_of(scenario)
    wire = Wire(scenario, None if alone is None else folder / "prompts")
    job = {
        "fake": False, "pin": False, "core": None, "vram_limit_bytes": None, "target": adapters.target(name),
        "prepared": plugins.preparation(scenario.as_data()), "options": scenario.options(), "device": device,
        "arms": [{"name": arm, "states": {}} for arm in (HEARD, UNHEARD)], "speakers": wire.speakers(),
        "threads": scenario.measure.threads, "work_dir": str(folder),
    }  # fmt: skip
    request = {**wire.request(index), "concurrency": 1}
    return {
        "adapter": name, "job": job, "request": request, "rounds": rounds, "worker": "" if alone is None else str(OWN_WORKER),
        "whole": alone is not None and alone.whole,
    }  # fmt: skip


def outcome(effect: Effect) -> int:
    """The exit code: 0 where the whole interval lies under `LIMIT`, 1 where it lies above, else 3."""
    if effect.low is None or effect.high is None:
        return 3
    limit = math.log1p(LIMIT)
    return 0 if effect.high < limit else 1 if effect.low > limit else 3


def told(found: Found) -> list[str]:
    """The result in lines of text."""
    plain_s = found.typical_s(itemgetter("plain"))
    cpu_s = found.typical_s(itemgetter("plain.cpu"))
    lines = [f"{'the plain call':<30} {units.seconds(plain_s):>10}  (CPU time {units.seconds(cpu_s)})"]
    for side, (_, name) in ROWS.items():
        effect = found.effect(side)
        typical = units.seconds(found.typical_s(itemgetter(side)))
        line = f"{name:<30} {typical:>10}  {_share(effect.location)}"
        if effect.low is not None and effect.high is not None:
            line += f"  ({_share(effect.low)} to {_share(effect.high)} at 95 %)"
        lines.append(line)
    parts: Mapping[str, Callable[[Round], float]] = {
        "the adapter's own calls and patches": lambda row: row[UNHEARD] - row["plain"],
        f"{sum(found.spans.values()) + 1} spans, recorded": lambda row: row[HEARD] - row[UNHEARD],
        "before and after the clock": lambda row: row[f"{HEARD}.whole"] - row[HEARD],
    }
    lines += ["", "Where it goes, as medians over the rounds:"]
    lines += [f"  {name:<36} {units.signed_seconds(found.typical_s(of))}" for name, of in parts.items()]
    if not found.same_work:
        lines += ["", "Both sides did not make equally much sound, so that this compares unequal work."]
    return lines


def _share(log_ratio: float) -> str:
    return units.signed_percent(math.expm1(log_ratio), 2)


def _at_least(least: int) -> Callable[[str], int]:
    def whole_number(given: str) -> int:
        if (number := int(given)) < least:
            message = f"{number} is less than {least}"
            raise argparse.ArgumentTypeError(message)
        return number

    return whole_number


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code how it ended: no error ends as "above"."""
    try:
        return _judged(arguments)
    except HarnessError as error:
        sys.stderr.write(f"overhead: {error}\n")
        return error.exit_code
    except Exception:  # noqa: BLE001  whatever else happens is "could not be measured"
        traceback.print_exc()
        return HarnessError.exit_code


def _judged(arguments: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.overhead", description=__doc__.partition("\n")[0])
    parser.add_argument("scenario", help="a YAML file, or the name of a scenario that ships")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of `harness run`")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=_at_least(1), default=10)
    parser.add_argument("--rounds", type=_at_least(1), default=20)
    parser.add_argument("--request", type=_at_least(0), default=0, help="which of the workload's requests (0)")
    given = parser.parse_args(arguments)
    scenario = load(given.scenario, given.set)
    if scenario.model.adapter not in ("checkout", "callable"):
        parser.error(f"adapter {scenario.model.adapter} has no plain call; use a scenario of checkout or callable")
    found = measure(scenario, device=given.device, processes=given.processes, rounds=given.rounds, index=given.request)
    text = workload.request(scenario, given.request).id
    sys.stdout.write(f"{scenario.name}, request {text}: {given.processes} processes, {given.rounds} rounds each\n\n")
    sys.stdout.write("\n".join(told(found)) + "\n")
    code = outcome(found.effect(HEARD)) if found.same_work else 3
    words = {0: "under", 1: "above", 3: "not shown to be under or above"}
    sys.stdout.write(f"\nWhat the harness adds to what it reports is {words[code]} {units.percent(LIMIT)}.\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
