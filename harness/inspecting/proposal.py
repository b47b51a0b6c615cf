"""A scenario that measures the toggles that apply, for the adapter `checkout`."""

from __future__ import annotations

import json
from pathlib import Path

from harness.errors import UsageError
from harness.inspecting.findings import Finding, Inspection
from harness.optimizations import registry

_STATES = {"precompiled_regex": "{before: false, after: {patterns: all}}"}
"""Toggles that are not simply turned on: upstream has compiled the patterns that the default compiles."""

_MODELS = "pretrained_models"
"""The folder in a checkout into which the public code's own instructions download models."""
_ABOVE = 3
"""So many folders above what was inspected may have it."""


def scenario(inspection: Inspection) -> str:
    """The YAML of a scenario. Raises UsageError where no toggle applies."""
    if not inspection.toggles:
        message = f"no toggle applies to {inspection.path}, so that a scenario would have nothing to compare"
        raise UsageError(message)
    chosen, excluded = _together(inspection.toggles)
    lines = [
        "# Written by `harness inspect`: the optimizations that apply to this code, and where. Measuring it RUNS its code.",
        "name: my-cosyvoice",
        "model:",
        "  adapter: checkout",
        f"  path: {_quoted(Path(inspection.path).absolute().as_posix())}",
        *_weights(Path(inspection.path)),
        "  # python: path/to/python  # the interpreter in which this code runs, unless it is the harness's own",
        "devices: [cpu, cuda]",
        "workload:",
        "  # A text of several segments, so that what is done after each of them is done often.",
        "  texts: {zh: builtin:long, en: builtin:long}",
        "optimizations:",
    ]
    for finding in inspection.of("toggle"):
        if finding.id in chosen:
            lines.append(f"  {finding.id}: {_STATES.get(finding.id, 'true')}  # {_where(finding)}")
        elif finding.id in excluded:
            lines.append(
                f"  # {finding.id}: true  # applies too, but cannot stand together with {excluded[finding.id]}"
            )
        else:
            lines.append(f"  # {finding.id}: {finding.state}{_reason(finding)}")
    lines += _losses(inspection)
    return "\n".join(lines) + "\n"


def _losses(inspection: Inspection) -> list[str]:
    """Toggles that mend losses that were found, to be turned on by hand: the text of a request need not stream."""
    mended = [finding for finding in inspection.of("loss") if finding.state == "found" and finding.mended_by]
    heading = [
        "  # What else costs time; hop_reset and event_wait show in requests that stream (workload: stream: true)."
    ]
    return [*(heading if mended else []), *(f"  # {each.mended_by}: true  # {_where(each)}" for each in mended)]


def _weights(path: Path) -> list[str]:
    """Where the model's folder lies: where the public code's own examples put it, or for the reader to say."""
    for folder in (path, *path.absolute().parents[:_ABOVE]):
        found = sorted(file.parent for file in folder.glob(f"{_MODELS}/*/cosyvoice*.yaml"))
        if found:
            more = f"  # or another of {len(found)} in {_MODELS}" if len(found) > 1 else ""
            return [f"  weights: {_quoted(found[0].absolute().as_posix())}{more}"]
    return [f"  weights: {_MODELS}/CosyVoice2-0.5B  # say where your model lies"]


def _together(names: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """The toggles that can stand together, the first of those that exclude each other, and the rest with their rivals."""
    chosen: list[str] = []
    excluded: dict[str, str] = {}
    for name in names:
        rival = next((other for other in registry()[name].excludes if other in chosen), None)
        if rival is None:
            chosen.append(name)
        else:
            excluded[name] = rival
    return chosen, excluded


def _where(finding: Finding) -> str:
    first, rest = finding.costs[0].place, len(finding.costs) - 1
    return " ".join(f"{first}{f' and {rest} more' if rest else ''}".split())


def _reason(finding: Finding) -> str:
    told = finding.reason or (str(finding.avoided[0].place) if finding.avoided else "")
    return " ".join(f": {told}".split()) if told else ""


def _quoted(text: str) -> str:
    """A string that YAML reads as it is: JSON's form is one of YAML's."""
    return json.dumps(text, ensure_ascii=False)
