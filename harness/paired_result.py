"""What a test gets of a pair of callables: the verdict and its figures, one readable line, and assertions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest

from harness import units
from harness.results import Verdict

Inconclusive = Literal["skip", "fail"]
"""What becomes of a test that asserts what cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PairedResult:
    """The verdict on `after` against `before`. Ratios are after / before; times are seconds of one call, medians.

    `verdict` is "faster", "slower", "no material difference", "inconclusive" (`reason` says why) or "output changed". Where
    nothing was measured (`measured` is False) figures are None. `calibrated`: whether the run found its own controls as they
    are. `same_output` is None where outputs were not compared. The interval is `level` sure, looks allowed for.
    """

    name: str
    verdict: Verdict
    reason: str
    margin: float
    measured: bool = False
    calibrated: bool = False
    same_output: bool | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    level: float = 0.95
    before_s: float | None = None
    after_s: float | None = None
    workers: int = 0
    blocks: int = 0
    calls: int = 0
    budget_s: float = 0.0
    spent_s: float = 0.0
    on_inconclusive: Inconclusive | Literal["pass"] = "skip"

    def __str__(self) -> str:
        told = f"{self.verdict} ({self.reason})" if self.reason else self.verdict
        return f"{self.name}: {told}; {self.figures()}" if self.measured else f"{self.name}: {told}"

    __repr__ = __str__

    def figures(self) -> str:
        """Ratio, interval, margin and what they rest on, in words."""
        interval = units.interval(self.ratio_low, self.ratio_high, units.TIME)
        estimate = units.estimate(self.ratio, self.ratio_low, self.ratio_high, units.TIME)
        return (
            f"{estimate}, {units.percent(self.level, 0)} interval {interval}, "
            f"margin {100 * self.margin:g}{units.SPACE}%; {units.seconds(self.before_s)} before, "
            f"{units.seconds(self.after_s)} after, {self.workers} workers, {self.blocks} blocks in {units.seconds(self.spent_s, 2)}"
        )

    def assert_not_slower(self) -> None:
        """Pass where `after` is not slower by more than the margin; fail where it is, or where the output changed.

        Where that cannot be told (inconclusive, not calibrated) the test is skipped with the reason, or with
        `paired_inconclusive = fail` failed for being so. Passes with `--paired-disable`.
        """
        __tracebackhide__ = True
        bound = self.ratio_high if self.calibrated else None
        holds = bound is not None and bound <= 1 + self.margin
        refuted = "slower by more than the margin" if self.verdict == "slower" else ""
        self._judge("not slower", holds=holds, refuted=refuted)

    def assert_faster(self) -> None:
        """Pass where `after` is faster by more than the margin; fail where that is excluded, or where the output changed.

        Else as `assert_not_slower`.
        """
        __tracebackhide__ = True
        least = self.ratio_low if self.calibrated else None
        excluded = least is not None and least >= 1 - self.margin
        refuted = "not faster by more than the margin" if excluded else ""
        self._judge("faster", holds=self.verdict == "faster", refuted=refuted)

    def _judge(self, claim: str, *, holds: bool, refuted: str) -> None:
        __tracebackhide__ = True
        if self.verdict == "output changed":
            pytest.fail(f"paired benchmark: {self}", pytrace=False)
        if holds or self.on_inconclusive == "pass":
            return
        if refuted:
            pytest.fail(f"paired benchmark: {refuted}: {self}", pytrace=False)
        message = f"paired benchmark: cannot tell whether {claim}: {self}"
        if self.on_inconclusive == "fail":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)

    def as_data(self) -> Mapping[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def table(results: Sequence[PairedResult]) -> list[str]:
    """One line each under a head, columns aligned; why there is no verdict stands below its line."""
    head = ("verdict", "after", "interval", "margin", "before", "workers", "blocks", "measured for", "test")
    rows: list[tuple[str, ...]] = [head, *map(_row, results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    told = [f"    {result.reason}" if result.reason else "" for result in results]
    return [lines[0], *(line for pair in zip(lines[1:], told, strict=True) for line in pair if line)]


def _row(result: PairedResult) -> tuple[str, ...]:
    margin = f"{100 * result.margin:g}{units.SPACE}%"
    if not result.measured:
        return result.verdict, *[units.DASH] * 2, margin, *[units.DASH] * 4, result.name
    return (
        result.verdict, units.estimate(result.ratio, result.ratio_low, result.ratio_high, units.TIME),
        units.interval(result.ratio_low, result.ratio_high, units.TIME), margin, units.seconds(result.before_s),
        str(result.workers), str(result.blocks), units.seconds(result.spent_s, 2), result.name,
    )  # fmt: skip
