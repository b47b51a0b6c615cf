"""`python harness/worker/start.py`: a worker in an interpreter that may have nothing of this project, started by the runner.

Python puts a script's folder first among those that it imports from, where `requests.py` and its like would hide what the
target imports under these names. So that folder is taken out, and the package is loaded from its path as `_harness_worker`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "_harness_worker"


def load_package(folder: Path, name: str = NAME) -> None:
    """Make the package in `folder` importable as `name`, and as that alone."""
    sys.path[:] = [path for path in sys.path if not path or Path(path).resolve() != folder]
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
    load_package(Path(__file__).resolve().parent)
    importlib.import_module(NAME + ".serving").main()
