"""py-spy beside a running process: samples of its stacks, taken from outside, from `start` until `stop`."""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from harness.errors import ProfileError

RATE_HZ, NATIVE_RATE_HZ = 200, 50
"""Samples a second. To read native frames, py-spy stops the process for up to tens of milliseconds."""
_BEGUN = "Sampling process"
_BEHIND = "behind in sampling"
_START_LIMIT_S = 120.0
"""With native frames, py-spy reads the symbols of every loaded library first."""
_STOP_LIMIT_S = 120.0
_REFUSALS = ("Permission Denied", "Operation not permitted", "EPERM", "requires root", "Permission denied")
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


def command() -> str:
    """Where py-spy is: beside this Python, else on PATH. Raises ProfileError where it is not."""
    beside = Path(sys.executable).parent
    found = shutil.which("py-spy", path=str(beside)) or shutil.which("py-spy")
    if found is None:
        message = "py-spy is not installed (pip install py-spy)"
        raise ProfileError(message)
    return found


class Sampler:
    """One recording of process `pid` into `file` (speedscope JSON). `native` asks for the frames of libraries as well."""

    def __init__(self, pid: int, file: Path, *, native: bool) -> None:
        self._file = file
        rate_hz = NATIVE_RATE_HZ if native else RATE_HZ
        options = ["--pid", str(pid), "--rate", str(rate_hz), "--format", "speedscope", "--output", str(file)]
        options += ["--function", "--idle", *(["--native"] if native else [])]
        self._arguments = [command(), "record", *options]
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lines: list[str] = []

    def start(self) -> None:
        """Returns when sampling has begun. Raises ProfileError, with the remedy, where the system refuses."""
        if sys.platform == "win32":
            message = "py-spy cannot be told to stop on Windows; profiles of the host are made on Linux and macOS"
            raise ProfileError(message)
        self._process = subprocess.Popen(
            self._arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            try:
                line = self._said.get(timeout=_START_LIMIT_S)
            except queue.Empty:
                self.end()
                message = f"py-spy had not begun after {_START_LIMIT_S:g} s"
                raise ProfileError(message) from None
            if line is None:
                self._process.wait()
                raise ProfileError(refusal("\n".join(self._lines)))
            if _BEGUN in line:
                return

    def stop(self) -> dict[str, Any]:
        """End the recording and read it: speedscope's JSON. Raises ProfileError where there is none."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.end()
        if not self._file.exists():
            raise ProfileError(refusal("\n".join(self._lines)))
        document: dict[str, Any] = json.loads(self._file.read_bytes())
        return document

    def end(self) -> None:
        """End py-spy now, if it is still there."""
        self._process.kill()
        self._process.wait()

    @property
    def is_behind(self) -> bool:
        """Whether samples were taken later than they should have been, so that there are fewer."""
        return any(_BEHIND in line for line in self._lines)

    def _read(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as lines:
                for line in lines:
                    self._lines.append(line.strip())
                    self._said.put(line)
        self._said.put(None)


def refusal(said: str, yama: Path = _YAMA, platform: str = sys.platform) -> str:
    """Why py-spy could not look into the process, and what to do about it, from what it said."""
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "nothing").strip()
    if not any(word in said for word in _REFUSALS):
        return f"py-spy failed: {last}"
    reason = f"the system does not let py-spy look into the worker (it said: {last})"
    return f"{reason}. {_remedy(yama, platform)}"


def _remedy(yama: Path, platform: str) -> str:
    if platform == "darwin":
        return "On macOS it needs root: sudo harness profile ... --with py-spy."
    scope = yama.read_text(encoding="ascii").strip() if yama.exists() else ""
    if scope in ("2", "3"):
        lowered = " This value holds until the next start of the system." if scope == "3" else ""
        return (
            f"kernel.yama.ptrace_scope is {scope}: give the capability CAP_SYS_PTRACE (run as root), "
            f"or have it lowered to 1 (sysctl kernel.yama.ptrace_scope=1).{lowered}"
        )
    return (
        "In a container, start it with the capability (docker run --cap-add SYS_PTRACE; in Kubernetes "
        "securityContext.capabilities.add: [SYS_PTRACE]); elsewhere run as the user that owns the worker, or as root."
    )
