"""Questions that rules ask of a function's nodes: what is called, what is assigned, what stands in a loop."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from harness.inspecting.findings import Evidence
from harness.inspecting.source import Class, Function, Module

MEMOISERS = {"cache", "lru_cache", "cached_property"}
"""Decorators of `functools` that keep what a function has returned."""


def evidence(function: Function, node: ast.AST, says: str) -> Evidence:
    """A node of a function as evidence."""
    return Evidence(place=function.place(node), says=says)


def name_of(expression: ast.AST) -> str:
    """A chain of names as written, such as `self.flow.inference`; "" for anything else."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    return ".".join([expression.id, *reversed(parts)]) if isinstance(expression, ast.Name) else ""


def origin(module: Module, expression: ast.AST) -> str:
    """A chain of names with its import resolved: `F.pad` after `import torch.nn.functional as F` is the long name."""
    first, dot, rest = name_of(expression).partition(".")
    return module.imports.get(first, (first,))[-1] + dot + rest


def last_name(expression: ast.AST) -> str:
    """The last part of what is called or read: `run` of `self.sessions[0].run`."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def calls(function: Function, *origins: str) -> Iterator[ast.Call]:
    """The calls in a function, or those of what is named `origins`, imports resolved."""
    for node in function.nodes:
        if isinstance(node, ast.Call) and (not origins or origin(function.module, node.func) in origins):
            yield node


def calls_of(function: Function, *names: str) -> Iterator[ast.Call]:
    """The calls of anything whose last name is one of `names`: `x.y.item()` for `item`."""
    return (call for call in calls(function) if last_name(call.func) in names)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value that a call gives to a keyword."""
    return next((given.value for given in call.keywords if given.arg == name), None)


def assignments(function: Function) -> Iterator[tuple[ast.expr, ast.AST, ast.stmt]]:
    """Each target, value and statement of what a function assigns; of `a, b = f()`, both targets with the one value.

    What `a += b` computes is the whole statement.
    """
    for node in function.nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
                    values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(parts) else []
                    for index, part in enumerate(parts):
                        yield part, values[index] if values else value, node
            case ast.AnnAssign(target=target, value=value) if value is not None:
                yield target, value, node
            case ast.AugAssign(target=target):
                yield target, node, node
            case _:
                pass


def assigned_to(function: Function, value: ast.AST) -> ast.expr | None:
    """The target to which exactly this value is assigned, if it is."""
    return next((target for target, found, _ in assignments(function) if found is value), None)


def holds(expression: ast.AST, wanted: Callable[[ast.AST], bool]) -> bool:
    """Whether an expression has such a node in it, itself included."""
    return any(wanted(node) for node in ast.walk(expression))


def mentions(expression: ast.AST, name: str) -> bool:
    """Whether a name or a chain of names such as `self.device` is read in an expression."""
    return holds(expression, lambda node: isinstance(node, ast.Name | ast.Attribute) and name_of(node) == name)


def ancestors(function: Function, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Each node around `node` within its function, nearest first, with its child on the way."""
    while node is not function.node and node in function.module.parents:
        parent = function.module.parents[node]
        if parent is not function.node:
            yield parent, node
        node = parent


def in_loop(function: Function, node: ast.AST) -> bool:
    """Whether a node is run once for each turn of a loop of its function."""
    for parent, child in ancestors(function, node):
        if isinstance(parent, ast.For | ast.AsyncFor) and child in parent.body:
            return True
        if isinstance(parent, ast.While) and (child in parent.body or child is parent.test):
            return True
    return False


def conditions(function: Function, node: ast.AST) -> Iterator[ast.expr]:
    """The tests of the `if` statements in whose body a node stands."""
    for parent, child in ancestors(function, node):
        if isinstance(parent, ast.If) and child in parent.body:
            yield parent.test


def looked_up(function: Function, node: ast.AST) -> bool:
    """Whether a node runs only where something is not kept yet: under `if key not in kept` or `if kept is None`."""
    return any(
        holds(test, lambda part: isinstance(part, ast.Compare) and isinstance(part.ops[0], ast.NotIn))
        or holds(test, _is_none)
        or (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))
        for test in conditions(function, node)
    )


def _is_none(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.Is)
        and isinstance(node.comparators[0], ast.Constant)
        and node.comparators[0].value is None
    )


def memoised(function: Function) -> bool:
    """Whether a decorator keeps what the function has returned."""
    decorators = getattr(function.node, "decorator_list", [])
    plain = [node.func if isinstance(node, ast.Call) else node for node in decorators]
    return any(last_name(node) in MEMOISERS for node in plain)


def yields(function: Function) -> bool:
    """Whether a function is a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in function.nodes)


def attributes_made_by(owner: Class, wanted: Callable[[Function, ast.AST], bool]) -> dict[str, Function]:
    """Attributes that methods of a class set to such a value, as `self.name`, each with the method that does."""
    return {
        name_of(target): method
        for method in owner.methods.values()
        for target, value, _ in assignments(method)
        if name_of(target).startswith("self.") and wanted(method, value)
    }
