"""What is said once of a run: its controls, audio, findings, environment, files, how to run it again, and the words."""

from __future__ import annotations

from harness.report.audio import players
from harness.report.files import downloads as listed
from harness.report.model import Page
from harness.report.reading import Reading
from harness.report.section import Section
from harness.report.words import say


def controls(reading: Reading, page: Page) -> Section:
    """Whether the figures can be believed."""
    return Section(name="controls", title=say("Can these figures be believed?"), template="controls.html.j2")


def audio(reading: Reading, page: Page) -> Section | None:
    """Players of what was heard before and after; the files lie beside the page."""
    if not page.listening:
        return None
    found = players(page.listening, page.files)
    return Section(name="audio", title=say("Listen"), template="audio.html.j2", data=found)


def findings(reading: Reading, page: Page) -> Section | None:
    """Failures, and what a reader must know of noise."""
    if not page.failures and not page.findings:
        return None
    return Section(name="findings", title=say("Failures and findings"), template="findings.html.j2")


def environment(reading: Reading, page: Page) -> Section:
    """The machine and its software."""
    return Section(name="environment", title=say("Environment"), template="environment.html.j2")


def downloads(reading: Reading, page: Page) -> Section | None:
    """The files beside the page."""
    found = listed(page.files or {})
    return Section(name="files", title=say("Raw data"), template="files.html.j2", data=found) if found else None


def again(reading: Reading, page: Page) -> Section:
    """The command."""
    return Section(name="again", title=say("Run it again"), template="again.html.j2")


def glossary(reading: Reading, page: Page) -> Section:
    """The words that are used."""
    return Section(name="glossary", title=say("Glossary"), template="glossary.html.j2")
