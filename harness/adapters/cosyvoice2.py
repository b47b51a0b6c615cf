"""CosyVoice2 in this project's own code, instrumented: every toggle applies, and weights may be random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.optimizations import BindContext, Probe, bind, named
from harness.requests import Speaker
from harness.results import State

if TYPE_CHECKING:
    from harness.machine import Machine
    from harness.models.cosyvoice2.pipeline import Networks, Pipeline

OPTIONS = ("size", "weights", "seed")


class CosyVoice2Model:
    """Networks in memory, and pipelines over them. `description` says what was loaded, for the report."""

    def __init__(self, networks: Networks, fingerprint: str, seed: int, store_dir: Path) -> None:
        self._networks = networks
        self._fingerprint = fingerprint
        self._store_dir = store_dir
        self._bound = count()
        self.description: Mapping[str, Any] = _description(networks, fingerprint, seed)

    def not_applicable(self) -> Mapping[str, str]:
        """Nothing: the model has every site."""
        return {}

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Pipeline:
        """A pipeline with the toggles of `states`; `speakers` are registered.

        Each has a speaker store of its own, empty at first: none may find there what another has put.
        """
        from harness.models.cosyvoice2.pipeline import Pipeline

        config = self._networks.config
        context = BindContext(
            device=self._networks.device,
            prompt_rate_hz=config.prompt_rate_hz,
            model_rate_hz=config.sample_rate_hz,
            store_dir=self._store_dir / str(next(self._bound)),
            model_fingerprint=self._fingerprint,
        )
        return Pipeline(self._networks, bind(states, context), speakers)

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        """The witness of a toggle, as its file declares it."""
        return named(optimization).witness.probe(**parameters)


class CosyVoice2Adapter:
    """`model: {adapter: cosyvoice2, size: nano|full, weights: random, seed: 0}`."""

    name = "cosyvoice2"

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> CosyVoice2Model:
        """Build the networks of the named size with weights from the seed, on the machine's device.

        Raises UsageError for an option, a size or weights that it does not know.
        """
        _refuse_unknown(options, OPTIONS, "option")
        if options.get("weights", "random") != "random":
            message = (
                f"model.weights: {options['weights']!r}: loading checkpoints is not there yet; write `weights: random`, "
                "which has the same dimensions and costs the same time"
            )
            raise UsageError(message)
        from harness.models.cosyvoice2.config import SIZES
        from harness.models.cosyvoice2.pipeline import random_networks
        from harness.models.cosyvoice2.weights import fingerprint

        size, seed = str(options.get("size", "nano")), int(options.get("seed", 0))
        _refuse_unknown((size,), tuple(SIZES), "size")
        config = SIZES[size]
        networks = random_networks(config, machine.device, seed)
        return CosyVoice2Model(networks, fingerprint(config, seed), seed, work_dir / "speakers")


def _refuse_unknown(found: Any, allowed: tuple[str, ...], what: str) -> None:
    for name in found:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(allowed)}"
            message = f"model: the adapter cosyvoice2 knows no {what} {name!r}; {hint}"
            raise UsageError(message)


def _description(networks: Networks, fingerprint: str, seed: int) -> dict[str, Any]:
    parts = {
        "llm": networks.acoustic.llm,
        "flow": networks.acoustic.flow,
        "vocoder": networks.acoustic.vocoder,
        "speech_tokenizer": networks.front_end.speech_tokenizer,
        "speaker_encoder": networks.front_end.speaker_encoder,
    }
    return {
        "adapter": CosyVoice2Adapter.name,
        "size": networks.config.size,
        "weights": "random",
        "seed": seed,
        "device": networks.device,
        "fingerprint": fingerprint,
        "parameters": {name: sum(parameter.numel() for parameter in part.parameters()) for name, part in parts.items()},
        "dimensions": asdict(networks.config),
    }


ADAPTER = CosyVoice2Adapter()
