"""The seam between the harness and what it measures.

    Adapter.check(options)           before any process is started: refuse what can be seen to be wrong, without torch
    load(...)  -> Model              weights in memory, once per worker; nothing here is timed (`worker.target`)
    Model.bind(states) -> Target     a pipeline over those weights with the arm's toggles; timed as `init`
    Target.run(request, on_chunk)    one request, timed; `on_chunk(samples)` is called as each chunk of that many samples
                                     reaches the host
    Target.activate(), deactivate()  may be left out: called, untimed, around each request of the arm, for what holds in the
                                     whole process, such as patches (`harness.optimizations.patched`)

Adding an adapter means adding it to `adapters.ADAPTERS`, or naming it in an entry point of the group `harness.adapters`;
`harness.testing.AdapterContract` tests what is said here. One whose target needs this project's packages has `load` itself
(`Loading`). One whose target runs in an interpreter of its own (`Portable`) names code that stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from harness.worker.target import Model, Target

if TYPE_CHECKING:
    from harness.worker.machine import Machine

__all__ = ["SHARED", "Adapter", "Loading", "Model", "Portable", "Target"]

SHARED = "shared"
"""A folder beside the `work_dir` of a run's workers, for what one may prepare for those after it; it goes with the run."""


class Adapter(Protocol):
    """Something that can be measured. `options` are the adapter's own keys of `model:` in the scenario."""

    name: str
    # and, of code that is not ours, `warning`: what a run says before it starts (`adapters.warning`);
    # `switches`: options that a toggle may set for the processes of its arms (`ProcessStart.model`)

    def check(self, options: Mapping[str, Any]) -> None: ...


class Loading(Adapter, Protocol):
    """An adapter that loads its model itself, in this project's own interpreter: its module has it as `ADAPTER`."""

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> Model: ...


@runtime_checkable
class Portable(Adapter, Protocol):
    """An adapter whose target is code that stands alone, as `harness.worker` does, and is loaded beside it.

    `portable` names its `load`, as `worker.loading` reads it: `.checkout:load` lies in the folder `harness/worker/checkout`.
    `needs` are modules that the interpreter must have. The option `python`, where there is one, names that interpreter; else
    it is this one. Prompts come as WAV files of 16-bit integers or 32-bit floats (`worker.audio`), whatever they were.
    """

    portable: str
    needs: tuple[str, ...]
