"""CosyVoice2 in this project's own code, instrumented, with every site of a speech pipeline; weights are random or a model directory's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.base import SHARED
from harness.errors import UsageError, nearest
from harness.optimizations import SPEECH_SITES, BindContext, Probe, bind, held, lacking, named
from harness.toggling import State
from harness.worker.requests import Request, Speaker

if TYPE_CHECKING:
    from harness.models.cosyvoice2.config import CosyVoice2Config
    from harness.models.cosyvoice2.model_dir import ModelDir
    from harness.models.cosyvoice2.pipeline import Networks, Pipeline
    from harness.worker.machine import Machine

OPTIONS = ("size", "weights", "seed", "length", "steps")
SWITCHES = ("llm_dtype",)
FLOAT32 = "float32"
DTYPES = (FLOAT32, "bfloat16", "float16")
FORCED = "forced"
LENGTHS = (FORCED, "model")
RANDOM = "random"


class CosyVoice2Model:
    """Networks in memory, and pipelines over them. `description` says what was loaded, for the report."""

    def __init__(self, networks: Networks, fingerprint: str, weights: Mapping[str, Any], store_dir: Path) -> None:
        self._networks = networks
        self._fingerprint = fingerprint
        self._store_dir = store_dir
        self._bound = count()
        self.description: Mapping[str, Any] = _description(networks, fingerprint, weights)

    def not_applicable(self) -> Mapping[str, str]:
        """What is not about speech: the model has every site of a speech pipeline."""
        return lacking(SPEECH_SITES, CosyVoice2Adapter.name)

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Pipeline:
        """A pipeline with the toggles of `states`; `speakers` are registered.

        Each has a speaker store of its own, empty at first: none may find there what another has put.
        """
        from harness.models.cosyvoice2.pipeline import Pipeline

        sites = bind(states, self._context(), SPEECH_SITES)
        return Pipeline(self._networks, sites, speakers, held=partial(held, states, sites))

    def _context(self) -> BindContext:
        config = self._networks.config
        return BindContext(
            device=self._networks.device,
            prompt_rate_hz=config.prompt_rate_hz,
            model_rate_hz=config.sample_rate_hz,
            store_dir=self._store_dir / str(next(self._bound)),
            model_fingerprint=self._fingerprint,
        )

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        """The witness of a toggle, as its file declares it."""
        return named(optimization).witness.probe(**parameters)

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]:
        """One call of a toggle's place with the text and the speaker of `request`, over a front end with no toggle on."""
        from harness.models.cosyvoice2.pipeline import site_arguments

        context = self._context()
        arguments = site_arguments(self._networks, bind({}, context, SPEECH_SITES), request)
        return named(optimization).one_call(state, context, arguments)

    def declaring(self) -> AbstractContextManager[list[dict[str, Any]]]:
        """What the networks must read and compute in the requests that are made meanwhile."""
        from harness.models.cosyvoice2.declaring import declaring

        return declaring(self._networks)

    def inference(self) -> AbstractContextManager[Any]:
        import torch

        return torch.inference_mode()


