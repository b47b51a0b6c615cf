"""Several runs side by side, as one HTML page and as Markdown. What may not be compared is refused (`rules`)."""

from harness.report.comparing.building import compare
from harness.report.comparing.layout import html, markdown
from harness.report.comparing.model import Comparison

__all__ = ["Comparison", "compare", "html", "markdown"]
