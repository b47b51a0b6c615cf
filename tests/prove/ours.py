"""The harness itself: a toggle in one process (`harness run`), two functions (`paired_benchmark`), two revisions (`harness gate`)."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from harness import store
from harness.adapters.planted import UNITS
from harness.paired_result import PairedResult
from harness.results import Run
from harness.units import TIME, interval, seconds
from tests.prove import revisions
from tests.prove.call import PAIRED_RESULT, SCENARIO_VARIABLE
from tests.prove.decisions import Found, Outcome, Tool, Verdict
from tests.prove.processes import CASES, ToolFailedError, run

METHOD = "latency, margin 1 %"
SCENARIO, TOGGLE = "planted", "planted_work"
VERDICTS: Mapping[str, Verdict] = {
    "slower": "FAIL", "faster": "PASS", "no material difference": "PASS", "inconclusive": "undecided",
}  # fmt: skip
"""What a verdict of the harness says; any other is none about time."""

UNIT, UNIT_S = "0.01ms", 1e-5
DEVICE = "cuda"
_CARD_FILE = "planted-request.yaml"
_ON_CARD = """
name: planted-request
model: {{adapter: planted, units: 1, unit: {unit}, over: {{adapter: cosyvoice2, size: nano, weights: random, steps: 2}}}}
devices: [{device}]
workload: {{texts: {{en: "Yes."}}, prompts: [builtin:aishell-0121]}}
optimizations: {{planted_work: {{after: {{units: {units}}}}}}}
measure: {{metrics: [latency], margin: 1%, budget: {budget_s}s, workers: 5}}
"""
"""A request of the shipped model after a spin kernel of so many units. It is short: the flow takes two
steps, and the speaker is registered. On hosts whose speed changes from one tenth of a second to the next, neighbours in time
are the more alike."""
_SIDE_BY_SIDE = "PYTEST_XDIST_WORKER_COUNT"
"""A decision that is made by a test of this project is alone, however many of those there are."""
PAIRED_WORKERS = 6
"""Worker processes of `paired_benchmark` on a card, each with a model of its own."""

GATE_METHOD = "limit of latency 1 %"
OUTCOMES: Mapping[str, Verdict] = {
    "regressed": "FAIL", "improved": "PASS", "pass": "PASS", "inconclusive": "undecided",
}  # fmt: skip
"""What an outcome of a gate says; any other is none about time."""
_GATE_CODES = (0, 1, 3)
_GATED = """
name: gated
model: {{adapter: planted, units: {units}}}
devices: [cpu]
workload: {{texts: {{en: "No text is spoken."}}, prompts: [builtin:aishell-0121]}}
optimizations: {{planted_work: {{after: {{units: {units}}}}}}}
measure: {{metrics: [latency], margin: 1%, threads: 1}}
gate: {{latency: 1%}}
"""
"""The scenario of one revision: its model does so many units, and `none` alone is gated."""


def decide_toggle(units: int, folder: Path) -> Outcome:
    """The verdict of `harness run` on a toggle that does so many units, where the arm without it does `UNITS`."""
    states = f"optimizations.{TOGGLE}={{after: {{units: {units}}}}}"
    run(("-m", "harness", "run", SCENARIO, "--out", "runs", "--set", states), folder)
    (written,) = (folder / "runs").glob(f"*/{store.RUN_FILE}")
    return outcome(store.load(written.parent))


def outcome(measured: Run) -> Outcome:
    """What a finished run says of the toggle. Raises ToolFailedError where it says nothing about its time."""
    (found,) = (c for c in measured.contrasts if (c.optimization, c.metric, c.stratum) == (TOGGLE, "latency", ""))
    if found.verdict not in VERDICTS or found.ratio is None:
        message = f"harness run: {found.verdict}: {found.reason}"
        raise ToolFailedError(message)
    low, high = (end and 100 * (end - 1) for end in (found.ratio_low, found.ratio_high))
    interval = "no interval" if low is None or high is None else f"{low:+.2f} to {high:+.2f} %"
    failed = (c.reason for c in measured.controls if c.metric == "latency" and not c.passed)
    return Outcome(
        found=(
            Found(
                method=METHOD,
                verdict=VERDICTS[found.verdict],
                log_ratio=math.log(found.ratio),
                note="; ".join(filter(None, (interval, found.reason, *failed))),
            ),
        ),
        measured_s=sum(measured.timing["measured_s"].values()),
    )


def decide_on_card(budget_s: int, units: int, folder: Path) -> Outcome:
    """The verdict of `harness run` on a request of the shipped model after a spin kernel."""
    _write_on_card(folder, _planted(units), budget_s)
    run(("-m", "harness", "run", _CARD_FILE, "--out", "runs"), folder)
    (written,) = (folder / "runs").glob(f"*/{store.RUN_FILE}")
    return outcome(store.load(written.parent))


def decide_paired_on_card(budget_s: int, units: int, folder: Path) -> Outcome:
    """The verdict of `paired_benchmark` on the same request."""
    return paired_outcome(_paired_on_card(_planted(units), budget_s, folder))


def paired_outcome(found: PairedResult) -> Outcome:
    """What a pair of functions says. Raises ToolFailedError where it says nothing about time."""
    if found.verdict not in VERDICTS or found.ratio is None:
        message = f"paired_benchmark: {found.verdict}: {found.reason}"
        raise ToolFailedError(message)
    told = (interval(found.ratio_low, found.ratio_high, TIME), f"{seconds(found.before_s)} before", found.reason)
    return Outcome(
        found=(
            Found(
                method=METHOD, verdict=VERDICTS[found.verdict], log_ratio=math.log(found.ratio),
                note="; ".join(filter(None, told)),
            ),
        ),
        measured_s=found.spent_s,
    )  # fmt: skip


@cache
def request_s() -> float:
    """How long the request takes on this machine's card after the shortest spin kernel; its median, measured once."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        found = _paired_on_card(1, 5, Path(folder).resolve())
    if found.before_s is None:
        message = f"paired_benchmark: {found.verdict}: {found.reason}"
        raise ToolFailedError(message)
    return found.before_s


