"""matplotlib figures as SVG text: the same bytes for the same data, text as text, colours that follow the page.

Colours are drawn as placeholders and become CSS variables with a fallback, so that one SVG serves a light page, a dark
page, and a viewer that knows neither. No global state of matplotlib is read or changed.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.report.palette import COLOURS

Points = Sequence[float] | NDArray[np.float64]
WIDTH_PT, NARROW_PT = 760.0, 340.0
"""How wide a plot is, and one for a phone."""
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
_CLOUD = re.compile(r'<g id="cloud\|([^"]*)">.*?</g>', re.DOTALL)
_TIP = re.compile(r'<g id="tip-([0-9a-f]*)">')
_UNUSED_ID = re.compile(r'<g id="(?:figure|axes|patch|line2d|text|matplotlib\.axis|xtick|ytick)_\d+">')
_NUMBERS = re.compile(r' (?:d|x|y|transform|points)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"


def figure(height_pt: float, width_pt: float = WIDTH_PT) -> Figure:
    """An empty transparent figure, of the report's width unless another is given."""
    drawn = Figure(figsize=(width_pt / 72, height_pt / 72), dpi=72, facecolor="none")
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


def svg(drawn: Figure, title: str, attributes: str = "") -> str:
    """The figure as a standalone SVG document that a screen reader announces as `title`, with `attributes` of its own."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Text stays text, so that the reader's own fonts draw it; matplotlib's need not have its letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawn.savefig(buffer, format="svg", metadata=_NO_METADATA, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for placeholder, (name, fallback) in _VARIABLES.items():
        text = text.replace(placeholder, f"var(--{name}, {fallback})")
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", _SANS.replace('"', "'"), text)
    text = _CLOUD.sub(_drawn_cloud, text)
    text = _TIP.sub(lambda found: f'<g class="tip"><title>{_attribute(bytes.fromhex(found[1]).decode())}</title>', text)
    text = _UNUSED_ID.sub("<g>", text)
    text = _NUMBERS.sub(lambda found: _LONG.sub(lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), found[0]), text)
    opening, rest = text.split(">", 1)
    opening = re.sub(r' (width|height)="[^"]*"', "", opening)
    return f'{opening} role="img" aria-label="{_attribute(title)}" {attributes}>{rest}'


def tip(artist: Artist, text: str) -> None:
    """Let `artist` say `text` when the reader points at it: a title of SVG, which needs no script."""
    artist.set_gid(f"tip-{text.encode().hex()}")


def cloud(plot: Axes, xs: Points, ys: Points, *, colour: str, size_pt: float, label: str,
          opacity: float = 0.6, ring: bool = False) -> None:  # fmt: skip
    """Points as one compact path, of which the page's script finds the nearest. Limits of `plot` must be set before.

    matplotlib would write sixty bytes for each point; this takes some twelve.
    """
    height = _height_pt(plot)
    if not len(xs):
        return
    places = plot.transData.transform(list(zip(xs, ys, strict=True)))
    path = "".join(f"M{x:.1f} {height - y:.1f}h0" for x, y in places)
    fields = (colour, f"{size_pt:g}", f"{opacity:g}", "ring" if ring else "", label.encode().hex(), path)
    plot.plot([xs[0], xs[0]], [ys[0], ys[0]], gid=f"cloud|{'|'.join(fields)}", clip_on=False)  # stands for all of them


def _height_pt(plot: Axes) -> float:
    drawn = plot.get_figure(root=True)
    return 0.0 if drawn is None else drawn.get_figheight() * 72


def axis_of_values(plot: Axes, axis: Literal["x", "y"], *, log: bool = False) -> str:
    """Attributes from which the page's script computes seconds from a place in the drawing: value = a + b * place."""
    height = _height_pt(plot)
    low, high = plot.get_xlim() if axis == "x" else plot.get_ylim()
    first = plot.transData.transform((low, 1) if axis == "x" else (1, low))[0 if axis == "x" else 1]
    last = plot.transData.transform((high, 1) if axis == "x" else (1, high))[0 if axis == "x" else 1]
    if axis == "y":
        first, last = height - first, height - last
    low, high = (math.log(low), math.log(high)) if log else (low, high)
    slope = (high - low) / (last - first)
    place = f'data-axis="{axis}" data-a="{low - slope * first:.8g}" data-b="{slope:.8g}"'
    return f'{place} data-log="1"' if log else place


def _drawn_cloud(found: re.Match[str]) -> str:
    colour, size, opacity, ring, label, path = found[1].split("|")
    told = _attribute(bytes.fromhex(label).decode())
    inner = (
        f'<path d="{path}" style="stroke: var(--surface); stroke-width: {float(size) * 0.45:.2g}; stroke-linecap: round"/>'
        if ring
        else ""
    )
    return (
        f'<g class="cloud" data-label="{told}" style="fill: none; opacity: {opacity}">'
        f'<path d="{path}" style="stroke: {colour}; stroke-width: {size}; stroke-linecap: round"/>{inner}</g>'
    )


def inline(document: str, prefix: str) -> str:
    """The SVG for a place inside HTML: its ids made unique by `prefix`, namespaces left to the HTML parser."""
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", document)
    text = re.sub(
        r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL
    )  # would hold for the whole page; style.css has it
    text = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]*)"', rf'href="#{prefix}-\1"', text)
    return re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", text)


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
