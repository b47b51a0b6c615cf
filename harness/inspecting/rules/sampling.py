"""How a token is drawn from the scores."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import assignments, calls, calls_of, evidence, holds, in_loop, last_name, name_of
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Function, Tree


@loss(
    "Sampling goes to the host and back for every token",
    "28 host syncs a token; 85 -> 24 ms a request, same audio",
    mended_by="fused_sampling",
)
def sampling_on_host(tree: Tree) -> Answer:
    """Reading a tensor's value waits for the device, and a tensor made of a list is copied to it, many times for a token."""
    costs: list[Evidence] = []
    clean: list[Evidence] = []
    for function in _drawing(tree):
        found = sorted(_round_trips(function), key=lambda each: each.place.line)
        costs += found
        if not found and not any(_looks(function)):
            clean.append(evidence(function, function.node, "draws without leaving the device"))
    for function in tree.functions:
        costs += [evidence(function, node, "looks into the drawn tensor") for node in _looks(function)]
        for call in calls_of(function, "item"):
            receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
            if isinstance(receiver, ast.Call) and "sampling" in last_name(receiver.func):
                costs.append(evidence(function, call, "reads the drawn token"))
    return Answer(costs=tuple(costs), avoided=tuple(clean), reason="no function draws from a distribution")


def _drawing(tree: Tree) -> list[Function]:
    """Functions that draw by `multinomial`, and those in the same file that call them."""
    draws = [function for function in tree.functions if any(calls_of(function, "multinomial"))]
    names = {function.name for function in draws}
    around = [
        function
        for function in tree.functions
        if function not in draws
        and function.name
        and function.module in {each.module for each in draws}
        and any(name_of(call.func) in names for call in calls(function))
    ]
    return [*draws, *around]


def _round_trips(function: Function) -> Iterator[Evidence]:
    for call in calls_of(function, "item"):
        yield evidence(function, call, "reads a tensor's value")
    for call in calls(function, "torch.tensor"):
        if call.args and holds(call.args[0], lambda node: isinstance(node, ast.Name)):
            yield evidence(function, call, "makes a tensor of a list")
    for node in function.nodes:
        if isinstance(node, ast.If) and in_loop(function, node):
            running = {name_of(target) for target in _added(function)} - {""}
            if any(name_of(part) in running for part in ast.walk(node.test)):
                yield evidence(function, node, "compares a running sum of tensor elements in each turn")


def _looks(function: Function) -> Iterator[ast.AST]:
    """Tests such as `stop in drawn`, which read the tensor; of a plain number they would raise."""
    drawn = {name_of(target) for target, value, _ in assignments(function) if holds(value, _draws)} - {""}
    for node in function.nodes:
        match node:
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Name(id=name)]) if name in drawn:
                yield node
            case _:
                pass


def _draws(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and last_name(node.func) in {"sampling", "multinomial"}


def _added(function: Function) -> Iterator[ast.expr]:
    """What grows by elements of something indexed: `total += values[i]`."""
    for node in function.nodes:
        if isinstance(node, ast.AugAssign) and isinstance(node.value, ast.Subscript):
            yield node.target
