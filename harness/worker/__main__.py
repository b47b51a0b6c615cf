"""`python -m harness.worker`: a worker in this project's own interpreter, started by the runner."""

from __future__ import annotations

from .serving import main

if __name__ == "__main__":
    main()
