"""Where the code asks whether there is a GPU, and where it decides on which device tensors go."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import assigned_to, assignments, calls, evidence, memoised, name_of, origin
from harness.inspecting.roles import SPEAKING, engines, facades, front_ends, methods_of
from harness.inspecting.rules.rule import toggle
from harness.inspecting.source import Class, Function, Tree

ASKED = "torch.cuda.is_available"


@toggle
def cached_cuda_check(tree: Tree) -> Answer:
    """The engine asks `torch.cuda.is_available()` anew wherever it wants to know, though the answer cannot change."""
    costs: list[Evidence] = []
    kept: list[Evidence] = []
    for engine in engines(tree):
        asked = list(_asked(engine))
        built = [function for function, _ in asked if function.name == "__init__"]
        for function, call in asked:
            if _kept(function, call) or (len(asked) == len(built) == 1):
                kept.append(evidence(function, call, "asked once, and the answer kept"))
            else:
                costs.append(evidence(function, call, f"asked {_when(function)}"))
    return Answer(costs=tuple(costs), avoided=tuple(kept), reason="no engine asks whether there is a GPU")


@toggle
def cached_device(tree: Tree) -> Answer:
    """Front end and facade decide the device anew for each tensor or request, instead of once when they are built."""
    costs: list[Evidence] = []
    kept: list[Evidence] = []
    for function in methods_of([*front_ends(tree), *facades(tree)]):
        for call in calls(function, ASKED):
            if function.name == "__init__":
                kept.append(evidence(function, call, _decided(function, call)))
            elif memoised(function):
                kept.append(evidence(function, call, "asked once, and the answer kept"))
            else:
                costs.append(evidence(function, call, f"asked {_when(function)}"))
    reason = "neither front end nor facade asks whether there is a GPU"
    return Answer(costs=tuple(costs), avoided=tuple(kept), reason=reason)


def _asked(engine: Class) -> Iterator[tuple[Function, ast.Call]]:
    for function in engine.methods.values():
        for call in calls(function, ASKED):
            yield function, call


def _kept(function: Function, call: ast.Call) -> bool:
    target = assigned_to(function, call)
    return memoised(function) or (function.name == "__init__" and target is not None)


def _when(function: Function) -> str:
    if function.name == "__init__":
        return "while it is built"
    if function.name in SPEAKING:
        return "in every segment"
    return f"in each call of {function.name}"


def _decided(function: Function, call: ast.Call) -> str:
    """What an answer at construction is used for."""
    for target, value, _ in assignments(function):
        if any(node is call for node in ast.walk(value)):
            decides = any(
                isinstance(node, ast.Call) and origin(function.module, node.func) == "torch.device"
                for node in ast.walk(value)
            )
            kept = f"kept as {name_of(target)}" if name_of(target) else "kept"
            return f"the device is decided once, {kept}" if decides else f"asked once while it is built, for {kept[8:]}"
    return "asked once while it is built"
