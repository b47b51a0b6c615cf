"""From two callables to a result: settings as people write them, forked workers, outputs compared, turns taken."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness import paired
from harness.batches import Batches, Check, Outputs, Turn, compared
from harness.errors import UsageError
from harness.forked import ForkedWorker
from harness.paired_result import Inconclusive, PairedResult
from harness.scenario.quantities import Margin, Seconds
from harness.statistics import OWN_FROM

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a pair is measured; quantities are written as in a scenario. Raises UsageError by `read` where one cannot be."""

    margin: float
    budget_s: float
    time_limit_s: float
    workers: int
    on_inconclusive: Inconclusive


def read(*, margin: Any, budget: Any, time_limit: Any, workers: Any, on_inconclusive: Any) -> Settings:
    """Settings of what a test, an option or an ini file says: "1%", "5s", "60s", 10, "skip". Raises UsageError."""
    return Settings(
        margin=_read(Margin, "margin", margin),
        budget_s=_read(Seconds, "budget", budget),
        time_limit_s=_read(Seconds, "time_limit", time_limit),
        workers=_workers(workers),
        on_inconclusive=_read(Inconclusive, "paired_inconclusive", on_inconclusive),
    )


def _read(kind: Any, name: str, value: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        message = f"paired benchmark: {name}: {error.errors()[0]['msg']}"
        raise UsageError(message) from None


def _workers(value: Any) -> int:
    count: int = _read(int, "workers", value)
    if count < OWN_FROM:
        message = f"paired benchmark: workers: found {count}; an interval across workers needs at least {OWN_FROM}"
        raise UsageError(message)
    return count


def measured(before: Call, after: Call, check: Check, settings: Settings, name: str) -> PairedResult:
    """Compare what both return in one worker, then measure them in several.

    Raises WorkerError where a call raises, ends its process or hangs, and UsageError where the system cannot fork.
    """
    _refuse(before, after)
    dice = random.SystemRandom()
    with ExitStack() as stack:
        workers = [
            _Worker(
                stack.enter_context(
                    ForkedWorker(partial(Batches, before, after, check=check, place=dice.getrandbits(32)))
                ),
                settings,
            )
            for _ in range(settings.workers)
        ]
        outputs = workers[0].compare()
        if outputs.same is False:
            return _changed(outputs, settings, name)
        found = paired.measure(workers, margin=settings.margin, budget_s=settings.budget_s, seed=dice.getrandbits(32))
    figures = {key: value for key, value in asdict(found).items() if key != "controls"}
    return PairedResult(
        name=name, measured=True, calibrated=found.calibrated, same_output=outputs.same,
        on_inconclusive=settings.on_inconclusive, **figures,
    )  # fmt: skip


def called_once(
    before: Call, after: Call, check: Check, settings: Settings, name: str, *, why: str, passes: bool
) -> PairedResult:
    """Compare what both return, in this process, and measure nothing; `why` says the reason.

    With `passes`, assertions on the result then pass.
    """
    _refuse(before, after)
    outputs = compared(before(), after(), check)
    if outputs.same is False:
        return _changed(outputs, settings, name)
    return PairedResult(
        name=name, verdict="inconclusive", reason=f"not measured: {why}", margin=settings.margin, same_output=outputs.same,
        on_inconclusive="pass" if passes else settings.on_inconclusive,
    )  # fmt: skip


class _Worker:
    """A forked `Batches`, as a sampler."""

    def __init__(self, process: ForkedWorker, settings: Settings) -> None:
        self._process = process
        self._limit_s = settings.time_limit_s
        self._call("begin")

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._process.call(method, *arguments, limit_s=self._limit_s)

    def compare(self) -> Outputs:
        outputs: Outputs = self._call("compare")
        return outputs

    def warm_up(self) -> tuple[float, float]:
        pace: tuple[float, float] = self._call("warm_up")
        return pace

    def turn(self, orders: Sequence[Sequence[str]], calls: int, dose_s: float) -> Turn:
        turn: Turn = self._call("turn", orders, calls, dose_s)
        return turn


def _refuse(*functions: object) -> None:
    for function in functions:
        if not callable(function):
            message = f"paired benchmark: found {function!r}; both are functions that take no argument"
            raise UsageError(message)
        if inspect.iscoroutinefunction(function):
            message = (
                f"paired benchmark: {function!r} is asynchronous, and calling it does no work: wrap it in asyncio.run"
            )
            raise UsageError(message)


def _changed(outputs: Outputs, settings: Settings, name: str) -> PairedResult:
    return PairedResult(
        name=name, verdict="output changed", reason=f"before returned {outputs.before}, after {outputs.after}",
        margin=settings.margin, same_output=False, on_inconclusive=settings.on_inconclusive,
    )  # fmt: skip
