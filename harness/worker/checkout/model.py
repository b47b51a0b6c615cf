"""The model of a worker: somebody's CosyVoice, loaded once, and pipelines over it with an arm's toggles."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from .code import Code, constants
from .constructing import constructed
from .counting import Probe, calls
from .finding import ENOUGH, FACADE, Location, locate
from .host import UsageError
from .patches import Patches
from .recordings import Recordings
from .speaking import Arm, Construction, Speaking, forced_ratio
from .supplying import Supply
from .toggles import toggles

RANDOM_MARK = "random-weights.json"
"""In a directory of `harness make-checkpoint`; such weights never end a sentence by themselves."""
FORCED_RATIO, REDUCED_RATIO = 4.0, 2.0
"""Speech tokens for each text token where the length is forced; in a directory of size `reduced`. So many the adapter
`cosyvoice2` speaks with the same directory."""
SAID = ("torch", "torchaudio", "transformers", "onnxruntime", "numpy")
"""Packages whose versions the description tells."""


class CheckoutModel:
    """A loaded CosyVoice. `description` says what was found; `already_present` which toggles its code has, and where."""

    def __init__(
        self,
        code: Code,
        device: str,
        options: Mapping[str, Any],
        where: Location,
        made: Any,
        kept: Mapping[str, Any],
    ) -> None:
        self._code = code
        self.source = str(where.file)
        self._device = device
        self._construction = Construction(code)
        self._toggles = toggles(code, device)
        lacking = {name: toggle.lacks() for name, toggle in self._toggles.items()}
        self._lacking = {name: reason for name, reason in lacking.items() if reason}
        self._recordings = Recordings(as_paths=code.takes_paths)
        length = options.get("length") or ("model" if made is None else "forced")
        reduced = made is not None and made.get("size") == "reduced"
        self._ratio = forced_ratio(code, length, REDUCED_RATIO if reduced else FORCED_RATIO)
        self.description: Mapping[str, Any] = {
            "adapter": "checkout",
            "code": where.version(),
            "facade": type(code.facade).__name__,
            "engine": type(code.engine).__name__,
            "prompt": "a path" if code.takes_paths else "samples at 16 kHz",
            "weights": Path(options["weights"]).name,
            **({} if made is None else {"made_by_make_checkpoint": made}),
            **({"arguments": dict(options["arguments"]), "kept": dict(kept)} if options.get("arguments") else {}),
            "length": length,
            "device": device,
            "sample_rate_hz": code.sample_rate_hz,
            "python": sys.version.split()[0],
            "packages": dict(_versions()),
            "parameters": {name: _parameters(getattr(code.engine, name)) for name in ("llm", "flow", "hift")},
        }

    @property
    def toggles(self) -> Sequence[str]:
        """Every toggle that the adapter knows."""
        return tuple(self._toggles)

    def not_applicable(self) -> Mapping[str, str]:
        """Toggles that this code cannot take, each with the reason."""
        return self._lacking

    def already_present(self) -> Mapping[str, str]:
        """Toggles that this code has, and where; their before is put back by patches."""
        present = {name: toggle.present() for name, toggle in self._toggles.items() if name not in self._lacking}
        return {name: where for name, where in present.items() if where}

    def bind(self, states: Mapping[str, Any], speakers: Sequence[Any]) -> Speaking:
        """An engine over the loaded weights with the toggles of `states`; those that it cannot take are left out.

        Of what `states` does not name, the code stays as it is, whether it has the toggle or not.
        """
        return self.draft(states, speakers)()

    def draft(self, states: Mapping[str, Any], speakers: Sequence[Any]) -> Callable[[], Speaking]:
        """What of `bind` is the adapter's own work is done now; the target's is left to the callable, which is called once."""
        arm = Arm(self._code, self._construction)
        patches, chosen = [], []
        taken = {name: toggle for name, toggle in self._toggles.items() if name in states and name not in self._lacking}
        for name, toggle in taken.items():
            state = states[name]
            parameters = {} if isinstance(state, bool) else dict(state)
            patches += toggle.before(arm) if state is False else toggle.after(arm, **parameters)
            if state is not False:
                chosen.append(toggle)

        def build() -> Speaking:
            with Patches(patches):
                arm.build_engine()
            of_engine = [patch for name, toggle in taken.items() for patch in toggle.of_engine(arm, states[name])]
            target = Speaking(arm, [*patches, *of_engine], self._recordings, self._ratio)
            target.activate()
            try:
                for toggle in chosen:
                    toggle.prepare(arm, speakers, self._recordings)
            finally:
                target.deactivate()
            return target

        return build

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        """The witness of a toggle, counted in the target's own code; of one that is not known, nothing."""
        known = self._toggles.get(optimization)
        return calls() if known is None else known.probe(**parameters)

    def place(self, optimization: str, state: Any, request: Any) -> Callable[[], Any]:
        """Raises UsageError: places are not timed alone in other people's code."""
        message = f"the adapter checkout does not time the place of {optimization} alone; leave the metric `site` away"
        raise UsageError(message)

    def inference(self) -> AbstractContextManager[Any]:
        import torch

        return torch.inference_mode()


