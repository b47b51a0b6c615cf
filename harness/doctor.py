"""What on this machine will make timings noisy, before a run: looks, advises, changes nothing.

Each check reads one thing, from a file of the system or through psutil, and answers with a `Diagnosis`; what the system does
not say is `unknown`, never fine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Literal

from harness import nvml, units
from harness.environment import gpus
from harness.errors import UsageError

State = Literal["fine", "warning", "unknown"]

BUSY = 0.05
"""Share of a core that others may use before it is worth a word."""
STEADY = 0.9
"""The slowest spin may run at this share of the fastest one."""
SPINS = 40
SPIN_NS = 10_000_000
ROOM_BYTES = 5 * 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at: what was found, and what to do about it where something is."""

    about: str
    state: State
    found: str
    advice: str = ""


class System:
    """The files and counters that the checks read; `root` stands for / in tests."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def text(self, path: str) -> str | None:
        """The stripped text of a file under the root; None where it is absent or may not be read."""
        try:
            return (self.root / path).read_text(encoding="utf-8").strip()
        except OSError:
            return None


def examine(system: System | None = None) -> list[Diagnosis]:
    """Everything that is looked at, in the order in which it matters. Takes about two seconds."""
    system = system or System()
    found = [check(system) for check in _CHECKS]
    return [*found, *_cards()]


def virtual(system: System) -> Diagnosis:
    """Whether other machines share this one's cores."""
    cpu = system.text("proc/cpuinfo")
    if cpu is None:
        return _unknown("virtualisation", "/proc/cpuinfo")
    if " hypervisor" not in cpu:
        return Diagnosis(about="virtualisation", state="fine", found="none")
    return Diagnosis(
        about="virtualisation", state="warning", found="a virtual machine: others may use the same cores",
        advice="prefer a machine of your own; else more blocks, and a margin that the controls can meet",
    )  # fmt: skip


def governor(system: System) -> Diagnosis:
    """The policy by which the system sets the clock."""
    policy = system.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if policy is None:
        return _unknown("clock governor", "cpufreq/scaling_governor")
    if policy == "performance":
        return Diagnosis(about="clock governor", state="fine", found=policy)
    return Diagnosis(
        about="clock governor", state="warning", found=policy, advice="cpupower frequency-set -g performance"
    )


def turbo(system: System) -> Diagnosis:
    """Whether the clock depends on how many cores are busy, and on heat."""
    off, boost = (
        system.text("sys/devices/system/cpu/intel_pstate/no_turbo"),
        system.text("sys/devices/system/cpu/cpufreq/boost"),
    )
    if off is None and boost is None:
        return _unknown("turbo", "intel_pstate/no_turbo or cpufreq/boost")
    if off == "1" or boost == "0":
        return Diagnosis(about="turbo", state="fine", found="off")
    return Diagnosis(
        about="turbo", state="warning", found="on: the clock changes with load and heat",
        advice="echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > /sys/devices/system/cpu/cpufreq/boost",
    )  # fmt: skip


def siblings(system: System) -> Diagnosis:
    """Whether two threads share a core."""
    active = system.text("sys/devices/system/cpu/smt/active")
    if active is None:
        return _unknown("hyperthreads", "/sys/devices/system/cpu/smt/active")
    if active == "0":
        return Diagnosis(about="hyperthreads", state="fine", found="off")
    return Diagnosis(
        about="hyperthreads", state="warning", found="on: what runs on a core's other thread slows it",
        advice="keep other work away while measuring, or echo off > /sys/devices/system/cpu/smt/control",
    )  # fmt: skip


def quota(system: System) -> Diagnosis:
    """Whether a container stops the process when it has used its share of a period."""
    limit = system.text("sys/fs/cgroup/cpu.max")
    if limit is None:
        return _unknown("processor quota", "/sys/fs/cgroup/cpu.max")
    allowed, _, period = limit.partition(" ")
    if allowed == "max":
        return Diagnosis(about="processor quota", state="fine", found="none")
    cores = int(allowed) / int(period)
    return Diagnosis(
        about="processor quota", state="warning", found=f"{cores:g} cores a period of {int(period) / 1000:g} ms",
        advice="give the container whole cores (cpuset) instead of a share of time: it is stopped when the share is used up",
    )  # fmt: skip


