"""What is copied between host and device, or computed in float64, though it could stay."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import (
    assigned_to,
    attributes_made_by,
    calls,
    calls_of,
    evidence,
    holds,
    last_name,
    name_of,
    origin,
)
from harness.inspecting.roles import engines, methods_of
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Class, Function, Tree

_WINDOWS = ("numpy.hamming", "numpy.hanning", "numpy.blackman", "numpy.bartlett", "numpy.kaiser")
_TENSORS = (
    "torch.randn",
    "torch.rand",
    "torch.from_numpy",
    "torch.tensor",
    "torch.hann_window",
    "torch.zeros",
    "torch.ones",
)


@loss("Windows and buffers go between host and device")
def host_round_trips(tree: Tree) -> Answer:
    """A cross-fade on the host, windows in float64, and buffers that live on the host and are moved in each call add copies,
    each of which may wait for the device.
    """
    costs: list[Evidence] = []
    buffers: list[Evidence] = []
    for function in methods_of(engines(tree)):
        windows = [call for call in calls(function, *_WINDOWS) if not _made_float32(function, call)]
        costs += [evidence(function, call, "a window in float64") for call in windows]
    costs += [each for function in tree.functions for each in _there_and_back(function)]
    for owner in tree.classes:
        costs += _moved_each_time(owner)
        for method in owner.methods.values():
            buffers += [
                evidence(method, call, "a buffer that moves with its module")
                for call in calls_of(method, "register_buffer")
            ]
    avoided = tuple(buffers) if not costs else ()
    return Answer(
        costs=tuple(costs), avoided=avoided, reason="no window in float64, and nothing is moved there and back"
    )


def _made_float32(function: Function, call: ast.Call) -> bool:
    """Whether a window is turned into float32 where it is made: `.astype(np.float32)`."""
    return any(
        isinstance(node, ast.Call)
        and last_name(node.func) in {"astype", "to", "tensor", "as_tensor"}
        and "float32" in ast.unparse(node)
        and holds(node, lambda part: part is call)
        for node in function.nodes
    )


def _there_and_back(function: Function) -> Iterator[Evidence]:
    """A function that takes its own arguments to the host and returns the result to their device."""
    back = any(
        isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and last_name(node.value.func) in {"to", "cuda"}
        for node in function.nodes
    )
    for call in calls_of(function, "cpu"):
        if back and isinstance(call.func, ast.Attribute) and name_of(call.func.value) in function.parameters:
            yield evidence(function, call, "moves its arguments to the host, and the result back")
            return


def _moved_each_time(owner: Class) -> Iterator[Evidence]:
    """Tensors that are plain attributes, so that they stay where they were made, and are moved where they are used."""
    kept = attributes_made_by(owner, _makes_tensor)
    for method in owner.methods.values():
        for call in calls_of(method, "to", "cuda"):
            if method.name != "__init__" and isinstance(call.func, ast.Attribute) and not _stays(method, call):
                moved = next((name for name in kept if _is_part_of(call.func.value, name)), None)
                if moved is not None:
                    yield evidence(method, call, f"{moved} is no buffer, and is moved in each call")


def _stays(method: Function, call: ast.Call) -> bool:
    """Whether what is moved is kept where it was moved to: `self.table = self.table.to(device)`."""
    target = assigned_to(method, call)
    return (
        target is not None
        and isinstance(call.func, ast.Attribute)
        and name_of(target) == name_of(call.func.value) != ""
    )


def _makes_tensor(function: Function, value: ast.AST) -> bool:
    return (
        function.name == "__init__" and isinstance(value, ast.Call) and origin(function.module, value.func) in _TENSORS
    )


def _is_part_of(expression: ast.AST, name: str) -> bool:
    """Whether an expression is the named tensor, or a slice of it."""
    while isinstance(expression, ast.Subscript):
        expression = expression.value
    return name_of(expression) == name
