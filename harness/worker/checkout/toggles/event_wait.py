"""How the target's engine waits for speech tokens while it streams: by sleeping, and looking again."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..code import methods, names
from ..counting import Probe, calls
from ..patches import Patch
from ..views import sees, view
from .toggle import Toggle

SLEEPS = "time.sleep"
SPEAKS = "tts"
JOBS = ("llm_job", "vc_job")
"""The engine's methods that run in a thread of their own and leave tokens behind."""
IN_A_SECOND = 1000


class Told:
    """Waits until there is a token more, or no more to come; at most as long as it would have slept."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._over = False

    def waiting(self, _: Any) -> Callable[[float], None]:
        """Takes the place of `time.sleep`."""

        def wait(seconds: float) -> None:
            self._event.wait(seconds)
            self._event.clear()
            if self._over:  # what is left is cut into chunks without waiting
                self._event.set()

        return wait

    def saying(self, inference: Any) -> Any:
        """Takes the place of the language model's `inference`: whoever took a token has put it down when it asks for the next."""

        def said(*args: Any, **given: Any) -> Iterator[Any]:
            for token in inference(*args, **given):
                yield token
                self._event.set()

        return said

    def ending(self, job: Any) -> Any:
        """Takes the place of a job: after it, there is no more to come."""

        def ended(*args: Any, **given: Any) -> Any:
            self._over = False
            try:
                return job(*args, **given)
            finally:
                self._over = True
                self._event.set()

        return ended


class EventWait(Toggle):
    """After, the engine's modules see `time.sleep` as a wait that a token, or the end of the engine's thread, cuts short."""

    def lacks(self) -> str:
        of = type(self.code.engine).__name__
        if not any(hasattr(self.code.engine, job) for job in JOBS):
            return f"{of} has no {' or '.join(JOBS)} that could say that it has a token"
        speaks = methods(type(self.code.engine))[SPEAKS]
        sleeps = "sleep" in names(speaks) and sees(sys.modules[speaks.__module__], SLEEPS)
        return "" if sleeps else f"{of}.{SPEAKS} does not sleep to wait for tokens"

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        return []

    def of_engine(self, arm: Any, state: Any) -> list[Patch]:
        if state is False:
            return []
        told, engine = Told(), arm.engine
        jobs = [Patch.around(engine, job, told.ending) for job in JOBS if hasattr(engine, job)]
        seen = [patch for module in self.code.engine_modules for patch in view(module, SLEEPS, told.waiting)]
        return [Patch.around(engine.llm, "inference", told.saying), *jobs, *seen]

    def probe(self, **_: Any) -> Probe:
        modules = {module.__name__ for module in self.code.engine_modules}
        return calls((time, "sleep"), modules=modules, worth=lambda seconds: max(1, round(seconds * IN_A_SECOND)))


TOGGLE = EventWait
