"""In which precision the weights are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import calls_of, evidence, holds, last_name, name_of
from harness.inspecting.roles import engines
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Class, Function, Tree

_LOW = ("half", "bfloat16")


@loss("Weights are float32, whatever autocast says")
def float32_weights(tree: Tree) -> Answer:
    """Float32 weights take twice the bytes to read, and autocast converts them anew in each request; half precision changes numerics,
    so that the output needs a check.
    """
    costs: list[Evidence] = []
    low: list[Evidence] = []
    for engine in engines(tree):
        lowered = list(_lowered(tree, engine))
        low += [
            evidence(function, call, f"{name} in half precision{_if_asked(function)}")
            for function, call, name in lowered
        ]
        names = {name for _, _, name in lowered}
        for function in engine.methods.values():
            for call in calls_of(function, "to", "cuda"):
                name = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
                if (
                    function.name.startswith("load")
                    and name.startswith("self.")
                    and name not in names
                    and not _converts(call)
                ):
                    costs.append(evidence(function, call, f"{name} stays in the precision of its file"))
    return Answer(costs=tuple(costs), avoided=tuple(dict.fromkeys(low)), reason="no engine loads weights")


def _lowered(tree: Tree, engine: Class) -> Iterator[tuple[Function, ast.Call, str]]:
    """Networks that an engine, or one that inherits from it, turns into half precision."""
    for one in engines(tree):
        if engine in tree.family(one):
            for function in one.methods.values():
                for call in calls_of(function, *_LOW, "to"):
                    name = name_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
                    if name.startswith("self.") and (last_name(call.func) in _LOW or _converts(call)):
                        yield function, call, name


def _converts(call: ast.Call) -> bool:
    given = [*call.args, *(each.value for each in call.keywords if each.arg == "dtype")]
    return any(holds(each, lambda node: last_name(node) in {"float16", "bfloat16", "half"}) for each in given)


def _if_asked(function: Function) -> str:
    parameters = [name for name in function.parameters if "16" in name or "half" in name]
    return f", only with {parameters[0]}=True" if parameters else ""
