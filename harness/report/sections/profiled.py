"""Why: profiles that were made of a run, by `harness profile --run`."""

from __future__ import annotations

from harness.report.model import Page, Toggle
from harness.report.profiles import of_run, of_toggle
from harness.report.reading import Reading
from harness.report.section import Section
from harness.report.words import say


def card(reading: Reading, page: Page, toggle: Toggle) -> Section | None:
    """What differs in the arm in which the optimization alone is on."""
    if page.profiles is None or not (part := of_toggle(page.profiles, toggle.name)).differences:
        return None
    return Section(name="profiles", title=say("Why: profiles"), template="profiles.html.j2", data=part)


def whole(reading: Reading, page: Page) -> Section | None:
    """What differs in other arms, and the way to all profiles."""
    if page.profiles is None:
        return None
    return Section(name="profiles", title=say("Profiles"), template="profiles.html.j2", data=of_run(page.profiles))
