"""`harness limits`: what this machine can do at most, measured once in a fresh process and kept by its fingerprint.

Files are data: they are checked when they are read, and reading runs nothing.
"""

from __future__ import annotations

import json
import math
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness import calibrations, units
from harness.environment import fingerprint
from harness.errors import CalibrationError, MeasureError, UsageError
from harness.processes import worker_environment
from harness.results import Ceilings, Repeated

SCHEMA_VERSION = 1
LIMIT_S = 600.0
"""Measuring takes seconds; whoever takes so long hangs."""
_MOST_BYTES = 2**20


class CeilingShelf:
    """The folder in which ceilings are kept, beside calibrations, a file for each machine and device."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, code: str, device: str) -> Path:
        """The file of a machine's device."""
        return self.folder / f"limits-{code}-{device.replace(':', '-')}.json"

    def find(self, here: Mapping[str, Any], device: str) -> Ceilings | None:
        """What is kept of a device of the machine of environment `here`; None where nothing is.

        Raises CalibrationError for a file that is there and cannot be used.
        """
        code = fingerprint(here, device).code
        path = self.path(code, device)
        if not path.exists():
            return None
        found = read(path)
        if (found.digest, found.device) != (code, device):
            raise CalibrationError(_unusable(path, "it is about another machine or device"))
        return found

    def keep(self, ceilings: Ceilings) -> Path:
        """Write ceilings, whole or not at all, in place of older ones. Raises UsageError where that cannot be."""
        path = self.path(ceilings.digest, ceilings.device)
        data = {"schema_version": SCHEMA_VERSION, **_CEILINGS.dump_python(ceilings, mode="json")}
        partial = path.with_suffix(f".{secrets.token_hex(4)}.partial")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(data, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            message = f"the ceilings cannot be kept in {self.folder}: {error}; name another folder with --calibrations"
            raise UsageError(message) from None
        return path


def shelf(folder: Path | None = None) -> CeilingShelf:
    """Where ceilings are kept: in `folder`, or in the user's cache."""
    return CeilingShelf(calibrations.shelf(folder).folder)


def read(path: Path) -> Ceilings:
    """The ceilings in a file. Raises CalibrationError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CalibrationError(_unusable(path, "it is larger than any of its kind"))
        data = json.loads(path.read_bytes())
        version = data.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise CalibrationError(_unusable(path, f"it has schema version {version!r}, not {SCHEMA_VERSION}"))
        found = _CEILINGS.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise CalibrationError(_unusable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise CalibrationError(_unusable(path, f"{type(error).__name__}: {error}")) from None
    if not found.bandwidths or not all(
        math.isfinite(figure) and figure > 0 for known in _figures(found) for figure in (known.best, known.median)
    ):
        raise CalibrationError(_unusable(path, "a figure is missing or not positive"))
    return found


def _figures(found: Ceilings) -> Iterator[Repeated]:
    for known in found.bandwidths:
        yield from (known.copy, known.read)
    yield from found.rates.values()
    yield from filter(None, (found.call, found.launch))


def _unusable(path: Path, why: str) -> str:
    return f"the ceilings {path} cannot be used: {why}; delete it, or measure again with `harness limits --again`"


def measure(device: str, here: Mapping[str, Any]) -> Ceilings:
    """Measure the ceilings of a device of this machine, whose environment is `here`, in a fresh process as workers are.

    Raises UsageError for a device that is not here, and MeasureError where its process fails.
    """
    threads = here["worker"]["threads"]
    command = [sys.executable, "-m", "harness.worker.ceilings", device, str(threads)]
    try:
        done = subprocess.run(
            command, env=worker_environment(threads), capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
        told = json.loads(done.stdout) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError) as error:
        message = f"the process that measures the limits of {device} gave no answer: {error}"
        raise MeasureError(message) from None
    if told is None:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        message = f"the process that measures the limits of {device} ended with exit code {done.returncode}: {last}"
        raise MeasureError(message)
    if "refused" in told:
        raise UsageError(told["refused"])
    known = fingerprint(here, device)
    return _CEILINGS.validate_python({
        **told, "digest": known.code, "machine": known.description, "device": device, "threads": threads,
        "made": time.strftime("%Y-%m-%d", time.gmtime()), "versions": here["versions"],
    })  # fmt: skip


def as_data(ceilings: Ceilings) -> dict[str, Any]:
    """Plain data, for JSON."""
    data: dict[str, Any] = _CEILINGS.dump_python(ceilings, mode="json")
    return data


def lines(found: Ceilings) -> Iterator[str]:
    """What was found, for a terminal: the best of each figure, and the median as its spread."""
    yield f"{found.device}: {found.machine}"
    for known in found.bandwidths:
        block = units.size(known.block_bytes)
        yield f"  copy {_told(known.copy, 'B/s')}, read {_told(known.read, 'B/s')}, blocks of {block}"
    for precision, rate in found.rates.items():
        yield f"  products of matrices, {precision}: {_told(rate, 'FLOP/s')}"
    yield f"  one operation of PyTorch on the host: {_taken(found.call)}"
    if found.launch is not None:
        yield f"  one small kernel on the device: {_taken(found.launch)}"


def _told(known: Repeated, unit: str) -> str:
    return f"{units.scaled(known.best, unit)} (median {units.scaled(known.median, unit)})"


def _taken(known: Repeated) -> str:
    return f"{units.seconds(known.best, 3)} (median {units.seconds(known.median, 3)})"


_CEILINGS = TypeAdapter(Ceilings)
