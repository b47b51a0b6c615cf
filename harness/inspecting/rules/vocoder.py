"""What the vocoder keeps from training."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.inspecting.findings import Answer, Evidence
from harness.inspecting.reading import calls_of, evidence
from harness.inspecting.roles import on_request_path
from harness.inspecting.rules.rule import loss
from harness.inspecting.source import Function, Tree

_NEW_STYLE = "torch.nn.utils.parametrizations.weight_norm"
_REMOVERS = ("remove_weight_norm", "remove_parametrizations")


@loss("Weight norm is kept while speaking", mended_by="folded_weight_norm")
def weight_norm_kept(tree: Tree) -> Answer:
    """A convolution with weight norm computes its weights from direction and length in each call, which only training
    needs.
    """
    removed = [evidence(function, call, "weight norm is taken off") for function, call in _removals(tree)]
    if removed:
        return Answer(avoided=tuple(removed))
    costs: list[Evidence] = []
    for function in tree.functions:
        normed = list(calls_of(function, "weight_norm"))
        if normed and not _is_for_training(function):
            says = f"{len(normed)} place{'s' * (len(normed) > 1)} in {function.qualname}{_remover_fails(function)}"
            costs.append(evidence(function, normed[0], says))
    return Answer(costs=tuple(costs), reason="no network has weight norm")


def _removals(tree: Tree) -> Iterator[tuple[Function, ast.Call]]:
    """Calls that take weight norm off, other than those inside a remover that nobody calls."""
    for function in on_request_path(tree):
        if function.name not in _REMOVERS:
            for call in calls_of(function, *_REMOVERS):
                yield function, call


def _is_for_training(function: Function) -> bool:
    return "discriminator" in function.owner.lower()


def _remover_fails(function: Function) -> str:
    """Upstream's remover is of the old style and raises for weight norm of the new style."""
    imports = function.module.imports
    mixed = _NEW_STYLE in imports.get("weight_norm", ()) and "remove_weight_norm" in imports
    return "; its remover is of torch's older kind and raises" if mixed else ""
