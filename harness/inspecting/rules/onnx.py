"""How the front end runs its ONNX networks."""

from __future__ import annotations

import ast

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import assignments, calls_of, evidence, keyword, last_name
from harness.inspecting.roles import front_ends, methods_of
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Tree

_CPU = "CPUExecutionProvider"
_THIRD = 2
"""Where providers stand among the arguments of a session."""


@loss(
    "Front-end networks run on one thread, on the CPU",
    "the speech tokenizer on the CPU took 217 ms of a request",
    mended_by="frontend_threads",
)
def onnx_on_one_thread(tree: Tree) -> Answer:
    """Speech tokenizer and speaker encoder are ONNX sessions; with one thread, and without a GPU provider, they are most of
    what a new speaker costs.
    """
    costs: list[Evidence] = []
    other: list[Evidence] = []
    for function in methods_of(front_ends(tree)):
        for target, value, statement in assignments(function):
            if last_name(target) == "intra_op_num_threads":
                alone = isinstance(value, ast.Constant) and value.value == 1
                (costs if alone else other).append(
                    evidence(function, statement, f"sessions get {ast.unparse(value)} for their number of threads")
                )
        for call in calls_of(function, "InferenceSession"):
            names = _providers(call)
            (costs if names <= {_CPU} else other).append(evidence(function, call, f"a session {_where(names)}"))
    return Answer(costs=tuple(costs), avoided=tuple(other), reason="no front end makes an ONNX session")


def _providers(call: ast.Call) -> set[str]:
    """The execution providers that a session names; none where they are computed elsewhere or left out."""
    given = keyword(call, "providers") or (call.args[_THIRD] if len(call.args) > _THIRD else None)
    constants = [node.value for node in ast.walk(given) if isinstance(node, ast.Constant)] if given is not None else []
    return {value for value in constants if isinstance(value, str)}


def _where(names: set[str]) -> str:
    if not names:
        return "that names no provider"
    return "on the CPU" if names == {_CPU} else "on a GPU where its provider is there, else on the CPU"
