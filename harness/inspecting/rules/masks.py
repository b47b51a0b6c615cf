"""How the flow's estimator gets its attention masks."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import calls, calls_of, evidence, holds, in_loop, last_name, origin
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Function, Tree

_ESTIMATOR = ("x", "mask", "mu", "t")


@loss(
    "Attention masks are built anew and read on the host",
    "estimator -7 % with None for a mask that is all true, same audio",
    mended_by="mask_reuse",
)
def masks_rebuilt(tree: Tree) -> Answer:
    """The estimator runs once a step and builds its masks each time; a mask builder that reads a value with `.item()` waits
    for the device.
    """
    estimators = [one for one in tree.functions if one.name == "forward" and set(_ESTIMATOR) <= set(one.parameters)]
    builders: dict[str, list[Evidence]] = {}
    for one in tree.functions:
        if "mask" in one.name:
            builders.setdefault(one.name, []).extend(_reads(one))
    costs: list[Evidence] = []
    clean: list[Evidence] = []
    used: dict[str, None] = {}
    for function in estimators:
        found = [call for call in calls(function) if builders.get(last_name(call.func))]
        for call in found:
            used[last_name(call.func)] = None
            often = "for every block" if in_loop(function, call) else "in every step"
            costs.append(evidence(function, call, f"calls {last_name(call.func)} {often}"))
        if not found:
            clean.append(evidence(function, function.node, "builds no mask that reads a value"))
    costs += [each for name in used for each in builders[name]]
    return Answer(
        costs=tuple(costs), avoided=tuple(clean), reason=f"no estimator: no forward takes {', '.join(_ESTIMATOR)}"
    )


def _reads(function: Function) -> Iterator[Evidence]:
    """Where a value is read, leaving out what is drawn for training."""
    for call in calls_of(function, "item"):
        drawn = holds(
            call, lambda node: isinstance(node, ast.Call) and origin(function.module, node.func) == "torch.randint"
        )
        if not drawn:
            yield evidence(function, call, f"{function.name} reads a value")
