"""Where memory is given back, and how often."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import calls, conditions, evidence, holds, in_loop, last_name, origin
from harness.inspecting.roles import SPEAKING, applications, engines, facades, methods_of
from harness.inspecting.rules.rule import toggle
from harness.inspecting.source import Function, Tree

CLEANUPS = ("gc.collect", "torch.cuda.empty_cache", "torch.mps.empty_cache", "torch.npu.empty_cache")


@toggle
def batched_cleanup(tree: Tree) -> Answer:
    """The facade speaks a text segment by segment, and memory is given back after each of them."""
    per_segment: list[Evidence] = []
    seldom: list[Evidence] = []
    engine_methods = set(methods_of(engines(tree)))
    candidates = list(_candidates(tree))
    repeated = {last_name(call.func) for function in candidates for call in calls(function) if in_loop(function, call)}
    for function in candidates:
        for call in calls(function, *CLEANUPS):
            name = origin(function.module, call.func)
            once_a_segment = function in engine_methods and function.name in SPEAKING
            if _counted(function, call):
                seldom.append(evidence(function, call, f"{name}, not every time"))
            elif once_a_segment or in_loop(function, call) or function.name in repeated:
                how = "after every segment" if once_a_segment else "in each turn of a loop"
                per_segment.append(evidence(function, call, f"{name} {how}"))
            else:
                seldom.append(evidence(function, call, f"{name} once in {function.name}"))
    reason = "neither gc.collect nor empty_cache is called where a request is spoken"
    return Answer(costs=tuple(per_segment), avoided=tuple(seldom), reason=reason)


def _candidates(tree: Tree) -> Iterator[Function]:
    """Engine, facade and applications with the helpers of their files, without what runs only while they are made."""
    asking = applications(tree)
    files = {function.module for function in asking}
    beside = [function for function in tree.functions if function.module in files and function.name]
    for function in dict.fromkeys([*methods_of([*engines(tree), *facades(tree)]), *asking, *beside]):
        if not function.name.startswith(("__init__", "load", "__del__", "__exit__")):
            yield function


def _counted(function: Function, call: ast.Call) -> bool:
    """Whether a call stands under a test of a count or a size: `if n % 8 == 0`, `if used > limit`."""
    compared = (ast.Gt, ast.GtE, ast.Lt, ast.LtE)
    return any(
        holds(test, lambda node: isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod))
        or holds(test, lambda node: isinstance(node, ast.Compare) and isinstance(node.ops[0], compared))
        for test in conditions(function, call)
    )
