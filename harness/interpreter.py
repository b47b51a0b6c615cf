"""Another interpreter than this one, in which a worker is to run: whether it can."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UsageError
from harness.worker import OLDEST_PYTHON

OLDEST_WHOLE = (3, 11)
"""The oldest Python in which a worker runs whose target needs more of this project than the worker: a user's function."""
ANSWER_LIMIT_S = 60.0
"""An interpreter on a slow disk may take so long to start."""
_QUESTION = """\
import json, sys
sys.path[:] = [path for path in sys.path if path]
try:
    from importlib.util import find_spec
except ImportError:
    find_spec = lambda name: None
found = {"version": list(sys.version_info[:3]), "lacking": [name for name in sys.argv[1:] if find_spec(name) is None]}
sys.stdout.write("\\n" + json.dumps(found) + "\\n")
"""
"""Understood by every Python since 2.7; nothing is imported that it looks for."""
_TOGGLES = """\
import json, sys
from importlib.metadata import distributions
group, folder, *names = sys.argv[1:]
path = [folder] * bool(folder) + [path for path in sys.path if path]
found = {point.name for one in distributions(path=path) for point in one.entry_points if point.group == group}
sys.stdout.write("\\n" + json.dumps({"lacking": [name for name in names if name not in found]}) + "\\n")
"""
"""Understood by every Python since `OLDEST_WHOLE`; packages are looked for as `plugins.install` does, and none is run."""


def check(
    python: str, needs: Sequence[str], environment: Mapping[str, str], oldest: tuple[int, int] = OLDEST_PYTHON
) -> None:
    """Refuse an interpreter that is not there, is older than the `oldest` that will do, or lacks a module that it `needs`.

    `environment` is that of its process. Raises UsageError.
    """
    told = _answer(python, _QUESTION, needs, environment)
    version = ".".join(map(str, told["version"]))
    if tuple(told["version"]) < oldest:
        message = f"{python} is Python {version}; a worker needs {'.'.join(map(str, oldest))} or newer"
        raise UsageError(message)
    if told["lacking"]:
        message = (
            f"{python} (Python {version}) has no {', '.join(told['lacking'])}; name the interpreter of the environment "
            "in which the model runs"
        )
        raise UsageError(message)


def check_toggles(
    python: str, group: str, packages: Mapping[str, str], folder: str, environment: Mapping[str, str]
) -> None:
    """Refuse an interpreter without the entry points of toggles in `group`; `packages` says for each toggle which one has it.

    `folder`, if any, is where its process imports from first; `environment` is that of its process. Raises UsageError.
    """
    lacking = _answer(python, _TOGGLES, [group, folder, *packages], environment)["lacking"]
    if lacking:
        told = "; ".join(f"{packages[name]}, which brings {name}, is not installed in {python}" for name in lacking)
        message = f"{told}, or in a version that does not bring it"
        raise UsageError(message)


def _answer(python: str, question: str, about: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [python, "-c", question, *about], env=dict(environment), capture_output=True, text=True,
            errors="replace", timeout=ANSWER_LIMIT_S, check=False,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except OSError as error:
        message = f"{python} cannot be started: {error.strerror or error}"
        raise UsageError(message) from None
    except subprocess.TimeoutExpired:
        message = f"{python} does not answer within {ANSWER_LIMIT_S:g} s"
        raise UsageError(message) from None
    except (ValueError, IndexError):
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        message = f"{python} does not answer as a Python interpreter does: {said[0]}"
        raise UsageError(message) from None
    return answer