class CosyVoice2Adapter:
    """`model: {adapter: cosyvoice2, size: nano|reduced|full, weights: random, seed: 0}`, or `weights: DIR`; with `steps: 10`, `length: 1`."""

    name = "cosyvoice2"
    declares_work = True
    switches = SWITCHES

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse unknown options, and a model directory with missing files or a configuration that cannot be served.

        Raises UsageError. The tensors are looked at when the model is loaded.
        """
        from harness.models.cosyvoice2.config import SIZES
        from harness.models.cosyvoice2.model_dir import examine

        _refuse_unknown(options, (*OPTIONS, *SWITCHES), "option")
        size, length = options.get("size"), options.get("length")
        _refuse_unknown(() if size is None else (str(size),), tuple(SIZES), "size")
        _refuse_unknown((length,) if isinstance(length, str) else (), LENGTHS, "length")
        _refuse_unknown((options.get("llm_dtype", FLOAT32),), DTYPES, "llm_dtype")
        if options.get("weights", RANDOM) != RANDOM:
            examine(Path(options["weights"]), size)

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> CosyVoice2Model:
        """The networks with weights from the seed or from a directory, on the machine's device.

        Raises UsageError as `check`, and CheckpointError for weights that do not fit.
        """
        self.check(options)
        store = work_dir / "speakers"
        if options.get("weights", RANDOM) != RANDOM:
            return _load_directory(options, machine.device, store)
        import torch

        from harness.models.cosyvoice2.config import SIZES
        from harness.models.cosyvoice2.pipeline import random_networks
        from harness.models.cosyvoice2.weights import drawn_once, fingerprint

        seed, llm_dtype = int(options.get("seed", 0)), getattr(torch, options.get("llm_dtype", FLOAT32))
        length = options.get("length") or FORCED
        drawn = _as_asked(SIZES[options.get("size") or "nano"], length, None)
        config, known_as = _as_asked(drawn, length, options.get("steps")), fingerprint(drawn, seed)
        with drawn_once(work_dir.parent / SHARED / known_as):
            networks = random_networks(config, machine.device, seed, llm_dtype)
        return CosyVoice2Model(networks, known_as, {"weights": RANDOM, "seed": seed}, store)


def _load_directory(options: Mapping[str, Any], device: str, store: Path) -> CosyVoice2Model:
    import torch

    from harness.models.cosyvoice2.model_dir import examine
    from harness.models.cosyvoice2.pipeline import loaded_networks

    directory = examine(Path(options["weights"]), options.get("size"))
    length = options.get("length") or ("model" if directory.made is None else FORCED)
    directory = replace(directory, config=_as_asked(directory.config, length, options.get("steps")))
    networks = loaded_networks(directory, device, getattr(torch, options.get("llm_dtype", FLOAT32)))
    return CosyVoice2Model(networks, directory.fingerprint(), _origin(directory), store)


def _origin(directory: ModelDir) -> dict[str, Any]:
    """The directory by its own name alone: reports are published, and where it lies is nobody's business."""
    origin: dict[str, Any] = {"weights": directory.name}
    if directory.made is not None:
        origin["made_by_make_checkpoint"] = directory.made
    return origin


def _as_asked(config: CosyVoice2Config, length: str | float, steps: int | None) -> CosyVoice2Config:
    """`config` with the `length` written into it, where it is not what the size has, and so many `steps` of the flow."""
    if length != FORCED:
        ratio = None if isinstance(length, str) else float(length)
        config = replace(config, llm=replace(config.llm, tokens_per_text_token=ratio))
    return config if steps is None else replace(config, flow=replace(config.flow, euler_steps=int(steps)))


def _refuse_unknown(found: Any, allowed: tuple[str, ...], what: str) -> None:
    for name in found:
        if name not in allowed:
            hint = nearest(name, allowed) or f"; allowed: {', '.join(allowed)}"
            message = f"model: the adapter cosyvoice2 knows no {what} {name!r}{hint}"
            raise UsageError(message)


def _description(networks: Networks, fingerprint: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    acoustic, front_end = networks.acoustic, networks.front_end
    parts: dict[str, Any] = {"llm": acoustic.llm, "flow": acoustic.flow, "vocoder": acoustic.vocoder}
    heard = {"speech_tokenizer": front_end.speech_tokenizer, "speaker_encoder": front_end.speaker_encoder}
    graphs = {name: part.describe() for name, part in heard.items() if hasattr(part, "describe")}
    parts |= {name: part for name, part in heard.items() if name not in graphs}
    dtype = str(acoustic.llm.llm_decoder.weight.dtype).removeprefix("torch.")
    dimensions = {name: value for name, value in asdict(networks.config).items() if name not in graphs}
    return {
        "adapter": CosyVoice2Adapter.name,
        "size": networks.config.size,
        **weights,
        "length": "model" if networks.config.llm.tokens_per_text_token is None else FORCED,
        "device": networks.device,
        "fingerprint": fingerprint,
        "parameters": {name: sum(parameter.numel() for parameter in part.parameters()) for name, part in parts.items()},
        **({"onnx": graphs} if graphs else {}),
        **({"llm_dtype": dtype} if dtype != FLOAT32 else {}),
        "dimensions": dimensions,
    }


ADAPTER = CosyVoice2Adapter()
