"""What the doctor says of machines that are made up, and of this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import doctor
from harness.doctor import Diagnosis, System


@pytest.fixture
def machine(tmp_path: Path) -> System:
    """A machine on which nothing is known."""
    return System(tmp_path)


def put(system: System, path: str, text: str) -> System:
    file = system.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")
    return system


@pytest.mark.parametrize(
    "check", [doctor.virtual, doctor.governor, doctor.turbo, doctor.siblings, doctor.quota, doctor.clock]
)
def test_what_the_system_does_not_say_is_unknown_and_not_fine(machine: System, check: object) -> None:
    assert callable(check)
    found = check(machine)
    assert isinstance(found, Diagnosis)
    assert found.state == "unknown"
    assert "the system does not say" in found.found


@pytest.mark.parametrize(
    ("check", "path", "fine", "noisy", "advice"),
    [
        (doctor.virtual, "proc/cpuinfo", "flags : fpu sse", "flags : fpu hypervisor sse", "a machine of your own"),
        (doctor.governor, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance", "powersave", "-g performance"),
        (doctor.turbo, "sys/devices/system/cpu/intel_pstate/no_turbo", "1", "0", "echo 1 >"),
        (doctor.turbo, "sys/devices/system/cpu/cpufreq/boost", "0", "1", "echo 0 >"),
        (doctor.siblings, "sys/devices/system/cpu/smt/active", "0", "1", "smt/control"),
        (doctor.quota, "sys/fs/cgroup/cpu.max", "max 100000", "150000 100000", "whole cores"),
        (doctor.clock, "sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc", "hpet", "clocksource=tsc"),
    ],
)  # fmt: skip
def test_each_cause_of_noise_is_told_with_its_remedy(
    machine: System, check: object, path: str, fine: str, noisy: str, advice: str
) -> None:
    assert callable(check)
    assert check(put(machine, path, fine)).state == "fine"
    found = check(put(machine, path, noisy))
    assert found.state == "warning"
    assert advice in found.advice


def test_a_quota_is_told_in_cores(machine: System) -> None:
    assert doctor.quota(put(machine, "sys/fs/cgroup/cpu.max", "150000 100000")).found == "1.5 cores a period of 100 ms"


def test_the_command_looks_at_this_machine_and_answers_zero_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['harness', 'doctor', '--json']\nfrom harness.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    sys.exit(end.code or 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {item["about"]: item for item in json.loads(done.stdout)}
    assert {"virtualisation", "other work", "steadiness", "room"} <= set(found)
    assert all(item["advice"] for item in found.values() if item["state"] == "warning")
