"""Where `torchaudio.transforms.Resample` objects are built, and whether they are kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import (
    ancestors,
    assigned_to,
    assignments,
    calls,
    evidence,
    keyword,
    looked_up,
    memoised,
    name_of,
)
from harness.inspecting.roles import on_request_path, without_front_end
from harness.inspecting.rules.rule import toggle
from harness.inspecting.source import Function, Tree

BUILT = "torchaudio.transforms.Resample"
_FUNCTIONAL = "torchaudio.functional.resample"


@toggle
def resample_cache(tree: Tree) -> Answer:
    """A `Resample` computes its filter kernel when it is built, and one is built for every recording that is resampled."""
    costs: list[Evidence] = []
    kept: list[Evidence] = []
    for function, call in built(tree):
        if how := _kept(function, call):
            kept.append(evidence(function, call, how))
        else:
            costs.append(evidence(function, call, f"built in each call of {function.name}"))
    return Answer(costs=tuple(costs), avoided=tuple(kept), reason=_none_built(tree))


@toggle
def prebuilt_resample(tree: Tree) -> Answer:
    """A `Resample` whose rates are known beforehand can be built with the front end, so that no request pays for it."""
    costs: list[Evidence] = []
    kept: list[Evidence] = []
    reason = _none_built(tree)
    for function, call in built(tree):
        if _kept(function, call) == _AT_START:
            kept.append(evidence(function, call, _AT_START))
        elif _kept(function, call):
            reason = "it is kept after its first use, which excludes building it beforehand"
        elif isinstance(_original_rate(call), ast.Constant):
            rate = ast.unparse(_original_rate(call) or call)
            costs.append(evidence(function, call, f"always from {rate} Hz"))
        else:
            reason = f"{function.place(call)} learns the recording's rate only when it has read it"
    return Answer(costs=tuple(costs), avoided=tuple(kept), reason=reason)


def built(tree: Tree) -> Iterator[tuple[Function, ast.Call]]:
    """Each construction of a `Resample` that a request may run."""
    for function in on_request_path(tree):
        for call in calls(function, BUILT):
            yield function, call


_AT_START = "built once, when the object is made"
_MOVES = {"to", "cuda", "cpu", "eval"}


def _kept(function: Function, call: ast.Call) -> str:
    """How a construction is kept, in words; "" where it is not."""
    if function.name in {"", "__init__"}:
        return _AT_START
    if memoised(function):
        return "kept by the decorator of the function that builds it"
    for target in _targets(function, call):
        if isinstance(target, ast.Subscript):
            return "kept in a mapping"
        if name_of(target).startswith("self."):
            return "kept as an attribute"
    return "built only where none is kept yet" if looked_up(function, call) else ""


def _targets(function: Function, call: ast.Call) -> Iterator[ast.expr]:
    """To what a construction is assigned, also on the way over a local name, and where it is moved first."""
    whole: ast.AST = call
    for parent, _ in ancestors(function, call):
        if not (isinstance(parent, ast.Attribute) and parent.attr in _MOVES) and not (
            isinstance(parent, ast.Call) and parent.func is whole and isinstance(whole, ast.Attribute)
        ):
            break
        whole = parent
    first = assigned_to(function, whole)
    if first is not None:
        yield first
        yield from (
            target
            for target, value, _ in assignments(function)
            if isinstance(first, ast.Name) and isinstance(value, ast.Name) and value.id == first.id
        )


def _original_rate(call: ast.Call) -> ast.expr | None:
    return keyword(call, "orig_freq") or next(iter(call.args), None)


def _none_built(tree: Tree) -> str:
    for function in on_request_path(tree):
        for call in calls(function, _FUNCTIONAL):
            return f"no Resample is built; {function.place(call)} calls functional.resample, which this toggle does not reach"
    return without_front_end(tree) or "no Resample is built in a request"
