"""What else the machine did: cores that others used, the own processes left out."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from harness.load import Load

BUSY = "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end:\n    pass\n"


def _took_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def test_nothing_is_read_where_it_is_not_active_or_a_process_has_ended() -> None:
    assert Load(os.getpid(), active=False).since_start() == {}
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        ended.wait()
    assert Load(os.getpid(), ended.pid).since_start() == {}


def test_what_all_named_processes_took_is_not_that_of_others() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as busy:
        try:
            at_s, before_s = time.monotonic(), _took_s(busy.pid)
            without, with_it = Load(os.getpid()), Load(os.getpid(), busy.pid)
            time.sleep(1.5)
            alone, together = without.since_start(), with_it.since_start()
            cores = (_took_s(busy.pid) - before_s) / (time.monotonic() - at_s)
        finally:
            busy.kill()
    if not alone:
        pytest.skip("the system has no counters of processor time")
    counted = alone["others_cores"] - together["others_cores"]
    assert counted == pytest.approx(cores, rel=0.3, abs=0.05), "the busy process counts as one of the named"