def _planted(units_of_call: int) -> int:
    """Units of the spin kernel that make the request longer by the share that `units_of_call` is more than `UNITS`."""
    share = units_of_call / UNITS - 1
    return 1 + (max(1, round(share * request_s() / UNIT_S)) if share else 0)


def _write_on_card(folder: Path, spin_units: int, budget_s: int) -> Path:
    path = folder / _CARD_FILE
    path.write_text(_ON_CARD.format(device=DEVICE, unit=UNIT, units=spin_units, budget_s=budget_s), encoding="utf-8")
    return path


def _paired_on_card(spin_units: int, budget_s: int, folder: Path) -> PairedResult:
    told = {
        SCENARIO_VARIABLE: str(_write_on_card(folder, spin_units, budget_s)),
        "OMP_NUM_THREADS": "1",
        _SIDE_BY_SIDE: "1",
    }
    (folder / "pytest.ini").write_text(f"[pytest]\npaired_workers = {PAIRED_WORKERS}\n", encoding="utf-8")
    apart = ("-c", "pytest.ini", "--rootdir", str(folder), "--noconftest", "-p", "no:cacheprovider")
    case = str(CASES / "paired_on_card.py")
    run(("-m", "pytest", case, *apart, f"--paired-budget={budget_s}s"), folder, environment=told)
    return PairedResult(**json.loads((folder / PAIRED_RESULT).read_text(encoding="utf-8")))


def card_tool(budget_s: int) -> Tool:
    """A toggle on a request of the shipped model, on a GPU."""
    return Tool(
        name="harness-run-card",
        title=f"this harness, request on a GPU, {budget_s} s",
        how=f"`harness run` on a request of the shipped model (nano) on a GPU for {budget_s} s, after a spin kernel whose length "
        "is the slow-down's share of the median request measured before; FAIL where the verdict is `slower`, undecided "
        "where it is `inconclusive`",
        methods=(METHOD,),
        cpu_s=90.0,
        package="",
        decide=partial(decide_on_card, budget_s),
    )


