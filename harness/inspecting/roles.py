"""Which classes play which part in a CosyVoice, told by the methods they have and what these take.

The *engine* holds the three networks and speaks a segment (`tts`, `token2wav`); the *front end* makes its inputs from text
and a recording; the *facade* has the public `inference_*` methods. Forks rename classes and files, and keep these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from harness.errors import UsageError, nearest
from harness.inspecting.reading import calls, last_name, name_of, origin
from harness.inspecting.source import Class, Function, Tree

ENGINE = ("tts", "token2wav")
SPEAKING = ("tts", "inference", "vc")
"""Methods of an engine that are called once for each segment; the first engines had no `tts`."""
FRONT_END = ("text_normalize", "frontend_zero_shot", "frontend_sft", "_extract_speech_token", "_extract_spk_embedding")
FACADE = ("inference_zero_shot", "inference_sft", "inference_cross_lingual")
_ENOUGH = 2
"""Of the methods of a front end or a facade, so many tell one."""
_NETWORKS = ("llm", "flow", "hift")


def engines(tree: Tree) -> list[Class]:
    """Classes that turn a segment's tokens into audio."""
    return [one for one in tree.classes if _is_engine(tree, one)]


def front_ends(tree: Tree) -> list[Class]:
    """Classes that make a model's inputs from text and a recording."""
    return [one for one in tree.classes if _count(tree, one, FRONT_END) >= _ENOUGH]


def facades(tree: Tree) -> list[Class]:
    """Classes with the public methods, one for each kind of request."""
    return [one for one in tree.classes if _count(tree, one, FACADE) >= _ENOUGH]


def methods_of(classes: Iterable[Class]) -> Iterator[Function]:
    """The own methods of several classes."""
    for one in classes:
        yield from one.methods.values()


def applications(tree: Tree) -> list[Function]:
    """Functions outside the facade that ask a CosyVoice for speech: somebody's service, or an example."""
    inside = set(methods_of([*engines(tree), *front_ends(tree), *facades(tree)]))
    public = {name for one in facades(tree) for name in tree.methods(one) if name.startswith("inference_")}
    return [
        function
        for function in tree.functions
        if function not in inside and any(last_name(call.func) in public for call in calls(function))
    ]


def on_request_path(tree: Tree) -> list[Function]:
    """What a request may run, as far as plain names show it: the three parts, applications, and what they call by name."""
    parts = [*engines(tree), *front_ends(tree), *facades(tree)]
    waiting = [*methods_of(parts), *applications(tree)]
    by_name: dict[str, list[Function]] = {}
    for function in tree.functions:
        by_name.setdefault(function.name, []).append(function)
    found: dict[Function, None] = {}
    while waiting:
        function = waiting.pop(0)
        if function not in found:
            found[function] = None
            waiting += _called(function, by_name)
    return list(found)


def without_front_end(tree: Tree) -> str:
    """Why nothing is known of what a front end does, where none was recognised; otherwise ""."""
    return "" if front_ends(tree) else "no front end was found here, so that what it does is not known"


def home(tree: Tree) -> Path:
    """The folder, relative to the tree's, with the engine's file and the networks that it runs; what is beside it is not CosyVoice.

    Repositories have other people's code next to CosyVoice's own, such as the flow-matching package that it builds on.
    """
    parts = [PurePosixPath(one.module.file) for one in [*engines(tree), *front_ends(tree), *facades(tree)]]
    folders = [set(part.parents) for part in parts]
    shared = set.intersection(*folders)
    networks = [one.module.file for one in tree.classes if _is_network(one)]
    for folder in sorted(shared, key=lambda each: len(each.parts), reverse=True):
        if any(PurePosixPath(file).is_relative_to(folder) for file in networks):
            return Path(folder)
    return Path()


def _is_network(one: Class) -> bool:
    """Whether a class speaks tokens or frames: its `inference` continues those of a prompt."""
    taken = one.methods["inference"].parameters if "inference" in one.methods else ()
    return "prompt_speech_token" in taken or "prompt_feat" in taken


def require(tree: Tree, path: Path) -> None:
    """Raise UsageError, with the nearest thing that was found, where a tree has no part of a CosyVoice."""
    if engines(tree) or front_ends(tree) or facades(tree):
        return
    wanted = f"a class with {' and '.join(ENGINE)} (the engine), or two of {', '.join(FRONT_END)} (the front end)"
    unread = f", and {len(tree.unread)} that could not be parsed" if tree.unread else ""
    message = (
        f"{path}: no CosyVoice here: looked in {len(tree.modules)} Python files{unread} for {wanted}{_nearest(tree)}"
    )
    raise UsageError(message)


def existing(path: Path) -> Path:
    """The path, or UsageError with the nearest spelling."""
    if not path.exists():
        siblings = [str(other) for other in path.parent.iterdir()] if path.parent.is_dir() else []
        message = f"{path}: there is no such folder{nearest(str(path), siblings)}"
        raise UsageError(message)
    return path


def _is_engine(tree: Tree, one: Class) -> bool:
    methods = tree.methods(one)
    built_from = methods["__init__"].parameters if "__init__" in methods else ()
    if all(name in built_from for name in _NETWORKS):
        return any(name in methods for name in (*SPEAKING, *ENGINE))
    return all(name in methods for name in ENGINE) and "token" in methods["token2wav"].parameters


def _count(tree: Tree, one: Class, names: tuple[str, ...]) -> int:
    methods = tree.methods(one)
    return sum(name in methods for name in names)


def _called(function: Function, by_name: Mapping[str, list[Function]]) -> Iterator[Function]:
    """The functions of the tree that a function calls by their names, and other methods of its own class."""
    for call in calls(function):
        written = name_of(call.func)
        if written.startswith("self.") and written.count(".") == 1:
            same = by_name.get(last_name(call.func), ())
            yield from (other for other in same if other.owner and other.module is function.module)
        elif written:
            full = origin(function.module, call.func)
            yield from (other for other in by_name.get(last_name(call.func), ()) if _is_meant(function, full, other))


def _is_meant(caller: Function, full: str, other: Function) -> bool:
    """Whether a call of `full` in a function may be of this one: in the same file, or where the import leads."""
    if other.owner:
        return False
    folder = full.rpartition(".")[0].replace(".", "/")
    if not folder:
        return other.module is caller.module
    own = f"/{other.module.file}"
    return any(own.endswith(meant) or meant.endswith(own) for meant in (f"/{folder}.py", f"/{folder}/__init__.py"))


def _nearest(tree: Tree) -> str:
    known = {*ENGINE, *FRONT_END, *FACADE}
    scored = [(len(known & set(one.methods)), one) for one in tree.classes]
    best = max(scored, key=lambda pair: pair[0], default=(0, None))
    if best[1] is None or best[0] == 0:
        return ""
    has = ", ".join(sorted(known & set(best[1].methods)))
    return f"; the nearest is the class {best[1].name} in {best[1].place}, which has {has}"


def is_loader(function: Function) -> bool:
    """Whether a function reads a recording from a file."""
    readers = ("torchaudio.load", "soundfile.read", "librosa.load")
    return not function.owner and bool(list(calls(function, *readers)))
