"""`python harness/worker/start.py`: a worker in an interpreter that may have nothing of this project, started by the runner.

With the argument `whole` the worker is that of the whole package `harness`, which is then made importable, and nothing beside it: for
targets that need more of this project than the worker, and none of the packages that it needs.

Python puts a script's folder first among those that it imports from, where `requests.py` and its like would hide what the
target imports under these names. So that folder is taken out, and the package is loaded from its path as `_harness_worker`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "_harness_worker"
WHOLE = "whole"


def load_package(folder: Path, name: str = NAME) -> None:
    """Make the package in `folder` importable as `name`, and as that alone."""
    own = Path(__file__).resolve().parent
    sys.path[:] = [path for path in sys.path if not path or Path(path).resolve() != own]
    spec = importlib.util.spec_from_file_location(
        name, str(folder / "__init__.py"), submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        message = f"there is no package in {folder}"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    package = Path(__file__).resolve().parent
    if sys.argv[1:] == [WHOLE]:
        load_package(package.parent, package.parent.name)
        importlib.import_module(f"{package.parent.name}.{package.name}.serving").main()
    else:
        load_package(package)
        importlib.import_module(NAME + ".serving").main()
