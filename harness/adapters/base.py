"""The seam between the harness and what it measures.

    Adapter.check(options)           before any process is started: refuse what can be seen to be wrong, without torch
    Adapter.load(...)  -> Model      weights in memory, once per worker; nothing here is timed
    Model.bind(states) -> Target     a pipeline over those weights with the arm's toggles; timed as `init`
    Target.run(request, on_chunk)    one request, timed; `on_chunk(samples)` is called as each chunk of that many samples
                                     reaches the host
    Target.activated()               may be left out: a context that is entered, untimed, around each request of the arm, for
                                     what holds in the whole process, such as patches (`harness.optimizations.patched`)

An adapter is an object with a `name`, `check` and `load`; adding one means adding it to `adapters.ADAPTERS`, or naming it
in an entry point of the group `harness.adapters`. `harness.testing.AdapterContract` tests what is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.optimizations import Probe
from harness.requests import Output, Request, Speaker
from harness.results import State

if TYPE_CHECKING:
    from harness.machine import Machine


SHARED = "shared"
"""A folder beside the `work_dir` of a run's workers, for what one may prepare for those after it; it goes with the run."""


class Target(Protocol):
    """A pipeline with an arm's toggles bound."""

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output: ...


def activated(target: Target) -> AbstractContextManager[Any]:
    """What a request of `target` runs in: its `activated()` where it has one."""
    found: Callable[[], AbstractContextManager[Any]] | None = getattr(target, "activated", None)
    return nullcontext() if found is None else found()


class Model(Protocol):
    """Weights in memory, and what can be built over them.

    `not_applicable` names toggles that this target cannot take, with the reason. `probe` opens the witness of a toggle
    with the given parameters; the usual answer is `named(toggle).witness.probe(**parameters)`. `place` makes one call of
    a toggle's place as `request` has it, for timing it alone (`Optimization.one_call`); such calls are made inside
    `inference()`, which is whatever a request runs in.
    """

    description: Mapping[str, Any]

    def not_applicable(self) -> Mapping[str, str]: ...

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Target: ...

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe: ...

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]: ...

    def inference(self) -> AbstractContextManager[Any]: ...


class Adapter(Protocol):
    """Something that can be measured. `options` are the adapter's own keys of `model:` in the scenario."""

    name: str

    def check(self, options: Mapping[str, Any]) -> None: ...

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> Model: ...
