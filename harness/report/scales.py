"""Two scales: what a toggle's place, timed alone, lets one expect of a request, beside what was measured of requests."""

from __future__ import annotations

from harness import units
from harness.report.model import ScaleRow
from harness.report.reading import INVALID, Reading
from harness.report.rows import title_of
from harness.report.words import say
from harness.results import Expectation


def scale_rows(reading: Reading, device: str) -> tuple[ScaleRow, ...]:
    """A row for each toggle whose place was timed alone on a device, and that may be compared."""
    invalid = {contrast.optimization for contrast in reading.contrasts(device) if contrast.verdict in INVALID}
    here = [found for found in reading.run.expectations if found.device == device]
    return tuple(_row(reading, found) for found in here if found.optimization not in invalid)


def _row(reading: Reading, found: Expectation) -> ScaleRow:
    return ScaleRow(
        name=found.optimization,
        title=title_of(reading, found.optimization),
        call=units.signed_seconds(found.call_s),
        call_interval=_interval(found.call_low_s, found.call_high_s),
        calls=units.count(found.calls),
        expected=found.reason if found.expected_s is None else units.signed_seconds(found.expected_s),
        expected_interval=_interval(found.expected_low_s, found.expected_high_s),
        share=units.DASH if found.share is None else units.signed_percent(found.share),
        measured=units.signed_seconds(found.measured_s),
        measured_interval=_interval(found.measured_low_s, found.measured_high_s),
    )


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return say("{low} to {high}", low=units.signed_seconds(low), high=units.signed_seconds(high))


def sentence(row: ScaleRow) -> str:
    """A row in one line."""
    measured = (
        f"{row.measured} measured ({row.measured_interval})" if row.measured_interval else f"{row.measured} measured"
    )
    if row.share == units.DASH:
        return f"{row.name}: {row.call} a call of its place; of a request nothing can be expected: {row.expected}"
    return f"{row.name}: {row.call} a call \u00d7 {row.calls} = {row.expected} of a request to expect ({row.share}); {measured}"
