"""The difference of two profiles as a flame graph: one page that needs no network and no other file.

Without a script all frames and figures are there; the script adds zoom, search and the keyboard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

from harness import units
from harness.profiles.difference import Difference, Function, Node, Sides
from harness.profiles.stacks import Frame, Unit
from harness.report import templating
from harness.report.words import mark, say

_ROW_PX = 20
TITLES: Mapping[str, str] = {
    "py-spy": mark("Host time (py-spy)"),
    "host-memory": mark("Host memory at its peak (memray)"),
    "memory": mark("Memory of the card at its peak"),
}
"""What a flame graph of a kind of profile is called."""
_FAINTEST = 0.35
_MOST_ROWS = 40
_AMOUNTS = {"s": (mark("a request"), units.seconds), "bytes": (mark("at the peak"), units.size)}
_NONE: Mapping[Unit, str] = {
    "s": mark("No function's own change is beyond what chance moves."),
    "bytes": mark("No function holds more or less."),
}
_NOTES: Mapping[Unit, str] = {
    "s": mark(
        "Times are shares of the samples, of what a request took in the same processes before sampling began: they say "
        "where time goes, not what a change is worth."
    ),
    "bytes": mark("What is held at the highest moment, and was not held before the requests began."),
}
_OWN = mark("itself {before}, then {after}: {change}")
_OWN_BY_CHANCE = mark("itself {before}, then {after}: {change}, not beyond chance")
_HEADS: Mapping[bool, tuple[str, ...]] = {
    True: (mark("Itself before"), mark("Itself after"), mark("Change"), mark("With what it calls, change")),
    False: (mark("Itself"), mark("With what it calls")),
}
_TOP = mark("{name}: {amount} {when}")
_SURE: Mapping[bool, str] = {True: mark("yes"), False: mark("no")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One frame as drawn: percents of the width, its mood and how strong it is, and what is said of it."""

    name: str
    label: str
    title: str
    depth: int
    parent: int
    left: str
    width: str
    top_px: int
    tone: str
    strength: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One function of the table."""

    name: str
    place: str
    figures: tuple[str, ...]
    sure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlamePage:
    """What the page says."""

    title: str
    sentences: tuple[str, ...]
    tree_label: str
    note: str
    two_sided: bool
    boxes: tuple[Box, ...]
    height_px: int
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    table_title: str


def flames(difference: Difference, *, profiler: str, device: str, notes: tuple[str, ...] = ()) -> str:
    """The page of a difference, or of one profile where it has one side. `notes` are said at its head."""
    script, digest = templating.script("flames.js")
    page = _page(difference, profiler, device, notes)
    return templating.page(
        "flames.html.j2", page=page, style=templating.style("profiles.css"), script=script, script_hash=digest
    )


def sentences(difference: Difference) -> tuple[str, ...]:
    """What is to be said of a difference: the whole, then the function of the largest sure change, or that there is none."""
    when, amount = _AMOUNTS[difference.unit]
    total = difference.total
    if difference.before is None:
        return (say("{arm}: {amount} {when}.", arm=difference.after, amount=amount(total.after), when=say(when)),)
    found = next((known for known in difference.functions if known.own.sure), None)
    whole = say(
        "{arm} takes {change} {when} ({before} {before_amount}, {arm} {after_amount}).",
        arm=difference.after, change=_change(total, difference.unit), when=say(when), before=difference.before,
        before_amount=amount(total.before), after_amount=amount(total.after),
    )  # fmt: skip
    if difference.unit == "s" and not total.sure:
        whole = f"{whole} {say('The whole is not changed by more than chance moves it.')}"
    if found is None:
        return whole, say(_NONE[difference.unit])
    largest = say(
        "The largest change of a function's own: {name}, {change} {when}.",
        name=_named(found.frame), change=_change(found.own, difference.unit), when=say(when),
    )  # fmt: skip
    return whole, largest


def top(difference: Difference, most: int = 5) -> tuple[str, ...]:
    """The functions that changed most and surely, in words; with one side, those that take most themselves."""
    when, amount = _AMOUNTS[difference.unit]
    if difference.before is None:
        return tuple(
            say(_TOP, name=_named(f.frame), amount=amount(f.own.after), when=say(when))
            for f in difference.functions[:most]
            if f.own.after
        )
    found = [known for known in difference.functions if known.own.sure][:most]
    return tuple(
        say(_TOP, name=_named(known.frame), amount=_change(known.own, difference.unit), when=say(when))
        for known in found
    )


def _page(difference: Difference, profiler: str, device: str, notes: tuple[str, ...]) -> FlamePage:
    two_sided = difference.before is not None
    arms = say("{one} and {two}", one=difference.before, two=difference.after) if two_sided else difference.after
    title = say("{profiler} on {device}: {arms}", profiler=say(profiler), device=device, arms=arms)
    boxes = tuple(_boxes(difference))
    return FlamePage(
        title=title,
        sentences=(*sentences(difference), *notes),
        tree_label=say("Frames of {arms}", arms=arms),
        note=say("{one} {two}", one=say("Frames below a thousandth of the width are not drawn."), two=say(_NOTES[difference.unit])),
        two_sided=two_sided,
        boxes=boxes,
        height_px=(max(box.depth for box in boxes) + 1) * _ROW_PX,
        heads=tuple(map(say, _HEADS[two_sided])),
        rows=tuple(_row(known, difference.unit, two_sided=two_sided) for known in difference.functions[:_MOST_ROWS]),
        table_title=say("Functions by change of their own") if two_sided else say("Functions by what they take themselves"),
    )  # fmt: skip


def _row(known: Function, unit: Unit, *, two_sided: bool) -> Row:
    _, amount = _AMOUNTS[unit]
    if not two_sided:
        figures: tuple[str, ...] = (amount(known.own.after), amount(known.total.after))
    else:
        figures = (
            amount(known.own.before),
            amount(known.own.after),
            _signed(known.own, unit),
            _signed(known.total, unit),
        )
    return Row(name=known.frame.name, place=known.frame.place, figures=figures, sure=say(_SURE[known.own.sure]))


def _boxes(difference: Difference) -> Iterator[Box]:
    """The frames in the order of the tree, so that a parent comes before its children, each with the parent's number."""
    whole = difference.tree.width or 1.0
    strongest = max((abs(node.own.change) for _, node in difference.tree.walk() if node.own.sure), default=1.0)
    numbers: dict[int, int] = {}
    waiting: list[tuple[Node, int, float, int]] = [(difference.tree, 0, 0.0, -1)]
    while waiting:
        node, depth, left, parent = waiting.pop()
        number = len(numbers)
        numbers[number] = parent
        yield _box(difference, node, depth, left / whole, node.width / whole, parent, strongest)
        inner = left
        children = []
        for child in node.children:
            children.append((child, depth + 1, inner, number))
            inner += child.width
        waiting += reversed(children)


