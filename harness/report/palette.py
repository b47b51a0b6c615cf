"""The colours of the page and of its plots, by name, light and dark: the only place that knows them."""

from __future__ import annotations

from collections.abc import Mapping

COLOURS: Mapping[str, tuple[str, str]] = {
    "page": ("#f5f6f8", "#0e1116"),
    "surface": ("#ffffff", "#161b22"),
    "raised": ("#f1f3f6", "#1e252e"),
    "ink": ("#14181d", "#e7eaef"),
    "muted": ("#525c69", "#a3adba"),
    "rule": ("#dfe3e8", "#2b333e"),
    "strong-rule": ("#8a94a1", "#5c6877"),
    "accent": ("#1d56b8", "#86b2ff"),
    "good": ("#0b6b3a", "#6ad39b"),
    "bad": ("#ae231b", "#ff9288"),
    "open": ("#7d5000", "#ecbd62"),
    "good-tint": ("#e2f3e9", "#12301f"),
    "bad-tint": ("#fce8e6", "#3a1a18"),
    "open-tint": ("#faefd9", "#33270f"),
    "level-tint": ("#e5eefb", "#182945"),
    "invalid-tint": ("#eceef1", "#252c35"),
    "band": ("#e1e8f2", "#22303f"),
    "before": ("#8d98a7", "#7d8896"),
    "step-1": ("#16406f", "#8fc0f4"),
    "step-2": ("#2c68a8", "#5f9ad6"),
    "step-3": ("#5b93cc", "#3f78b3"),
    "step-4": ("#93bbe3", "#2b5788"),
    "step-5": ("#c3daf0", "#1f3f63"),
    "step-6": ("#dcdfe4", "#333a43"),
    "on-step-1": ("#ffffff", "#0c1a2b"),
    "on-step-2": ("#ffffff", "#0c1a2b"),
    "on-step-3": ("#0c1a2b", "#ffffff"),
    "on-step-4": ("#0c1a2b", "#ffffff"),
    "on-step-5": ("#0c1a2b", "#ffffff"),
    "on-step-6": ("#1b1f24", "#e5e8ec"),
}


def css() -> str:
    """Custom properties: light, dark where the reader's system is dark, and either where the page's button says so."""
    light, dark = (_declared(side) for side in (0, 1))
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f":root[data-theme=light] {{ color-scheme: light; }}\n"
        f":root[data-theme=dark] {{ color-scheme: dark; {dark} }}\n"
        f"@media print {{ :root:root:root {{ color-scheme: light; {light} }} }}\n"
    )


def _declared(side: int) -> str:
    return " ".join(f"--{name}: {pair[side]};" for name, pair in COLOURS.items())
