"""Which generation of CosyVoice a tree is: what an adapter has to know to speak with it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from harness.inspecting.findings import Fact, Place
from harness.inspecting.reading import assignments, calls, keyword, last_name, name_of, origin
from harness.inspecting.roles import applications, engines, facades, front_ends, is_loader, methods_of
from harness.inspecting.rules.cleanup import CLEANUPS
from harness.inspecting.rules.resample import built
from harness.inspecting.rules.speakers import REGISTER, SPEAKER_ID, extractors
from harness.inspecting.source import Class, Function, Tree


def facts(tree: Tree, own: Tree) -> Iterator[Fact]:
    """What there is to know, in the order in which reports have it; `own` is the part of the tree that is CosyVoice."""
    yield from (_engine(tree, one) for one in engines(tree))
    for about, parts in (("front end", front_ends(tree)), ("facade", facades(tree))):
        yield from (Fact(about=about, found=one.name, places=(one.place,)) for one in parts)
    yield _prompt(tree)
    yield _resample(tree)
    yield from _speakers(tree)
    files = {function.module for function in applications(tree)}
    yield _cleanups([*own.functions, *(function for function in tree.functions if function.module in files)])


def generation(tree: Tree, engine: Class) -> int:
    """1, 2 or 3: chunks of an engine of the first have no offset, the second keeps the vocoder's source between them."""
    token2wav = tree.methods(engine).get("token2wav")
    if token2wav is None or "token_offset" not in token2wav.parameters:
        return 1
    vocoder = [call for call in calls(token2wav) if name_of(call.func).endswith("hift.inference")]
    return 3 if vocoder and all(keyword(call, "cache_source") is None for call in vocoder) else 2


def _engine(tree: Tree, engine: Class) -> Fact:
    return Fact(about="engine", found=f"{engine.name}, of CosyVoice {generation(tree, engine)}", places=(engine.place,))


def _prompt(tree: Tree) -> Fact:
    """Whether methods take the path of a recording, which the front end then reads, or audio at 16 kHz."""
    readers = {function.name for function in tree.functions if is_loader(function)}
    places = [
        function.place(call)
        for front_end in front_ends(tree)
        for function in front_end.methods.values()
        for call in calls(function)
        if last_name(call.func) in readers
        or origin(function.module, call.func) in {"torchaudio.load", "soundfile.read"}
    ]
    if places:
        return Fact(about="prompt", found="a path; the front end reads the recording", places=tuple(places))
    takers = [
        function.place(function.node)
        for front_end in front_ends(tree)
        for name, function in front_end.methods.items()
        if name in extractors(front_end)
    ]
    return Fact(about="prompt", found="a tensor at 16 kHz; the caller reads the recording", places=tuple(takers))


def _resample(tree: Tree) -> Fact:
    found = list(built(tree))
    names = ", ".join(dict.fromkeys(function.name or "<module>" for function, _ in found))
    places = tuple(function.place(call) for function, call in found)
    return Fact(about="Resample", found=f"built in {names}" if found else "not built in a request", places=places)


def _speakers(tree: Tree) -> Iterator[Fact]:
    """How speakers can be registered, and whether a request leaves them as they are."""
    yield from (_store(one, name) for one in front_ends(tree) for name in _stores(one))
    registering = [function for function in methods_of(facades(tree)) if function.name == REGISTER]
    takers = [function for function in methods_of(facades(tree)) if SPEAKER_ID in function.parameters]
    asking = ", ".join(function.name for function in takers if function.name != REGISTER)
    if registering and asking:
        found = f"{REGISTER} keeps features; {SPEAKER_ID} of {asking} uses them"
    else:
        found = f"no {REGISTER} with {SPEAKER_ID}: a speaker cannot be registered"
    yield Fact(about="speakers", found=found, places=tuple(function.place(function.node) for function in registering))
    harmed = tuple(_deletions(tree))
    if harmed:
        found = "a request changes the registered speaker, so that a second such request fails"
        yield Fact(about="hazard", found=found, places=harmed)


def _stores(front_end: Class) -> list[str]:
    """Attributes of a front end from which features are taken by a speaker's name: `self.spk2info[spk_id]`."""
    found = {
        name_of(node.value): None
        for method in front_end.methods.values()
        for node in method.nodes
        if isinstance(node, ast.Subscript)
        and name_of(node.value).startswith("self.")
        and name_of(node.slice).endswith("spk_id")
        and name_of(node.slice) in method.parameters
    }
    return list(found)


def _store(front_end: Class, name: str) -> Fact:
    filled = [
        (method, value, statement)
        for method in front_end.methods.values()
        for target, value, statement in assignments(method)
        if name_of(target) == name
    ]
    read = any(isinstance(value, ast.Call) and last_name(value.func).startswith("load") for _, value, _ in filled)
    places = tuple(method.place(statement) for method, _, statement in filled)
    return Fact(about="speakers", found=f"{name} holds them{', read from a file' if read else ''}", places=places)


def _deletions(tree: Tree) -> Iterator[Place]:
    """Where keys are deleted from what a method hands out of the speakers' store without a copy."""
    for front_end in front_ends(tree):
        handing = {name for name, method in front_end.methods.items() if _hands_out_the_store(method)}
        for method in front_end.methods.values():
            given = {
                name_of(target)
                for target, value, _ in assignments(method)
                if isinstance(value, ast.Call) and last_name(value.func) in handing and SPEAKER_ID in method.parameters
            }
            for node in method.nodes:
                if isinstance(node, ast.Delete) and any(_is_entry(target, given) for target in node.targets):
                    yield method.place(node)


def _hands_out_the_store(method: Function) -> bool:
    return any(
        isinstance(value, ast.Subscript)
        and name_of(value.value).startswith("self.")
        and SPEAKER_ID in ast.unparse(value.slice)
        for _, value, _ in assignments(method)
    )


def _is_entry(target: ast.expr, names: set[str]) -> bool:
    return isinstance(target, ast.Subscript) and name_of(target.value) in names


def _cleanups(functions: Iterable[Function]) -> Fact:
    """Every call that gives memory back or waits for the device, wherever in these it stands."""
    found = [
        (origin(function.module, call.func) or last_name(call.func), function.place(call))
        for function in dict.fromkeys(functions)
        for call in calls(function)
        if origin(function.module, call.func) in CLEANUPS or last_name(call.func) == "synchronize"
    ]
    counts = {name: sum(other == name for other, _ in found) for name, _ in found}
    told = ", ".join(f"{name} {f'{count} times' if count > 1 else 'once'}" for name, count in counts.items())
    return Fact(about="cleanup", found=told or "none", places=tuple(place for _, place in found))
