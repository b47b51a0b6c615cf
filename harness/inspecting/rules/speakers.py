"""Whether a speaker's features are extracted in every request."""

from __future__ import annotations

import ast

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import calls, conditions, evidence, last_name, looked_up, memoised
from harness.inspecting.roles import front_ends
from harness.inspecting.rules.rule import toggle
from harness.inspecting.source import Class, Function, Tree

REGISTER = "add_zero_shot_spk"
SPEAKER_ID = "zero_shot_spk_id"


@toggle
def speaker_preregistration(tree: Tree) -> Answer:
    """Speech tokens, mel frames and embedding of a speaker's recording are computed anew in each request that brings it."""
    costs: list[Evidence] = []
    kept: list[Evidence] = []
    for front_end in front_ends(tree):
        extracting = extractors(front_end)
        for function in front_end.methods.values():
            found = [call for call in calls(function) if last_name(call.func) in extracting]
            if not found or function.name in extracting:
                continue
            if memoised(function) or all(looked_up(function, call) for call in found):
                kept.append(evidence(function, found[0], "extracted once for a speaker, and looked up after that"))
            else:
                told = ", ".join(dict.fromkeys(last_name(call.func) for call in found))
                costs.append(evidence(function, found[0], f"calls {told}{_unless(function, found[0])}"))
    return Answer(costs=tuple(costs), avoided=tuple(kept), reason="no front end extracts features of a recording")


def extractors(front_end: Class) -> set[str]:
    """The methods of a front end that compute features of a recording: by their names, or because they run a network."""
    return {
        name
        for name, method in front_end.methods.items()
        if name.startswith(("_extract_speech_", "_extract_spk_"))
        or any(last_name(call.func) == "run" and "session" in ast.unparse(call.func) for call in calls(method))
    }


def _unless(function: Function, call: ast.Call) -> str:
    tests = [node.id for test in conditions(function, call) for node in ast.walk(test) if isinstance(node, ast.Name)]
    return f", unless {SPEAKER_ID} names a registered speaker" if SPEAKER_ID in tests else ""