def _box(
    difference: Difference, node: Node, depth: int, left: float, width: float, parent: int, strongest: float
) -> Box:  # fmt: skip
    tone = ("more" if node.own.change > 0 else "less") if node.own.sure else ""
    strength = _FAINTEST + (1 - _FAINTEST) * sqrt(abs(node.own.change) / strongest) if tone else 0.0
    said = tuple(_said(difference, node))
    return Box(
        name=node.frame.name,
        label=", ".join((node.frame.name, *said)),
        title="\n".join((node.frame.name, *([node.frame.place] if node.frame.place else []), *said)),
        depth=depth, parent=parent, left=f"{100 * left:.4f}", width=f"{100 * width:.4f}", top_px=depth * _ROW_PX,
        tone=tone, strength=f"{strength:.2f}",
    )  # fmt: skip


def _said(difference: Difference, node: Node) -> Iterator[str]:
    when, amount = _AMOUNTS[difference.unit]
    if difference.before is None:
        yield say(
            "{amount} {when}, itself {own}", amount=amount(node.total.after), when=say(when), own=amount(node.own.after)
        )
        return
    total, own = node.total, node.own
    yield say(
        "before {before}, after {after} {when}", before=amount(total.before), after=amount(total.after), when=say(when)
    )
    told = _OWN if own.sure else _OWN_BY_CHANCE
    yield say(told, before=amount(own.before), after=amount(own.after), change=_change(own, difference.unit))


def _named(known: Frame) -> str:
    return f"{known.name} ({known.place})" if known.place else known.name


def _change(sides: Sides, unit: Unit) -> str:
    """The change in words: "1.2 ms more", "3 KiB less", "the same"."""
    _, amount = _AMOUNTS[unit]
    if sides.change == 0:
        return say("the same")
    size = amount(abs(sides.change) if unit == "s" else float(round(abs(sides.change))))
    return say("{amount} more" if sides.change > 0 else "{amount} less", amount=size)


def _signed(sides: Sides, unit: Unit) -> str:
    if unit == "s":
        return units.signed_seconds(sides.change)
    rounded = round(abs(sides.change))
    return units.size(0) if not rounded else f"{'+' if sides.change > 0 else units.MINUS}{units.size(rounded)}"
