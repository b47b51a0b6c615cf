"""What held memory at its peak, as profiles: of the host by memray, of a card by PyTorch's allocator."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from harness.errors import ProfileError
from harness.profiles.stacks import Frame, Profile, Round, Stack, frame, within_requests


def host(arm: str, file: Path, requests: int) -> Profile:
    """The host's memory at its highest moment, from what memray wrote. What was held before the requests is not in it."""
    try:
        from memray import FileReader
    except ImportError:
        message = "memray is not installed here (pip install 'tts-harness[profile]'; Linux and macOS)"
        raise ProfileError(message) from None
    found = []
    with FileReader(str(file)) as reader:
        for record in reader.get_high_watermark_allocation_records(merge_threads=True):
            stack = tuple(frame(name, path, 0) for name, path, _ in reversed(record.stack_trace()))
            found.append((stack, float(record.size)))
    weights = within_requests(found)
    return Profile(arm=arm, unit="bytes", requests=requests, rounds=(Round(weights=weights, each=1.0, counted=False),))


def card(arm: str, file: Path, requests: int) -> Profile:
    """The card's memory at its highest moment: the largest holders of `harness.allocations.summary` and what the others hold
    together, weights left out. Raises ProfileError where the allocator's history is cut: its peak need not be the highest.
    """
    summary = json.loads(file.read_bytes())
    if not summary["complete"]:
        message = (
            f"the requests make more allocations than the {summary['events']} that are kept of them, so that the peak is not "
            "known: give a shorter text (--set workload.texts)"
        )
        raise ProfileError(message)
    weights: dict[Stack, float] = defaultdict(float)
    for holder in summary["holders"]:
        weights[tuple(_placed(text) for text in reversed(holder["stack"]))] += holder["bytes"]
    others = summary["peak_bytes"] - summary["before_bytes"] - sum(weights.values())
    if others > 0:
        weights[(Frame("(other holders)"),)] += others
    weights = defaultdict(float, {stack or (Frame("(no Python frame)"),): size for stack, size in weights.items()})
    return Profile(
        arm=arm, unit="bytes", requests=requests, rounds=(Round(weights=dict(weights), each=1.0, counted=False),)
    )


def _placed(text: str) -> Frame:
    """A frame of "file:line function"."""
    place, _, name = text.partition(" ")
    file, _, line = place.rpartition(":")
    return Frame(name, file, int(line or 0))
