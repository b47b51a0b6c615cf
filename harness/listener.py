"""What listens to recordings: a process of its own, with weights that packages ship and that are used only if they are known.

`ask` starts `python -m MODULE`, which reads a JSON list of files, writes a JSON list of answers, and goes: its memory and its
threads are never beside anything that is timed.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import CheckpointError, MeasureError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE_HZ = 16_000
"""Samples a second that recognisers, encoders of speakers and estimators of quality are made for."""


def absent(packages: Sequence[str]) -> list[str]:
    """Those of the `packages`, named as they are imported, that are not installed, named as they are installed."""
    return [package.replace("_", "-") for package in packages if find_spec(package) is None]


def known(package: str, part: str, sha256: str) -> bytes:
    """The content of the file `part` of a package, which is not imported. Raises CheckpointError for another content."""
    content = folder_of(package).joinpath(part).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        message = f"{part} of {package.replace('_', '-')} is not the file that is known; it is not used"
        raise CheckpointError(message)
    return content


def folder_of(package: str) -> Path:
    """Where a package lies. Raises CheckpointError where it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        message = f"{package.replace('_', '-')} is not installed"
        raise CheckpointError(message)
    return Path(spec.origin).parent


def ask(module: str, files: Sequence[Path], told: str) -> list[Any]:
    """What `module` answers to each of the WAV `files`; `told` says what it is. Raises MeasureError where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module], input=json.dumps([str(file) for file in files]),
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        message = f"{told} ended with {done.returncode}: {last}"
        raise MeasureError(message)
    return list(json.loads(done.stdout.splitlines()[-1]))


def answer(listen: Callable[[Path], Any]) -> None:
    """The other side of `ask`: read a JSON list of files from stdin, write a JSON list of answers as the last line."""
    files = json.load(sys.stdin)
    sys.stdout.write(json.dumps([listen(Path(file)) for file in files]) + "\n")


def sound_of(file: Path) -> NDArray[np.float32]:
    """A recording of one channel at `RATE_HZ`, float32 [samples]."""
    import numpy as np
    import soundfile
    from scipy.signal import resample_poly

    audio, rate_hz = soundfile.read(file, dtype="float32")
    common = gcd(rate_hz, RATE_HZ)
    return np.asarray(resample_poly(audio, RATE_HZ // common, rate_hz // common), dtype=np.float32)
