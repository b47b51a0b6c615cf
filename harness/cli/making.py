"""`harness make-checkpoint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import UsageError

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it must not hold anything yet.")]
SizeOption = Annotated[str, typer.Option(help="nano, reduced (the smallest that the public code can load) or full.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the random weights.")]


def make_checkpoint(folder: FolderArgument, size: SizeOption, seed: SeedOption = 0) -> None:
    """Write a model directory with random weights, laid out as CosyVoice2-0.5B is published.

    The weights are those of `weights: random` with the same size and seed. A run that is killed leaves DIR.partial,
    which may be deleted, and never a DIR that looks complete. Needs the packages onnx and onnxscript.
    """
    from harness import units
    from harness.models.cosyvoice2 import making
    from harness.models.cosyvoice2.config import SIZES
    from harness.terminal import Steps

    if size not in SIZES:
        message = f"--size {size}: allowed are {', '.join(SIZES)}"
        raise UsageError(message)
    expected = making.check_disk(folder, SIZES[size])
    typer.echo(f"{folder} will take about {units.size(expected)}", err=True)
    with Steps(len(making.STEPS)) as steps:
        written = making.make(folder, SIZES[size], seed, steps.begin)
    typer.echo(f"{folder}  {units.size(written)}")
