"""Where `torchaudio.transforms.Resample` objects are built, and whether they are kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import assigned_to, calls, evidence, keyword, memoised, name_of
from harness.inspecting.roles import on_request_path
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


def _kept(function: Function, call: ast.Call) -> str:
    """How a construction is kept, in words; "" where it is not."""
    target = assigned_to(function, call)
    if memoised(function):
        return "kept by the decorator of the function that builds it"
    if isinstance(target, ast.Subscript):
        return "kept in a mapping"
    if target is not None and name_of(target).startswith("self."):
        return _AT_START if function.name == "__init__" else "kept as an attribute"
    return ""


def _original_rate(call: ast.Call) -> ast.expr | None:
    return keyword(call, "orig_freq") or next(iter(call.args), None)


def _none_built(tree: Tree) -> str:
    for function in on_request_path(tree):
        for call in calls(function, _FUNCTIONAL):
            return f"no Resample is built; {function.place(call)} calls functional.resample, which this toggle does not reach"
    return "no Resample is built in a request"
