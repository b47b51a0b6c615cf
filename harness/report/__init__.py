"""Reports: a `Run` as one HTML page, as Markdown for a pull request, and as SVG plots.

    reading   looking things up in a Run
    rows, toggles, sentences   contrasts in words
    page      Run -> model.Page, all that a report says
    memory, kinds              what an allocator held; effects by kind of request
    markdown, plots, html      Page -> text
    gates     the outputs of `harness gate`, from a decision

Nothing here writes files: callers do.
"""

from harness.report.html import allocations, html
from harness.report.markdown import markdown
from harness.report.plots import svgs

__all__ = ["allocations", "html", "markdown", "svgs"]
