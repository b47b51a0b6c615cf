"""The command line of the proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError, UsageError
from harness.terminal import ProgressBar
from tests.prove.decisions import SLOW_DOWNS
from tests.prove.proof import Proof, prove
from tests.prove.tools import BY_DEFAULT, TOOLS, versions

INTERRUPTED = 130


def main(
    out: Annotated[Path, typer.Option(help="Folder of the proof; where it has decisions already, they are added to.")],
    minutes: Annotated[
        float, typer.Option(min=0, help="CPU minutes of all decisions together, those of earlier calls included.")
    ] = 5.0,
    decisions: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="End with so many, those of earlier calls included.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="TOOL", help=f"May be repeated: {', '.join(TOOLS)}.")
    ] = None,
    slow_down: Annotated[
        list[int] | None, typer.Option(metavar="PERCENT", help=f"May be repeated: {', '.join(map(str, SLOW_DOWNS))}.")
    ] = None,
) -> None:
    """Count how often each tool finds a slow-down of known size, and how often one that is not there.

    Decisions are made one at a time, in random order. Ctrl-C loses the one in progress; the same command goes on.
    """
    chosen, slow_downs = only or list(BY_DEFAULT), slow_down or SLOW_DOWNS
    refuse_unknown(chosen, slow_downs)
    proof = Proof(out, TOOLS)
    try:
        with ProgressBar() as progress:
            tools = {name: TOOLS[name] for name in TOOLS if name in chosen}
            prove(proof, tools, slow_downs, 60 * minutes, progress, most=decisions)
    except KeyboardInterrupt:
        typer.echo("interrupted; the decisions that were made are kept, and the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        table = proof.write_table()
        proof.close()
    typer.echo(table.read_text(encoding="utf-8"))
    typer.echo(f"table  {table}")


def refuse_unknown(tools: list[str], slow_downs: list[int] | tuple[int, ...]) -> None:
    """Refuse what there is not, and a tool that is not installed. Raises UsageError."""
    if unknown := [name for name in tools if name not in TOOLS]:
        message = f"--only {unknown[0]}: known are {', '.join(TOOLS)}"
        raise UsageError(message)
    if strange := [percent for percent in slow_downs if percent not in SLOW_DOWNS]:
        message = f"--slow-down {strange[0]}: allowed are {', '.join(map(str, SLOW_DOWNS))}"
        raise UsageError(message)
    found = versions()
    if missing := sorted({TOOLS[name].package for name in tools if found.get(TOOLS[name].package, "") is None}):
        message = (
            f"not installed: {', '.join(missing)}; run `pip install {' '.join(missing)}`, or choose tools with --only"
        )
        raise UsageError(message)


if __name__ == "__main__":
    try:
        typer.run(main)
    except HarnessError as error:
        typer.echo(f"prove: {error}", err=True)
        sys.exit(error.exit_code)
