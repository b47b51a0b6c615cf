"""Where a run was made: processor, GPUs, system, versions, revision. Imports no torch; the workers add what only they know."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import harness
from harness.processes import worker_environment

_PACKAGES = ("torch", "torchaudio", "transformers", "numpy", "tts-harness")


def environment(*, threads: int, seed: int) -> dict[str, Any]:
    """Everything of this machine that can move a figure, as plain data; None where the system does not say."""
    import psutil

    fixed = worker_environment(threads)
    return {
        "cpu": {
            "model": _cpu_model(),
            "cores": psutil.cpu_count(logical=False),
            "threads": psutil.cpu_count(),
            "usable": len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else None,
            "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        },
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": gpus(),
        "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "system": {"platform": platform.platform(), "machine": platform.machine()},
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in _PACKAGES},
        "git": git_revision(Path(harness.__file__).parent) if is_tracked(Path(harness.__file__)) else None,
        "worker": {
            "threads": threads,
            "seed": seed,
            **{name: fixed[name] for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "PYTHONHASHSEED")},
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What makes timings of one device comparable: a short hash of it, and the same in words."""

    code: str
    description: str


def fingerprint(here: Mapping[str, Any], device: str) -> Fingerprint:
    """The fingerprint of an `environment`, for runs on `device`. What changes from run to run, such as load, is not in it."""
    cpu, (system, release) = here["cpu"], _system(here["system"]["platform"])
    memory_gib = 2 ** round(math.log2(max(1, here["memory_bytes"]) / 2**30))
    facts = [
        cpu["model"] or "unknown processor",
        f"{cpu['usable'] or cpu['threads']} of {cpu['threads']} threads on {cpu['cores']} cores",
        f"about {memory_gib:g} GiB",
        f"{system} {release} {here['system']['machine']}",
        *(_cards(here["gpus"], here.get("visible_gpus"), device) if device != "cpu" else ()),
        f"Python {'.'.join(here['python'].split('.')[:2])}",
        f"torch {here['versions']['torch']}",
        f"{here['worker']['threads']} thread(s) a worker",
    ]
    code = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    return Fingerprint(code=code, description=", ".join(facts))


def _system(platform_name: str) -> tuple[str, str]:
    """The system and the major version of its kernel: ("Linux", "6")."""
    system, _, rest = platform_name.partition("-")
    return system, rest.partition(".")[0].partition("-")[0]


def _cards(found: Sequence[Mapping[str, Any]], visible: str | None, device: str) -> list[str]:
    """The card that a worker calls `device`: CUDA counts those that `CUDA_VISIBLE_DEVICES` names, by number or UUID."""
    names = [name.strip() for name in visible.split(",")] if visible else [str(card.get("index")) for card in found]
    index = int(device.partition(":")[2] or 0)
    wanted = names[index] if index < len(names) else None
    return [
        f"{card.get('name')} with driver {card.get('driver')}"
        for card in found
        if wanted is not None and (str(card.get("index")) == wanted or str(card.get("uuid")).startswith(wanted))
    ]


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of two environments differs that a figure may depend on, in words; empty where nothing does."""
    was, have = dict(_of_figures(before)), dict(_of_figures(now))
    return [
        f"{name} was {was.get(name) or 'none'} and is {have.get(name) or 'none'}"
        for name in dict.fromkeys([*was, *have])
        if was.get(name) != have.get(name)
    ]


def other_cards(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """That the GPUs are not the ones of before, which their names do not say, in words; empty where they are, or have no UUID."""
    was, have = ({gpu["uuid"] for gpu in here["gpus"] if gpu.get("uuid")} for here in (before, now))
    return ["the GPUs are other ones, by their UUIDs"] if was and have and was != have else []


def _of_figures(here: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a figure may depend on: (name, text)."""
    cpu, revision = here["cpu"], here["git"]
    threads = cpu["threads"]
    yield "processor", f"{cpu['model']}, {threads if cpu['usable'] is None else cpu['usable']} of {threads} threads"
    cards = Counter(f"{gpu['name']} with driver {gpu['driver']}" for gpu in here["gpus"])
    yield "GPUs", ", ".join(f"{count} {name}" for name, count in cards.items())
    yield "Python", here["python"]
    yield from here["versions"].items()
    if revision is not None:
        yield "commit", f"{str(revision['commit'])[:10]}{' with uncommitted changes' if revision['dirty'] else ''}"


def gpus() -> list[dict[str, Any]]:
    """The NVIDIA GPUs that the driver reports; empty where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        return [_gpu(pynvml, index, driver) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _gpu(pynvml: Any, index: int, driver: str) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    readings: Mapping[str, Any] = {
        "name": lambda: pynvml.nvmlDeviceGetName(handle),
        "uuid": lambda: pynvml.nvmlDeviceGetUUID(handle),
        "memory_bytes": lambda: pynvml.nvmlDeviceGetMemoryInfo(handle).total,
        "other_processes": lambda: len(pynvml.nvmlDeviceGetComputeRunningProcesses(handle)),
        "sm_clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "max_sm_clock_mhz": lambda: pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "power_limit_w": lambda: pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
        "temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU),
    }
    found: dict[str, Any] = {"index": index, "driver": driver}
    for name, read in readings.items():
        try:
            found[name] = read()
        except pynvml.NVMLError as error:
            found[name] = None
            found[f"{name}_unavailable"] = str(error)
    return found


def git_revision(folder: Path) -> dict[str, Any] | None:
    """Commit and dirtiness of the checkout around `folder`; None where it is not in one, or git is not installed."""
    commit = _git(folder, ["rev-parse", "HEAD"])
    if commit is None:
        return None
    status = _git(folder, ["status", "--porcelain", "--untracked-files=no"])
    return {"commit": commit, "dirty": bool(status)}


def top_of(folder: Path) -> str | None:
    """The top of the checkout around `folder`; None where it is not in one, or git is not installed."""
    return _git(folder, ["rev-parse", "--show-toplevel"])


def is_tracked(path: Path) -> bool:
    """Whether a file, or any file in a folder, is one of the checkout around it: no file that git ignores, or does not know."""
    folder, name = (path, ".") if path.is_dir() else (path.parent, path.name)
    return bool(_git(folder, ["ls-files", "--", name]))


def _git(folder: Path, arguments: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607  git is found on PATH, as everywhere
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str | None:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
