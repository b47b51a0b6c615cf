"""What the language model does in each step beside what its answer needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import attributes_made_by, calls, calls_of, evidence, holds, keyword, last_name, name_of
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Class, Function, Tree

_HEAD = "ForCausalLM"
_CACHE = "past_key_values"
_KEPT = {"key_cache", "value_cache", "k_cache", "v_cache", "cache_k", "cache_v"}
"""Names of kept keys and values; a convolution's cache is none."""


@loss(
    "The LLM's text head is computed and thrown away",
    "LLM CPU time 15.3 -> 10.9 s, same audio",
    mended_by="skipped_text_head",
)
def unused_text_head(tree: Tree) -> Answer:
    """Each step computes scores of the whole text vocabulary and keeps every layer's output, though only the last hidden
    state is read.
    """
    costs: list[Evidence] = []
    avoided: list[Evidence] = []
    for function, call, attribute in _steps(tree):
        called = name_of(call.func)
        if called != attribute:
            avoided.append(evidence(function, call, f"{called} is the model without its head"))
        elif not any(isinstance(node, ast.Attribute) and node.attr == "logits" for node in function.nodes):
            every = ", and keeps the output of every layer" if keyword(call, "output_hidden_states") is not None else ""
            costs.append(evidence(function, call, f"calls the model with its text head and reads no logits{every}"))
    return Answer(
        costs=tuple(costs), avoided=tuple(avoided), reason=f"no decoding step calls a transformers model {_HEAD}"
    )


@loss("The KV cache grows by copying", "a step of 24 -> 2.9 ms with a static cache, a CUDA graph and bf16, on an H100")
def cache_grows(tree: Tree) -> Answer:
    """A cache that is concatenated anew for every token copies all that it holds, and its changing shape keeps CUDA graphs
    from being used.
    """
    avoided = [
        evidence(function, call, "a cache of fixed size") for function in tree.functions for call in _static(function)
    ]
    costs = [
        evidence(function, call, f"passes {_CACHE} that starts empty and grows by a token a step")
        for function, call, _ in _steps(tree)
        if not avoided
    ]
    costs += [evidence(function, call, "joins old and new keys or values") for function, call in _joined(tree)]
    reason = "no decoding step keeps keys and values"
    return Answer(costs=tuple(costs), avoided=tuple(avoided), reason=reason)


def _steps(tree: Tree) -> Iterator[tuple[Function, ast.Call, str]]:
    """The calls by which a class runs one decoding step of a causal language model that it holds, with the attribute."""
    for owner in tree.classes:
        for attribute in attributes_made_by(owner, _is_language_model):
            yield from ((function, call, attribute) for function, call in _calls_with_cache(owner, attribute))


def _is_language_model(_: Function, value: ast.AST) -> bool:
    return isinstance(value, ast.Call) and holds(
        value, lambda node: isinstance(node, ast.Name | ast.Attribute) and last_name(node).endswith(_HEAD)
    )


def _calls_with_cache(owner: Class, attribute: str) -> Iterator[tuple[Function, ast.Call]]:
    for method in owner.methods.values():
        for call in calls(method):
            called = name_of(call.func)
            if keyword(call, _CACHE) is not None and (called == attribute or called.startswith(f"{attribute}.")):
                yield method, call


def _static(function: Function) -> Iterator[ast.Call]:
    yield from calls_of(function, "StaticCache")
    for call in calls(function):
        kind = keyword(call, "cache_implementation")
        if isinstance(kind, ast.Constant) and kind.value == "static":
            yield call


def _joined(tree: Tree) -> Iterator[tuple[Function, ast.Call]]:
    """Concatenations of a cache with what is new, in code that computes attention."""
    for function in tree.functions:
        for call in calls(function, "torch.cat", "torch.concat"):
            parts = call.args[0].elts if call.args and isinstance(call.args[0], ast.List | ast.Tuple) else []
            first = last_name(parts[0]) if parts else ""
            if len(parts) > 1 and (first in _KEPT or first.startswith("past_")):
                yield function, call