def load(options: Mapping[str, Any], machine: Any, work_dir: Path) -> CheckoutModel:  # noqa: ARG001  called so
    """Import the target's code and load its weights on the machine's device, as its users do. This runs its code.

    `options`: `path` (a folder; None for the installed package), `weights` (a folder), `supply` (a Python file), `length`,
    `arguments` (of the facade's constructor). Raises UsageError.
    """
    _choose(machine.device)
    supply = Supply(None if options.get("supply") is None else Path(options["supply"]))
    supply.prepare()
    where = locate(None if options.get("path") is None else Path(options["path"]))
    weights = Path(options["weights"])
    kind = facade_class(where.load(), weights)
    facade, kept = constructed(kind, str(weights), options.get("arguments") or {})
    supply.complete(facade)
    code = Code(facade)
    _refuse_elsewhere(code, machine.device)
    mark = weights / RANDOM_MARK
    made = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else None
    return CheckoutModel(code, machine.device, options, where, made, kept)


def facade_class(module: ModuleType, weights: Path) -> Any:
    """The facade of a module that reads the configuration which `weights` has. Raises UsageError where none does."""
    asked: list[str] = []
    for one in [value for value in vars(module).values() if isinstance(value, type)]:
        if sum(hasattr(one, name) for name in FACADE) < ENOUGH:
            continue
        own = vars(one).get("__init__")
        files = [
            text.rsplit("/", 1)[-1] for text in (constants(own) if own is not None else ()) if text.endswith(".yaml")
        ]
        if any((weights / file).is_file() for file in files):
            return one
        asked += files
    wanted = ", ".join(sorted(set(asked))) or "a configuration"
    message = f"{weights.name} has none of {wanted}, which the facades in {module.__name__} read"
    raise UsageError(message)


def _choose(device: str) -> None:
    """Have the target see the one device that is measured: its code takes a GPU wherever there is one."""
    import torch

    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        if torch.cuda.is_available():
            message = "the target would use the GPU although the CPU is measured; set CUDA_VISIBLE_DEVICES= (empty)"
            raise UsageError(message)
    else:
        torch.cuda.set_device(torch.device(device))


def _refuse_elsewhere(code: Code, device: str) -> None:
    for name in ("llm", "flow", "hift"):
        network = getattr(code.engine, name)
        first = next(network.parameters(), None) if hasattr(network, "parameters") else None
        if first is not None and first.device.type != device.partition(":")[0]:
            message = f"{type(network).__name__} lies on {first.device}, although {device} is measured"
            raise UsageError(message)


def _parameters(network: Any) -> int:
    return sum(int(parameter.numel()) for parameter in network.parameters()) if hasattr(network, "parameters") else 0


def _versions() -> Iterator[tuple[str, str]]:
    for name in SAID:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:  # noqa: PERF203  each of five is asked for once
            continue
