"""A run for machines: the answers and verdicts of its report, with plain numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from harness.report import page
from harness.report.reading import Reading
from harness.report.rows import verdict_of
from harness.results import Run


def json_text(run: Run) -> str:
    """What `harness show --json` prints: ASCII, so that no name in it reaches the terminal as more than text.

    Contrasts are those of run.json (seconds, bytes, ratios), except for `verdict`, which is the one that may be shown.
    """
    report, reading = page.build(run), Reading(run)
    data = {
        "run": run.id, "scenario": report.title, "started": run.timing.get("started"), "complete": run.complete,
        "command": report.command,
        "devices": [
            {
                "device": device.name, "answer": device.answer, "calibrated": device.calibrated,
                "controls": [asdict(control) for control in run.controls if control.device == device.name],
                "contrasts": list(_contrasts(reading, device.name)),
                "starts": [asdict(start) for start in run.starts if start.device == device.name],
                "not_comparable": [{"optimization": row.name, "state": row.verdict.text, "reason": row.reason} for row in device.invalid],
                "unavailable": dict(run.unavailable.get(device.name, {})),
            }
            for device in report.devices
        ],
        "failures": [asdict(failure) for failure in run.failures],
        "findings": [asdict(finding) for finding in run.findings],
        "environment": run.environment,
    }  # fmt: skip
    return json.dumps(data, indent=1, default=str, allow_nan=False)


def _contrasts(reading: Reading, device: str) -> Iterator[dict[str, Any]]:
    for contrast in reading.run.contrasts:
        if contrast.device == device and contrast.arm not in reading.control_arms:
            yield {**asdict(contrast), "verdict": verdict_of(reading, contrast)}