def paired_card_tool(budget_s: int) -> Tool:
    """Two functions in a test, which both have a request of the shipped model on a GPU."""
    return Tool(
        name="harness-paired-card",
        title=f"this harness, two functions on a GPU, {budget_s} s",
        how=f"`paired_benchmark` in a test, {PAIRED_WORKERS} workers, `pytest --paired-budget={budget_s}s`; both functions have a request of "
        "the shipped model (nano) on a GPU after a spin kernel, whose length is the slow-down's share of the median request "
        "measured before; outputs are compared; FAIL where the verdict is `slower`, undecided where it is `inconclusive`",
        methods=(METHOD,),
        cpu_s=1.2 * budget_s + 20,
        package="",
        decide=partial(decide_paired_on_card, budget_s),
    )


def toggle_tool() -> Tool:
    """Toggles in one process, as the scenario `planted` has it."""
    return Tool(
        name="harness-run",
        title="this harness, toggle in one process",
        how="`harness run planted --set optimizations.planted_work='{after: {units: N}}'` (budget and workers as the "
        "scenario says); FAIL where the verdict is `slower`, undecided where it is `inconclusive`",
        methods=(METHOD,),
        cpu_s=45.0,
        package="",
        decide=decide_toggle,
    )


def decide_gate(budget_s: int, units: int, folder: Path) -> Outcome:
    """The outcome of `harness gate` on a revision that does so many units, against one before it that does `UNITS`."""
    repository = folder / "repository"
    revisions.commit(repository, *({"gated.yaml": _GATED.format(units=side)} for side in (UNITS, units)))
    asked = ("--base", "HEAD~1", "--budget", f"{budget_s}s", "--out", str(folder), "--json", str(folder / "gate.json"))
    run(("-m", "harness", "gate", "gated.yaml", *asked), repository, accepted=_GATE_CODES)
    (written,) = folder.glob(f"*/{store.RUN_FILE}")
    measured_s = store.load(written.parent).timing["measured_s"]["cpu"]
    return gate_outcome(json.loads((folder / "gate.json").read_text(encoding="utf-8")), measured_s)


def gate_outcome(decision: Mapping[str, Any], measured_s: float) -> Outcome:
    """What a gate's JSON says of its only limit. Raises ToolFailedError where it says nothing about time."""
    (line,) = decision["lines"]
    if line["outcome"] not in OUTCOMES or line["ratio"] is None:
        message = f"harness gate: {line['outcome']}: {line['reason']}"
        raise ToolFailedError(message)
    ends = (line["ratio_low"], line["ratio_high"])
    interval = "no interval" if None in ends else f"{100 * (ends[0] - 1):+.2f} to {100 * (ends[1] - 1):+.2f} %"
    found = Found(
        method=GATE_METHOD,
        verdict=OUTCOMES[line["outcome"]],
        log_ratio=math.log(line["ratio"]),
        note="; ".join(filter(None, (interval, line["reason"]))),
    )
    return Outcome(found=(found,), measured_s=measured_s)


def gate_tool(budget_s: int) -> Tool:
    """Two revisions of a repository, measured for so many seconds at most."""
    return Tool(
        name="harness-gate",
        title=f"this harness, gate between two revisions, {budget_s} s",
        how=f"two commits whose scenarios differ in `model.units`, then `harness gate gated.yaml --base HEAD~1 --budget "
        f"{budget_s}s` with `gate: {{latency: 1%}}`; FAIL where the outcome is `regressed`, undecided where it is "
        "`inconclusive`",
        methods=(GATE_METHOD,),
        cpu_s=170.0,
        package="",
        decide=partial(decide_gate, budget_s),
    )
