"""The command line: argv -> steps -> exit code. One file for each group of commands; each command reads as the list of its steps.

Heavy imports stand inside the commands, so that `harness --help` answers at once. Exit codes (contract.md): 0 a valid
run, 1 a regression (`gate` alone), 2 usage, 3 undecided (`gate` alone), 4 could not measure, 130 interrupted.
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from harness import __version__
from harness.cli import deciding, foreseeing, looking, making, measuring, profiling, reporting
from harness.cli.streams import outlive_readers
from harness.cli.telling import DecidedError
from harness.errors import HarnessError, UsageError

NOT_THERE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
"""What it says of a file that may not be read or written, or of another thing in its place."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a disk, or somebody's share of it, is full."""
_HELP = """Measure what each optimization of a text-to-speech model is worth, and how sure that is.

A scenario (YAML) names a model, a workload, and the optimizations to toggle. `harness run` measures them in fresh
processes, with controls whose true effect is known, and checks that each toggle was engaged and that the output holds.

\b
  harness run seed-optimizations      measure, write the page, say where it is
  harness run smoke --budget 5s       a quick look
  harness report results/RUN          write the page of a run again
  harness report results/A results/B  several runs side by side
  harness show results/RUN            its tables, here in the terminal
  harness index results               a page that lists them all, with a search
  harness plan smoke --detect 1%      how long a run takes here, and how much budget finds 1 %
  harness calibrate smoke             what this machine can tell apart: false alarms, smallest effect
  harness list optimizations          what can be toggled
  harness gate SCENARIO --base main   is this commit slower? for CI
  harness inspect PATH                where they apply in somebody's CosyVoice
  harness profile smoke               where time goes, before and after: flame graphs
  harness limits                      what this machine can do at most
  harness doctor                      what on this machine makes timings noisy
  harness make-checkpoint --size reduced DIR   a model directory with random weights
"""
COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("run", measuring.run),
    ("gate", deciding.gate),
    ("calibrate", foreseeing.calibrate),
    ("plan", foreseeing.plan),
    ("profile", profiling.profile),
    ("report", reporting.report),
    ("show", reporting.show),
    ("index", reporting.index),
    ("export", reporting.export),
    ("list", looking.list_),
    ("validate", looking.validate),
    ("doctor", looking.doctor),
    ("limits", looking.limits),
    ("inspect", looking.inspect),
    ("schema", looking.schema),
    ("make-checkpoint", making.make_checkpoint),
)
"""All commands, in the order in which `--help` lists them."""

app = typer.Typer(help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
                  pretty_exceptions_enable=False)  # fmt: skip
for _name, _command in COMMANDS:
    app.command(_name)(_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tts-harness {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


REGRESSED = 1
"""The exit code of a confirmed regression, which only a decision may have (contract.md)."""


def main() -> None:
    """Run the command line; every error ends in one message on stderr and its exit code."""
    outlive_readers()
    try:
        app()
    except DecidedError as end:
        sys.exit(end.exit_code)
    except SystemExit as end:
        if end.code == REGRESSED:  # such as of typer, where nobody reads stdout any more
            sys.exit(HarnessError.exit_code)
        raise
    except HarnessError as error:
        typer.echo(f"harness: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        sys.exit(_told(error))
    except Exception:  # noqa: BLE001  contract.md: whatever else happens is "could not measure", never a regression
        traceback.print_exc()
        sys.exit(HarnessError.exit_code)


def _told(error: OSError) -> int:
    """Say what the system refused; the exit code."""
    if error.errno in NO_ROOM:
        typer.echo(f"harness: cannot write: {error}; free some room. What was measured until then is kept.", err=True)
    elif error.errno in NOT_THERE and error.filename is not None:
        typer.echo(f"harness: {error.filename}: {error.strerror}; name another place, or allow it", err=True)
        return UsageError.exit_code
    else:
        traceback.print_exc()
    return HarnessError.exit_code
