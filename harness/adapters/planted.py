"""A call of known cost: equal units of real work by PyTorch, on the real clock.

A unit is one feed-forward block of a small transformer over a fixed input. Its size is a constant and nothing is
calibrated when it runs, so that s % more units are s % more work on every machine; only how long a unit takes is the
machine's own. `python -m tests.prove` counts how often this harness, and other tools, find such a slow-down.

With `over:` the units are waits of known length before each request of another model: a slow-down of known length on a
request of that model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters import cosyvoice2
from harness.adapters.base import Model, Target
from harness.optimizations import PLANTED_SITES, BindContext, Probe, bind, lacking, named
from harness.optimizations.sites import PlantedWork
from harness.toggling import State
from harness.worker.requests import Output, Request, Speaker
from harness.worker.spans import span

if TYPE_CHECKING:
    import torch

    from harness.worker.machine import Machine

UNITS = 100
"""Units of a request, unless the scenario says otherwise: together some 10 ms on one core of a server."""
SAMPLE_RATE_HZ = 24_000
_FRAMES, _WIDTH, _HIDDEN = 32, 128, 512
"""The size of a unit: 8 million multiplications and additions, over weights of half a mebibyte, which a core's own cache
holds."""
_SEED = 20_261_101


class Unit:
    """One unit of work. Its answer, float32 [frames, width], is the same to the bit each time it is called."""

    def __init__(self, device: str = "cpu") -> None:
        import torch

        draw = partial(torch.randn, generator=torch.Generator().manual_seed(_SEED))
        self._frames = draw(_FRAMES, _WIDTH).to(device)
        self._widen = (draw(_WIDTH, _HIDDEN) / _WIDTH**0.5).to(device)
        self._narrow = (draw(_HIDDEN, _WIDTH) / _HIDDEN**0.5).to(device)

    def __call__(self) -> torch.Tensor:
        from torch.nn import functional

        normal = functional.layer_norm(self._frames, (_WIDTH,))
        answer: torch.Tensor = self._frames + functional.gelu(normal @ self._widen) @ self._narrow
        return answer


class PlantedModel:
    """A unit, and how many of them a request has."""

    def __init__(self, unit: Callable[[], Any], units: int, device: str) -> None:
        self._unit = unit
        self._units = units
        self._device = device
        self.description: Mapping[str, Any] = {"adapter": PlantedAdapter.name, "units": units, "device": device}

    def not_applicable(self) -> Mapping[str, str]:
        """All but `planted_work`: there is no speech pipeline here."""
        return lacking(PLANTED_SITES, PlantedAdapter.name)

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Target:
        """The call with the toggles of `states`; it has no use for speakers."""
        work: PlantedWork = bind(states, self._context(), PLANTED_SITES)["planted.work"]
        return PlantedTarget(partial(work, self._unit, self._units))

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        """The witness of a toggle, as its file declares it."""
        return named(optimization).witness.probe(**parameters)

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]:
        """All units of a request: it has no other place."""
        return named(optimization).one_call(state, self._context(), {"planted.work": (self._unit, self._units)})

    def inference(self) -> AbstractContextManager[Any]:
        import torch

        return torch.inference_mode()

    def _context(self) -> BindContext:
        return BindContext(
            device=self._device, prompt_rate_hz=SAMPLE_RATE_HZ, model_rate_hz=SAMPLE_RATE_HZ, store_dir=Path(),
            model_fingerprint="",
        )  # fmt: skip


class PlantedTarget:
    """An arm: does its work in stage `work`, and hands the answer of the last unit over as sound in stage `output`."""

    def __init__(self, work: Callable[[], torch.Tensor]) -> None:
        self._work = work

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        import torch

        with torch.inference_mode():
            with span("work"):
                answer = self._work()
            with span("output"):
                audio = answer.flatten().cpu().numpy()
        on_chunk(len(audio))
        return Output(audio=audio, sample_rate_hz=SAMPLE_RATE_HZ, tokens=())


class DelayedModel(PlantedModel):
    """Another model, before each of whose requests the units are waited for.

    Its own toggles are left before, but that it never cleans up memory (Python's collector is the noisiest part of a
    short request), and that speakers are registered: what is heard of their recordings is more than a quarter of a short request.
    """

    def __init__(self, wait: Callable[[], None], units: int, machine: Machine, model: Model) -> None:
        super().__init__(wait, units, machine.device)
        self._machine = machine
        self._model = model
        self.description = {**self.description, "over": dict(model.description)}

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Target:
        """The other model's own pipeline, and the waits that `states` says."""
        work: PlantedWork = bind(states, self._context(), PLANTED_SITES)["planted.work"]
        target = self._model.bind({"batched_cleanup": {"every": "never"}, "speaker_preregistration": True}, speakers)
        return DelayedTarget(partial(work, self._unit, self._units), self._machine, target)

    def inference(self) -> AbstractContextManager[Any]:
        return self._model.inference()


class DelayedTarget:
    """An arm: waits in stage `work` until the device has done all units, then has its request."""

    def __init__(self, work: Callable[[], None], machine: Machine, target: Target) -> None:
        self._work = work
        self._machine = machine
        self._target = target

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        with span("work"):
            self._work()
            self._machine.synchronize()
        return self._target.run(request, on_chunk)


def _wait(machine: Machine, seconds: float) -> Callable[[], Any]:
    """A unit that keeps the machine's device busy for so long."""
    return partial(machine.busy_wait_s if machine.device == "cpu" else machine.device_wait, seconds)


class PlantedAdapter:
    """`model: {adapter: planted, units: 100}`, or with `over: {adapter: cosyvoice2, ...}` and `unit: 0.01ms`."""

    name = "planted"

    def check(self, options: Mapping[str, Any]) -> None:
        """What the model that is delayed refuses; of the units nothing can be wrong that the scenario's schema does not see."""
        if over := options.get("over"):
            cosyvoice2.ADAPTER.check(over)

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> PlantedModel:
        """The unit on the machine's device, and with `over` the model that it delays."""
        if over := options.get("over"):
            model = cosyvoice2.ADAPTER.load(over, machine, work_dir)
            return DelayedModel(_wait(machine, options["unit"]), int(options["units"]), machine, model)
        return PlantedModel(Unit(machine.device), int(options.get("units", UNITS)), machine.device)


ADAPTER = PlantedAdapter()
