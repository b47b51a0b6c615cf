"""The page that lists runs: the newest first, one row for each device of a run, found by any word in it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report import standalone
from harness.report.listing.entries import Found, entries
from harness.report.visible import visible
from harness.report.words import plural, say

__all__ = ["Found", "index"]


def index(found: Sequence[Found], title: str = "") -> str:
    """One HTML page for all runs that were `found`, called "Runs" unless it has a `title`; without a script all of them are
    listed, and only the search is missing.
    """
    count = sum(item.run is not None for item in found)
    return standalone.render(
        "listing/index.html.j2",
        styles="listing/index.css",
        script="listing/index.js",
        title=visible(title) or say("Runs"),
        entries=entries(found),
        broken=[(visible(item.place), visible(item.fault)) for item in found if item.run is None],
        count=plural(count, "{count} run, newest first.", "{count} runs, newest first.", count=count),
    )
