"""What there is to choose from, as plain data for `harness list`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.optimizations import registry

_WITHOUT_DIMENSIONS = {
    "checkout": "your own CosyVoice, the public code or a fork of it, unmodified (docs/checkout.md)",
    "fake": "planted costs and faults on a clock of its own, for tests",
    "planted": "a call of known cost, to see whether a slow-down of known size is found",
    "vits": "a voice with real weights, run by onnxruntime (extra: voice)",
}


def optimizations() -> list[dict[str, Any]]:
    """Every toggle, from its own file."""
    return [
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
            "doc": toggle.doc,
        }
        for _, toggle in sorted(registry().items())
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
