"""speedscope's file format: what py-spy writes is read, what other profilers gave is written.

The format's description is https://www.speedscope.app/file-format-schema.json; of it only "sampled" profiles are used.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.profiles.stacks import Profile, Stack, frame

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_UNITS = {"s": "seconds", "bytes": "bytes"}


def samples(document: Mapping[str, Any]) -> Iterator[tuple[Stack, float]]:
    """(stack, 1) of each sample of each thread of a document."""
    frames = [
        frame(str(item["name"]), str(item.get("file") or ""), int(item.get("line") or 0))
        for item in document["shared"]["frames"]
    ]
    for thread in document["profiles"]:
        for sample in thread["samples"]:
            yield tuple(frames[index] for index in sample), 1.0


def from_samples(title: str, documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several documents as one, in the order of time; files are named from their package on."""
    frames: dict[tuple[str, str, int], int] = {}
    profiles = []
    for number, document in enumerate(documents, start=1):
        places = []
        for item in document["shared"]["frames"]:
            known = frame(str(item["name"]), str(item.get("file") or ""), int(item.get("line") or 0))
            places.append(frames.setdefault((known.name, known.file, known.line), len(frames)))
        for thread in document["profiles"]:
            name = f"process {number}, {thread['name']}" if len(documents) > 1 else thread["name"]
            renumbered = [[places[index] for index in sample] for sample in thread["samples"]]
            profiles.append({**thread, "name": name, "samples": renumbered})
    return _document(title, list(frames), profiles)


def from_profile(title: str, profile: Profile) -> dict[str, Any]:
    """A profile that has no order of time, its largest stacks first."""
    frames: dict[tuple[str, str, int], int] = {}
    profiles = []
    for number, turn in enumerate(profile.rounds, start=1):
        ranked = sorted(turn.weights.items(), key=lambda item: -item[1])
        indexes = [
            [frames.setdefault((known.name, known.file, known.line), len(frames)) for known in stack]
            for stack, _ in ranked
        ]
        weights = [weight * turn.each for _, weight in ranked]
        profiles.append({
            "type": "sampled", "name": f"process {number}", "unit": _UNITS[profile.unit], "startValue": 0,
            "endValue": sum(weights), "samples": indexes, "weights": weights,
        })  # fmt: skip
    return _document(title, list(frames), profiles)


def _document(title: str, frames: Sequence[tuple[str, str, int]], profiles: list[dict[str, Any]]) -> dict[str, Any]:
    told = [
        {"name": name, **({"file": file} if file else {}), **({"line": line} if line else {})}
        for name, file, line in frames
    ]
    return {
        "$schema": _SCHEMA, "name": title, "exporter": "tts-harness", "activeProfileIndex": 0,
        "shared": {"frames": told}, "profiles": profiles,
    }  # fmt: skip


def as_script(name: str, document: Mapping[str, Any]) -> str:
    """The document as the script that a speedscope opened from a file loads with `#localProfilePath=`.

    A page opened from a file may load scripts beside it, and nothing else.
    """
    encoded = base64.b64encode(json.dumps(document).encode()).decode("ascii")
    return f"speedscope.loadFileFromBase64({json.dumps(name)}, {json.dumps(encoded)})\n"
