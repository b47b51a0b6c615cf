"""What there is to choose from, as plain data for `harness list`, and the runs below a folder. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.optimizations import registry
from harness.plugins import names

if TYPE_CHECKING:
    from harness.report.listing import Found

_PAGES = ("report.html", "report.md", "run.json")
"""What of a run's folder is opened, the first that is there."""
_WITHOUT_DIMENSIONS = {
    "callable": "a function of your own, or a factory that makes one",
    "checkout": "your own CosyVoice, the public code or a fork of it, unmodified (docs/checkout.md)",
    "fake": "planted costs and faults on a clock of its own, for tests",
    "planted": "a call of known cost, to see whether a slow-down of known size is found",
    "vits": "a voice with real weights, run by onnxruntime (extra: voice)",
}


def optimizations() -> list[dict[str, Any]]:
    """Every toggle, from its own file; of those that an installed package brings only whose they are, because they are code."""
    ours = [
        {
            "name": toggle.name,
            "title": toggle.title,
            "parameters": toggle.parameters,
            "sites": list(toggle.sites),
            "witness": toggle.witness.unit,
            "check": toggle.check.grade,
            "isolation": toggle.isolation,
            "excludes": list(toggle.excludes),
            "seed_section": toggle.seed_section,
            "cache": None if toggle.cache is None else toggle.cache.told(),
            "doc": toggle.doc,
        }
        for _, toggle in sorted(registry().items())
    ]
    return [
        *ours,
        *(
            {"name": name, "title": f"of the package {place}", "package": str(place)}
            for name, place in sorted(names(()).items())
        ),
    ]


def scenarios() -> list[dict[str, Any]]:
    """The scenarios that ship, and what each shows."""
    from harness import scenario

    return [
        {"name": name, "file": str(path), "description": scenario.load(name).description}
        for name, path in scenario.shipped().items()
    ]


def models() -> list[dict[str, Any]]:
    """The models that can be measured, with their dimensions."""
    from harness.adapters import ADAPTERS
    from harness.models.cosyvoice2.config import SIZES

    found: list[dict[str, Any]] = []
    for adapter in ADAPTERS:
        if adapter == "cosyvoice2":
            found += [
                {"name": f"cosyvoice2 {size}", "adapter": adapter, **asdict(config)} for size, config in SIZES.items()
            ]
        else:
            found.append({"name": adapter, "adapter": adapter})
    return found


def table(items: Sequence[Mapping[str, Any]]) -> str:
    """A listing for a terminal: each item's name and its text."""
    width = max((len(item["name"]) for item in items), default=0)
    lines = []
    for item in items:
        text = item.get("title") or item.get("description") or _dimensions(item)
        if item.get("cache"):
            text += f" [a cache; key: {item['cache']['key']}]"
        lines.append(f"{item['name']:<{width}}  {' '.join(text.split())}")
    return "\n".join(lines)


def _dimensions(item: Mapping[str, Any]) -> str:
    if "llm" not in item:
        return _WITHOUT_DIMENSIONS[item["adapter"]]
    llm, flow, tokenizer, speaker = item["llm"], item["flow"], item["speech_tokenizer"], item["speaker_encoder"]
    return (
        f"LLM {llm['layers']} layers of {llm['hidden']}; flow {flow['width']} wide, {flow['euler_steps']} steps; speech "
        f"tokenizer {tokenizer['layers']} layers of {tokenizer['width']}; speaker encoder growth {speaker['growth']}"
    )


def runs(folder: Path, seen_from: Path) -> list[Found]:
    """Every run in `folder` and below, with its place as seen from another folder; without samples where it is finished.

    What cannot be read is among them, with the reason.
    """
    from harness import store

    return [_found(path, seen_from) for path in store.below(folder)]


def _found(path: Path, seen_from: Path) -> Found:
    from harness import compare, store
    from harness.report.listing import Found

    place = Path(os.path.relpath(path.resolve(), seen_from.resolve())).as_posix()
    file = next((name for name in _PAGES if (path / name).exists()), "")
    try:
        run = store.load(path, samples=False)
        if not run.complete and not run.contrasts:
            run = compare.evaluate(run)
    except HarnessError as error:
        return Found(place=place, run=None, file=file, fault=str(error).replace(f"{path}{os.sep}", ""))
    return Found(place=place, run=run, file=file)
