"""What a scenario's plug-ins say of their toggles, asked in a child process: their code never runs where results are held.

    with declared(scenario):             # `registry()` knows the words of the plug-ins' toggles in here
        runner.plan_of(scenario, ...)

The child (`python -m harness.declaring`) imports what the scenario names, checks the scenario in full, asks an adapter of a
package what it thinks of its options, and answers with one line of JSON: cards (`optimizations.declared`), or what is wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from harness import adapters, plugins
from harness.errors import HarnessError, MeasureError, ScenarioError, UsageError
from harness.optimizations import named
from harness.optimizations.declared import Declared, card_of
from harness.optimizations.registry import declaring, own
from harness.processes import Side, worker_environment
from harness.scenario import Scenario

LIMIT_S = 600.0
"""Importing a plug-in, and what it imports, may take this long."""
_LAST_LINES = 2_000
_ASKED: list[tuple[Mapping[str, Any], Side | None]] = []
"""What the blocks that are open now have asked, and of whom."""


@contextmanager
def declared(scenario: Scenario, side: Side | None = None) -> Iterator[None]:
    """Know the toggles of a scenario's plug-ins by their words for the enclosed block. `side` says whose code is asked.

    Nothing is started for a scenario without plug-ins, nor within the block of another call for the same. Raises ScenarioError for what is wrong with the scenario or a plug-in,
    and MeasureError where the child ends without an answer.
    """
    data = side.scenario if side is not None else scenario.as_data()
    asked = data, side
    if not _has_plugins(scenario) or asked in _ASKED:
        yield
        return
    answer = _asked(data, side)
    if problem := answer.get("problem"):
        raise scenario.error(problem["message"], tuple(problem["key"]))
    with declaring(map(Declared.of, answer["cards"])):
        _ASKED.append(asked)
        try:
            yield
        finally:
            _ASKED.remove(asked)


def _has_plugins(scenario: Scenario) -> bool:
    toggles = any(name not in own() for name in scenario.optimizations)
    return toggles or bool(scenario.plugins) or scenario.model.adapter not in adapters.ADAPTERS


def _asked(data: Mapping[str, Any], side: Side | None) -> dict[str, Any]:
    """The answer of a child process that runs the plug-ins of a scenario."""
    paths = () if side is None else side.paths
    try:
        done = subprocess.run(
            [sys.executable if side is None else side.python, "-m", "harness.declaring"],
            input=json.dumps(data), capture_output=True, text=True, timeout=LIMIT_S, check=False, encoding="utf-8", errors="replace",
            env=worker_environment(1, paths), cwd=paths[0] if paths else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        message = f"the plug-ins of this scenario did not end being imported within {LIMIT_S:g} s"
        raise MeasureError(message) from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        message = (
            f"the process that imports the plug-ins ended with code {done.returncode}: {done.stderr[-_LAST_LINES:]}"
        )
        raise MeasureError(message) from None
    return answer


def answer_to(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be said of a scenario's plug-ins; their code runs here."""
    try:
        plugins.install_for(data)
        scenario = Scenario.from_data(data)
        if scenario.model.adapter not in adapters.ADAPTERS:
            adapters.adapter(scenario.model.adapter).check(scenario.options())
        toggles = [name for name in scenario.optimizations if name not in own()]
        return {"cards": [_card(scenario, name) for name in toggles]}
    except plugins.PluginError as error:
        return _problem(str(error), ("plugins",) if error.number is None else ("plugins", error.number))
    except ScenarioError as error:
        key = [int(part) if part.isdigit() else part for part in error.key.split(".")]
        return _problem(error.message, key)
    except (UsageError, HarnessError) as error:
        return _problem(str(error), ("model",))


def _problem(message: str, key: Sequence[str | int]) -> dict[str, Any]:
    return {"problem": {"message": message, "key": key}}


def _card(scenario: Scenario, name: str) -> dict[str, Any]:
    toggle = scenario.optimizations[name]
    states = [{} if isinstance(state, bool) else state for state in (toggle.before, *toggle.afters)]
    try:
        return card_of(named(name), states)
    except UsageError as error:
        raise scenario.error(str(error), ("optimizations", name)) from error


def main() -> None:
    """Keep stdout for the answer; whatever the plug-ins print goes to stderr."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        out.write(json.dumps(answer_to(json.load(sys.stdin))))


if __name__ == "__main__":
    main()
