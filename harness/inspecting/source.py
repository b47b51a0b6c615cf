"""A tree of Python files, parsed once and never run: its classes and functions, each with the nodes that are its own."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageError
from harness.inspecting.findings import Place, Unread

MOST_FILES = 3000
"""A CosyVoice repository with all that belongs to it has about 200 Python files; beyond this, PATH is a wrong folder."""
_LEFT_OUT = {"__pycache__", "node_modules", "site-packages", "dist-packages", "build", "venv"}
_Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, eq=False)
class Module:
    """A parsed file: `imports` says for each imported name what it stands for, every origin where there are several."""

    file: str
    lines: Sequence[str]
    imports: Mapping[str, tuple[str, ...]]
    parents: Mapping[ast.AST, ast.AST]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function, a method, or what a module does when it is imported (`name` is then ""); `nodes` are in source order.

    `owner` is the class of a method, "" elsewhere. The nodes of functions inside this one are theirs, not this one's.
    """

    name: str
    qualname: str
    owner: str
    parameters: tuple[str, ...]
    node: ast.AST
    nodes: tuple[ast.AST, ...]
    module: Module

    def place(self, node: ast.AST) -> Place:
        """Where `node` stands."""
        line = getattr(node, "lineno", 1)
        code = self.module.lines[line - 1].strip() if line <= len(self.module.lines) else ""
        return Place(file=self.module.file, line=line, function=self.qualname, code=code)


@dataclass(frozen=True, slots=True, eq=False)
class Class:
    """A class: its bases by the last part of their names, and its own methods."""

    name: str
    bases: tuple[str, ...]
    methods: Mapping[str, Function]
    node: ast.ClassDef
    module: Module

    @property
    def place(self) -> Place:
        """Where the class begins."""
        line = self.node.lineno
        return Place(file=self.module.file, line=line, function=self.name, code=self.module.lines[line - 1].strip())


@dataclass(slots=True)
class Tree:
    """All that was parsed below a path."""

    root: Path
    modules: list[Module] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def family(self, start: Class) -> list[Class]:
        """A class and those that it inherits from, as far as they are in this tree, the nearest first."""
        found: list[Class] = []
        waiting = [start]
        while waiting:
            current = waiting.pop(0)
            if current not in found:
                found.append(current)
                waiting += [base for name in current.bases if (base := self._named(name, current.module)) is not None]
        return found

    def methods(self, start: Class) -> dict[str, Function]:
        """The methods of a class by name, its own and those that it inherits."""
        found: dict[str, Function] = {}
        for ancestor in self.family(start):
            found = {**ancestor.methods, **found}
        return found

    def below(self, folder: Path) -> Tree:
        """The part of this tree in a folder, which is relative to the tree's; files keep their names."""
        inside = [module for module in self.modules if Path(module.file).is_relative_to(folder)]
        return Tree(
            root=self.root,
            modules=inside,
            functions=[function for function in self.functions if function.module in inside],
            classes=[one for one in self.classes if one.module in inside],
        )

    def _named(self, name: str, near: Module) -> Class | None:
        known = [candidate for candidate in self.classes if candidate.name == name]
        return next((candidate for candidate in known if candidate.module is near), next(iter(known), None))


def read(path: Path) -> Tree:
    """Parse every Python file at or below `path`. Raises UsageError where there is none, or where there are too many."""
    files = list(_python_files(path))
    if len(files) > MOST_FILES:
        message = f"{path} holds more than {MOST_FILES} Python files; name the folder in it that holds CosyVoice"
        raise UsageError(message)
    tree = Tree(root=path if path.is_dir() else path.parent)
    for file in files:
        _parse(tree, file)
    return tree


def _python_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".py"))


def _parse(tree: Tree, path: Path) -> None:
    file = path.relative_to(tree.root).as_posix()
    try:
        text = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape in the inspected code that a newer Python warns about
            parsed = ast.parse(text)
    except SyntaxError as error:
        tree.unread.append(Unread(file=file, line=error.lineno, reason=error.msg))
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        tree.unread.append(Unread(file=file, line=None, reason=str(error) or type(error).__name__))
    else:
        parents = {child: parent for parent in ast.walk(parsed) for child in ast.iter_child_nodes(parent)}
        lines = text.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        module = Module(file=file, lines=lines, imports=_imports(parsed), parents=parents)
        tree.modules.append(module)
        _index(tree, module, parsed)


def _imports(parsed: ast.Module) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            bound = [(alias.asname, alias.name) for alias in node.names if alias.asname]
            bound += [(alias.name.partition(".")[0],) * 2 for alias in node.names if not alias.asname]
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            bound = [(alias.asname or alias.name, start + alias.name) for alias in node.names]
        else:
            continue
        for name, origin in bound:
            found[name] = (*found.get(name, ()), origin)
    return found


def _index(tree: Tree, module: Module, parsed: ast.Module) -> None:
    """Put the classes and functions of a file into the tree, those inside others too."""
    tree.functions.append(_function(module, parsed, "<module>", "", ()))
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(parsed, ())]
    while waiting:
        scope, names = waiting.pop()
        for node in _definitions(scope):
            inside = (*names, node.name)
            waiting.append((node, inside))
            if isinstance(node, ast.ClassDef):
                tree.classes.append(_class(module, node, inside))
                tree.functions += tree.classes[-1].methods.values()
            elif not isinstance(scope, ast.ClassDef):
                tree.functions.append(_function(module, node, ".".join(inside), "", _parameters(node)))


def _class(module: Module, node: ast.ClassDef, names: tuple[str, ...]) -> Class:
    methods = {
        child.name: _function(module, child, ".".join((*names, child.name)), node.name, _parameters(child))
        for child in _definitions(node)
        if not isinstance(child, ast.ClassDef)
    }
    bases = tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)
    return Class(name=node.name, bases=bases, methods=methods, node=node, module=module)


def _function(module: Module, node: ast.AST, qualname: str, owner: str, parameters: tuple[str, ...]) -> Function:
    return Function(
        name="" if isinstance(node, ast.Module) else qualname.rpartition(".")[2],
        qualname=qualname, owner=owner, parameters=parameters, node=node, nodes=tuple(_own_nodes(node)), module=module,
    )  # fmt: skip


def _parameters(node: _Def) -> tuple[str, ...]:
    given = node.args
    return tuple(each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs))


def _definitions(scope: ast.AST) -> Iterator[_Def | ast.ClassDef]:
    """The functions and classes that are defined in a scope, also under an `if` or a `try`, in source order."""
    waiting = list(reversed(getattr(scope, "body", [])))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Def | ast.ClassDef):
            yield node
        elif isinstance(node, ast.stmt | ast.excepthandler):
            waiting += reversed(list(ast.iter_child_nodes(node)))


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope's body, parents before children; for a module also what its classes' bodies do."""
    waiting = list(reversed(getattr(scope, "body", [])))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Def):
            continue
        if not isinstance(node, ast.ClassDef):
            yield node
        elif not isinstance(scope, ast.Module):
            continue
        children = node.body if isinstance(node, ast.ClassDef) else list(ast.iter_child_nodes(node))
        waiting += reversed(children)