def clock(system: System) -> Diagnosis:
    """What a reading of the clock costs."""
    source = system.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source is None:
        return _unknown("clock source", "clocksource0/current_clocksource")
    if source in ("tsc", "arch_sys_counter", "kvm-clock"):
        return Diagnosis(about="clock source", state="fine", found=source)
    return Diagnosis(
        about="clock source", state="warning", found=f"{source}: a reading is a system call",
        advice="boot with clocksource=tsc where the processor has an invariant counter",
    )  # fmt: skip


def others(_: System) -> Diagnosis:
    """What other processes do on the cores now, and what the hypervisor takes."""
    import psutil

    times = psutil.cpu_times_percent(interval=0.5)
    busy, stolen = 1 - (times.idle + getattr(times, "iowait", 0.0)) / 100, getattr(times, "steal", 0.0) / 100
    found = f"{units.percent(busy)} of the cores in use, {units.percent(stolen)} taken by the hypervisor"
    if busy <= BUSY and stolen <= BUSY:
        return Diagnosis(about="other work", state="fine", found=found)
    names = sorted(
        psutil.process_iter(["name", "cpu_percent"]), key=lambda process: -(process.info["cpu_percent"] or 0.0)
    )
    return Diagnosis(
        about="other work", state="warning", found=found,
        advice=f"end it, or wait; most of it so far: {', '.join(process.info['name'] for process in names[:3])}",
    )  # fmt: skip


def steadiness(_: System) -> Diagnosis:
    """How evenly one thread runs, whatever the reason."""
    speeds = [_spin() for _ in range(SPINS)]
    slowest, middle = min(speeds) / max(speeds), sorted(speeds)[len(speeds) // 2] / max(speeds)
    found = f"a loop of 10 ms ran at {units.percent(slowest)} of its fastest speed at worst, {units.percent(middle)} in the median"
    if slowest >= STEADY:
        return Diagnosis(about="steadiness", state="fine", found=found)
    return Diagnosis(
        about="steadiness", state="warning", found=found,
        advice="differences smaller than this need many blocks; look at the warnings above for the reason",
    )  # fmt: skip


def room(_: System) -> Diagnosis:
    """Memory and disk that are left."""
    import psutil

    memory, disk = psutil.virtual_memory().available, shutil.disk_usage(Path.cwd()).free
    found = f"{units.size(memory)} of memory and {units.size(disk)} of disk are free"
    if min(memory, disk) >= ROOM_BYTES:
        return Diagnosis(about="room", state="fine", found=found)
    return Diagnosis(
        about="room",
        state="warning",
        found=found,
        advice="size full takes about 4 GiB of memory and 3 GiB of disk for each run",
    )


def tracing(system: System) -> Diagnosis:
    """Whether a profiler may look into another process."""
    scope = system.text("proc/sys/kernel/yama/ptrace_scope")
    if scope is None or scope == "0" or os.geteuid() == 0:
        return Diagnosis(about="profilers", state="fine", found="may attach to processes")
    return Diagnosis(
        about="profilers", state="warning", found=f"ptrace_scope is {scope}: py-spy may not attach",
        advice="echo 0 > /proc/sys/kernel/yama/ptrace_scope, or run the profile pass as root",
    )  # fmt: skip


_CHECKS: tuple[Callable[[System], Diagnosis], ...] = (
    virtual, others, steadiness, governor, turbo, siblings, quota, clock, room, tracing,
)  # fmt: skip


def _unknown(about: str, where: str) -> Diagnosis:
    return Diagnosis(about=about, state="unknown", found=f"the system does not say ({where})")


def _spin() -> float:
    start = perf_counter_ns()
    count = 0
    while (now := perf_counter_ns()) - start < SPIN_NS:
        count += 1
    return count / (now - start)


def _cards() -> Iterator[Diagnosis]:
    for card in gpus():
        yield _card(f"GPU {card['index']}", card)


def _card(about: str, card: dict[str, object]) -> Diagnosis:
    """Who else is on a card, and whether something slows it down."""
    try:
        with nvml.Card(str(card["uuid"])) as opened:
            reading = opened.reading()
    except UsageError as error:
        return Diagnosis(about=about, state="unknown", found=str(error))
    slow = [name for bit, name in nvml.SLOWDOWNS.items() if reading.reasons & bit]
    found = f"{card['name']}, {card['other_processes']} process(es), {card['sm_clock_mhz']} of {card['max_sm_clock_mhz']} MHz"
    advice: Sequence[str] = (
        *(["end the other processes on it"] if card["other_processes"] else ()),
        *([f"it is slowed down: {', '.join(slow)}"] if slow else ()),
    )
    return Diagnosis(about=about, state="warning" if advice else "fine", found=found, advice="; ".join(advice))
