"""Where patterns are given to `re` as text, and where they are compiled once."""

from __future__ import annotations

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import calls, evidence, last_name, memoised
from harness.inspecting.roles import on_request_path, without_front_end
from harness.inspecting.rules.rule import toggle
from harness.inspecting.source import Tree

_LIBRARIES = ("re", "regex")
_BY_TEXT = ("search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer")
_SEARCHES = tuple(f"{library}.{name}" for library in _LIBRARIES for name in _BY_TEXT)
_COMPILES = tuple(f"{library}.compile" for library in _LIBRARIES)


@toggle
def precompiled_regex(tree: Tree) -> Answer:
    """Each search by a pattern's text looks the compiled pattern up in a cache of the library."""
    costs: list[Evidence] = []
    compiled: list[Evidence] = []
    path = on_request_path(tree)
    for function in path:
        costs += [
            evidence(function, call, f"{last_name(call.func)} gets its pattern as text")
            for call in calls(function, *_SEARCHES)
        ]
        for call in calls(function, *_COMPILES):
            if function.name == "__init__" or memoised(function):
                compiled.append(evidence(function, call, "compiled once"))
            else:
                costs.append(evidence(function, call, f"compiled in each call of {function.name}"))
    modules = {function.module for function in path}
    for function in tree.functions:
        if not function.name and function.module in modules:
            compiled += [evidence(function, call, "compiled once") for call in calls(function, *_COMPILES)]
    reason = without_front_end(tree) or "no request searches by a regular expression"
    return Answer(costs=tuple(costs), avoided=tuple(compiled), reason=reason)
