"""Outputs of a gate: a `gate.Decision` as text for a terminal, a pull request, a CI service, a program.

`words` says what each says; the others lay it out. Nothing here writes files: callers do.
"""

from harness.report.gates.data import data
from harness.report.gates.data import text as json_text
from harness.report.gates.github import github
from harness.report.gates.junit import junit
from harness.report.gates.markdown import markdown
from harness.report.gates.terminal import terminal

__all__ = ["data", "github", "json_text", "junit", "markdown", "terminal"]
