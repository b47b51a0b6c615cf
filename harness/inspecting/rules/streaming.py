"""What streaming does for each chunk beside computing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness import units
from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import (
    assignments,
    calls,
    calls_of,
    evidence,
    holds,
    in_loop,
    last_name,
    mentions,
    name_of,
    yields,
)
from harness.inspecting.roles import SPEAKING, engines, methods_of
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Class, Function, Tree


@loss(
    "The chunk length grows and is never reset",
    "after two requests streaming yields one chunk; results depend on the order of requests",
    mended_by="hop_reset",
)
def hop_never_reset(tree: Tree) -> Answer:
    """The number of tokens to wait for before a chunk is kept on the engine and only ever grows, so that later requests wait
    longer for their first audio.
    """
    costs: list[Evidence] = []
    avoided: list[Evidence] = []
    for engine, function in _streaming(tree):
        for name, value in _grown(function):
            if not name.startswith("self."):
                avoided.append(evidence(function, value, f"{name} grows, and starts anew in each request"))
            elif resets := list(_resets(engine, name)):
                avoided.append(resets[0])
            elif _read_elsewhere(function, name, value):
                costs.append(evidence(function, value, f"{name} grows, and nothing sets it back"))
    return Answer(costs=tuple(costs), avoided=tuple(avoided), reason="no engine lets its chunks grow")


@loss(
    "Streaming computes the whole prefix anew for every chunk",
    "1.8 times the frames for 3 s of audio, growing with length",
)
def prefix_recomputed(tree: Tree) -> Answer:
    """Each chunk gives all tokens so far to the flow (or all frames to the vocoder) and cuts away what was already spoken."""
    costs: list[Evidence] = []
    avoided: list[Evidence] = []
    for function in methods_of(engines(tree)):
        costs += [evidence(function, cut, says) for cut, says in _cut_away(function)]
        for target, value, statement in assignments(function):
            if in_loop(function, statement) and _drops_its_start(target, value):
                avoided.append(evidence(function, statement, "tokens that were spoken are dropped"))
    return Answer(costs=tuple(costs), avoided=tuple(avoided), reason="no engine streams")


@loss("Streaming sleeps to wait for tokens", "up to 100 ms a chunk", mended_by="event_wait")
def sleeping_to_wait(tree: Tree) -> Answer:
    """A loop that sleeps for a fixed time and looks again finds a chunk up to that time late."""
    costs: list[Evidence] = []
    avoided: list[Evidence] = []
    for function in tree.functions:
        if not yields(function):
            continue
        sleeps = [call for call in calls(function, "time.sleep") if in_loop(function, call)]
        costs += [evidence(function, call, f"sleeps {_duration(call)} in each turn") for call in sleeps]
        if function.name in SPEAKING:
            waits = [call for call in _waits(function) if in_loop(function, call)]
            avoided += [
                evidence(function, call, f"waits until it is told, by {last_name(call.func)}") for call in waits
            ]
    return Answer(costs=tuple(costs), avoided=tuple(avoided), reason="no generator waits in a loop")


def _waits(function: Function) -> Iterator[ast.Call]:
    """Calls that return when there is something: of a queue (whose `get` takes no key), an event or a condition."""
    yield from calls_of(function, "wait", "wait_for")
    yield from (call for call in calls_of(function, "get") if not call.args)


def _streaming(tree: Tree) -> Iterator[tuple[Class, Function]]:
    for engine in engines(tree):
        for function in engine.methods.values():
            if yields(function):
                yield engine, function


def _grown(function: Function) -> Iterator[tuple[str, ast.AST]]:
    """What a loop enlarges by a factor or up to a bound, as `hop = min(most, hop * factor)`, with its value; no mere counter."""
    for target, value, statement in assignments(function):
        name = name_of(target)
        scaled = isinstance(value, ast.AugAssign) and isinstance(value.op, ast.Mult)
        grows = not isinstance(value, ast.AugAssign) and any(_is_more(node, name) for node in ast.walk(value))
        if name and (scaled or grows) and in_loop(function, statement):
            yield name, value


def _is_more(node: ast.AST, name: str) -> bool:
    scales = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
    bounds = isinstance(node, ast.Call) and name_of(node.func) == "min"
    return (scales or bounds) and mentions(node, name)


def _resets(engine: Class, name: str) -> Iterator[Evidence]:
    for method in engine.methods.values():
        for target, value, statement in assignments(method):
            if method.name != "__init__" and name_of(target) == name and not mentions(value, name):
                yield evidence(method, statement, f"{name} is set back")


def _read_elsewhere(function: Function, name: str, growth: ast.AST) -> bool:
    """Whether a loop decides by the attribute: it is read in other places than its own growth."""
    own = set(ast.walk(growth))
    reads = (
        node
        for node in function.nodes
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node not in own
    )
    return any(name_of(node) == name for node in reads)


def _cut_away(function: Function) -> Iterator[tuple[ast.AST, str]]:
    """Where the result of a network is cut at an offset, and where all tokens so far are taken up to one."""
    computed = {
        name_of(target): name_of(value.func)
        for target, value, _ in assignments(function)
        if isinstance(value, ast.Call) and last_name(value.func) == "inference"
    }
    for _, value, statement in assignments(function):
        if not isinstance(value, ast.Subscript):
            continue
        source = name_of(value.value)
        lower = [part.lower for part in _slices(value) if part.lower is not None]
        if source in computed and any(holds(part, _is_offset) for part in lower):
            yield statement, f"cuts what {computed[source]} computed again"
    for node in function.nodes:
        if isinstance(node, ast.Subscript) and in_loop(function, node):
            for part in _slices(node):
                if part.lower is None and part.upper is not None and holds(part.upper, _is_offset):
                    yield node, "takes all tokens from the first on"


def _slices(node: ast.Subscript) -> list[ast.Slice]:
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return [part for part in inside if isinstance(part, ast.Slice)]


def _is_offset(node: ast.AST) -> bool:
    name = node.value if isinstance(node, ast.Constant) else last_name(node)
    return isinstance(name, str) and "offset" in name


def _drops_its_start(target: ast.expr, value: ast.AST) -> bool:
    """`x = x[n:]`, for a mapping's entry or a name."""
    if not isinstance(value, ast.Subscript) or ast.dump(value.value) != ast.dump(target).replace("Store()", "Load()"):
        return False
    return any(part.lower is not None and part.upper is None for part in _slices(value))


def _duration(call: ast.Call) -> str:
    value = call.args[0] if call.args else None
    if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
        return units.seconds(value.value, 3)
    return "for a time"
