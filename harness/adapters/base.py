"""The seam between the harness and what it measures.

    Adapter.check(options)           before any process is started: refuse what can be seen to be wrong, without torch
    Adapter.load(...)  -> Model      weights in memory, once per worker; nothing here is timed
    Model.bind(states) -> Target     a pipeline over those weights with the arm's toggles; timed as `init`
    Target.run(request, on_chunk)    one request, timed; `on_chunk(samples)` is called as each chunk of that many samples
                                     reaches the host

An adapter is an object with a `name`, `check` and `load`; adding one means adding it to `adapters.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
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


def already_present(model: Model) -> dict[str, str]:
    """Toggles that a target's own code has, and where: the models of other people's code have a method that says so.

    Their `bind` puts the code before back where such a toggle is off.
    """
    said = getattr(model, "already_present", None)
    return {} if said is None else dict(said())


class Adapter(Protocol):
    """Something that can be measured. `options` are the adapter's own keys of `model:` in the scenario."""

    name: str

    def check(self, options: Mapping[str, Any]) -> None: ...

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> Model: ...
