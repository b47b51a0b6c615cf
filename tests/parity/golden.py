"""Recordings of the public code: the fresh ones of `nox -s parity`, and the committed ones that guard every test run.

A committed recording holds every `step`-th value of each output, so that all of them fit into a few hundred kilobytes.
`python -m tests.parity.golden RECORDING...` writes them from fresh ones.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

FOLDER = Path(__file__).parents[1] / "data" / "parity"
KEPT = 1000
FRESH = "HARNESS_PARITY"
"""Environment variable: the folder of `nox -s parity`, with `model`, `inputs` and one recording for each code."""

MINICPMO, NEWEST = "cosyvoice-minicpmo", "newest-upstream"
"""File names of recordings, without their ending."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Outputs of one public code. `fresh` ones are whole and of the directory beside them, others golden."""

    file: Path
    fresh: bool

    @property
    def code(self) -> str:
        return self.file.stem

    def names(self) -> list[str]:
        with safe_open(self.file, "pt") as opened:
            return sorted(opened.keys())

    def load(self) -> dict[str, Tensor]:
        found: dict[str, Tensor] = load_file(self.file)
        return found

    def part_of(self, tensor: Tensor) -> Tensor:
        """What the recording holds of an output."""
        return tensor if self.fresh else sampled(tensor)


def sampled(tensor: Tensor) -> Tensor:
    """At most `KEPT` values of `tensor`, at even distances, as one row; whole numbers all."""
    flat = tensor.flatten()
    step = max(1, -(-flat.numel() // KEPT)) if tensor.is_floating_point() else 1
    return flat[::step].contiguous()


def recordings() -> list[Recording]:
    """The committed recordings, and the fresh ones where there are some."""
    found = [Recording(file, fresh=False) for file in sorted(FOLDER.glob("*.safetensors"))]
    if os.environ.get(FRESH):
        found += [Recording(file, fresh=True) for file in sorted(Path(os.environ[FRESH]).glob("*.safetensors"))]
    return found


def write(file: Path) -> None:
    """Commit the fresh recording `file`."""
    with safe_open(file, "pt") as opened:
        said = opened.metadata()
    FOLDER.mkdir(parents=True, exist_ok=True)
    save_file({name: sampled(tensor) for name, tensor in load_file(file).items()}, FOLDER / file.name, metadata=said)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(Path(name))
