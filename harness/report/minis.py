"""An effect as a small drawing inside a table's cell: estimate and interval on the log-ratio axis of its table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.report.model import Row

WIDTH, HEIGHT = 150.0, 18.0
_PAD = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The log-ratios at both ends of the axis, the margin as log-ratios, and the placebo's, if there is one."""

    low: float
    high: float
    margin: tuple[float, float]
    placebo: tuple[float, float] | None = None

    def at(self, log_ratio: float) -> float:
        """The place of a log-ratio, clipped to the drawing."""
        share = (log_ratio - self.low) / (self.high - self.low)
        return _PAD + min(max(share, 0.0), 1.0) * (WIDTH - 2 * _PAD)


def scale_of(rows: Sequence[Row], margin: float, placebo: tuple[float, float] | None = None) -> Scale:
    """One axis for all `rows`; the margin (a share) is always on it."""
    ends = [math.log(end) for row in rows for end in (row.low, row.ratio, row.high) if end is not None and end > 0]
    sides = (math.log1p(-margin), math.log1p(margin))
    marks = [*ends, *(2 * side for side in sides), *(placebo or ()), -0.002, 0.002]
    return Scale(low=min(marks), high=max(marks), margin=sides, placebo=placebo)


def mini(row: Row, scale: Scale) -> Markup:
    """The drawing of one row; nothing where there is no ratio. What it shows stands as text beside it."""
    if row.ratio is None or row.ratio <= 0:
        return Markup("")
    centre, none = scale.at(math.log(row.ratio)), scale.at(0.0)
    left, right = (scale.at(side) for side in scale.margin)
    parts = [
        f'<rect class="m" x="{left:.1f}" y="0" width="{max(right - left, 1):.1f}" height="{HEIGHT:.0f}"/>',
        f'<path class="z" d="M{none:.1f} 0V{HEIGHT:.0f}"/>',
    ]
    if row.low is not None and row.high is not None and row.low > 0:
        first, last = scale.at(math.log(row.low)), scale.at(math.log(row.high))
        parts.append(f'<path class="i" d="M{first:.1f} 9H{max(last, first + 0.5):.1f}"/>')
    parts.append(f'<circle cx="{centre:.1f}" cy="9" r="3.2"/>')
    return Markup(  # noqa: S704  numbers alone
        f'<svg class="mini {row.verdict.tone}" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" aria-hidden="true">{"".join(parts)}</svg>'
    )
