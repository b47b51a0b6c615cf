"""What each optimization has of the whole change, in which order to adopt them, and how they act together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.report import jointly_plots
from harness.report.jointly import Jointly, jointly
from harness.report.markup import escape, tabulate
from harness.report.model import Device
from harness.report.reading import Reading
from harness.report.section import Drawing, Section
from harness.report.words import say


def attribution(reading: Reading, device: Device) -> Section | None:
    """Shares, order and interactions of a joint design; None for the other designs."""
    found = jointly(reading, device.name)
    if found is None:
        return None
    drawn: dict[str, Drawing] = {"waterfall": partial(jointly_plots.waterfall, found)}
    if found.cells:
        drawn["matrix"] = partial(jointly_plots.matrix, found)
    return Section(name="attribution", title=say("What each has of the whole"), template="attribution.html.j2",
                   data=found, plots=drawn, markdown=partial(markdown, found))  # fmt: skip


def markdown(found: Jointly) -> Iterator[str]:
    """The same as lines of Markdown."""
    yield escape(f"{found.advice_shares} {found.advice_order}")
    yield ""
    head = (
        "Optimization",
        "Share",
        "Interval",
        "Of the whole",
        "As the next step",
        "Interval",
        "Main effect",
        "Verdict",
    )
    yield from tabulate(
        tuple(map(say, head)),
        [
            tuple(map(escape, (
                bar.name, bar.share, bar.share_interval, bar.part, bar.step, bar.step_interval, bar.main,
                bar.verdict.text if bar.verdict else "",
            )))
            for bar in found.bars
        ],
    )  # fmt: skip
    yield escape(say("All together: {total}. {method}", total=found.total, method=found.method))
    yield ""
    for generator in found.generators:
        yield f"- {escape(generator)}"
    if found.generators:
        yield ""
    if found.cells:
        yield escape(found.advice_together)
        yield ""
        yield from tabulate(
            tuple(map(say, ("Pair", "Beyond the product", "Interval", "Verdict", "Not told apart from"))),
            [
                tuple(map(escape, (f"{c.a} \u00d7 {c.b}", c.change, c.interval, c.verdict.text, c.aliases)))
                for c in found.cells
            ],
        )
