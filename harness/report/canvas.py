"""matplotlib figures as SVG text: the same bytes for the same data, text as text, colours that follow the page.

Colours are drawn as placeholders and become CSS variables with a fallback, so that one SVG serves a light page, a dark
page, and a viewer that knows neither. No global state of matplotlib is read or changed.
"""

from __future__ import annotations

import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from harness.report.palette import COLOURS

WIDTH_PT = 760.0
FONT_PT = 12.5

INK, MUTED, RULE, SURFACE = "#010101", "#020202", "#030303", "#040404"
ACCENT, GOOD, BAD, OPEN = "#050505", "#060606", "#070707", "#080808"
BAND, BEFORE = "#090909", "#0a0a0a"
STEPS = ("#0b0b0b", "#0c0c0c", "#0d0d0d", "#0e0e0e", "#0f0f0f", "#101010")
ON_STEPS = ("#111111", "#121212", "#131313", "#141414", "#151515", "#161616")

_NAMES = {
    INK: "ink", MUTED: "muted", RULE: "rule", SURFACE: "surface", ACCENT: "accent", GOOD: "good", BAD: "bad", OPEN: "open",
    BAND: "band", BEFORE: "before", **{step: f"step-{n}" for n, step in enumerate(STEPS, start=1)},
    **{step: f"on-step-{n}" for n, step in enumerate(ON_STEPS, start=1)},
}  # fmt: skip
_VARIABLES = {placeholder: (name, COLOURS[name][0]) for placeholder, name in _NAMES.items()}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tts-harness",
    "font.family": ["DejaVu Sans"],
    "font.size": FONT_PT,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "path.simplify": False,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"


def figure(height_pt: float) -> Figure:
    """An empty transparent figure of the report's width."""
    drawn = Figure(figsize=(WIDTH_PT / 72, height_pt / 72), dpi=72, facecolor="none")
    FigureCanvasSVG(drawn)
    return drawn


def axes(drawn: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes with margins in points and only a thin rule below."""
    width, height = drawn.get_figwidth() * 72, drawn.get_figheight() * 72
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    made = drawn.add_axes(box, facecolor="none")
    for side, spine in made.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_edgecolor(RULE)
    made.tick_params(colors=MUTED, labelcolor=MUTED, length=4, labelsize=FONT_PT - 1)
    return made


def style() -> AbstractContextManager[None]:
    """The settings under which figures are made and written; outside of it matplotlib is as it was."""
    return mpl.rc_context(_STYLE)


def svg(drawn: Figure, title: str) -> str:
    """The figure as a standalone SVG document that a screen reader announces as `title`."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata=_NO_METADATA, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for placeholder, (name, fallback) in _VARIABLES.items():
        text = text.replace(placeholder, f"var(--{name}, {fallback})")
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", _SANS.replace('"', "'"), text)
    opening, rest = text.split(">", 1)
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    return f'{opening} role="img" aria-label="{_attribute(title)}">{rest}'


def inline(document: str, prefix: str) -> str:
    """The SVG for a place inside HTML: its ids made unique by `prefix`, namespaces left to the HTML parser."""
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", document)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]*)"', rf'href="#{prefix}-\1"', text)
    return re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", text)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
