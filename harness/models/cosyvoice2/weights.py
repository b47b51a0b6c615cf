"""Random weights from a seed, the same on every machine, without touching torch's global random state.

Modules are built without torch's own initialisation, which would draw from that state, and filled from one generator
each.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from harness.models.cosyvoice2.config import CosyVoice2Config
from harness.models.cosyvoice2.flow import Flow
from harness.models.cosyvoice2.llm import SpeechLM
from harness.models.cosyvoice2.vocoder import HiFT

WORTH_KEEPING = 20_000_000
"""A module of fewer parameters is drawn again faster than it is read."""
SCHEME = 1
"""Counts changes of what a seed means; part of the fingerprint."""

BIAS_STD = 0.02
PITCH_SCALE_HZ = 300.0
LOG_MAGNITUDE = -2.3
LOG_MAGNITUDE_SPREAD = 0.3

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcousticModel:
    """The three networks from text tokens to audio, in eval mode, on one device."""

    llm: SpeechLM
    flow: Flow
    vocoder: HiFT


def fingerprint(config: CosyVoice2Config, seed: int) -> str:
    """16 hexadecimal digits that change with the dimensions, the seed and the way weights are drawn."""
    return hashlib.sha256(f"{SCHEME}|{seed}|{config!r}".encode()).hexdigest()[:16]


def random_model(
    config: CosyVoice2Config, device: torch.device | str, seed: int, llm_dtype: torch.dtype = torch.float32
) -> AcousticModel:
    """The acoustic model with weights from `seed`, float32 on `device`; of the language model rounded to `llm_dtype` before they get there."""
    return AcousticModel(
        llm=build(lambda: SpeechLM(config.llm), generator_for(seed, "llm")).to(llm_dtype).to(device),
        flow=build(
            lambda: Flow(config.flow, config.llm.speech_vocab, config.speaker_encoder.embedding, config.mels),
            generator_for(seed, "flow"),
        ).to(device),
        vocoder=_random_vocoder(config, generator_for(seed, "vocoder")).to(device),
    )


@torch.no_grad()
def _random_vocoder(config: CosyVoice2Config, generator: torch.Generator) -> HiFT:
    """A vocoder whose pitches and levels lie where speech's do.

    Plain weights would predict pitches below 1 Hz, all unvoiced, and exponentiate their spectrum into clipping.
    """
    vocoder = build(lambda: HiFT(config.vocoder, config.sample_rate_hz, config.mels), generator)
    vocoder.f0_predictor.classifier.weight.mul_(PITCH_SCALE_HZ)
    spectrum = vocoder.conv_post
    spectrum.weight = spectrum.weight * LOG_MAGNITUDE_SPREAD
    spectrum.bias[: config.vocoder.istft_n_fft // 2 + 1] += LOG_MAGNITUDE
    return vocoder


def generator_for(seed: int, part: str) -> torch.Generator:
    """A CPU generator for one part of the model, so that a change of one part leaves the others' weights alone."""
    digest = hashlib.sha256(f"{seed}|{part}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


class _WithoutInitialisation(TorchFunctionMode):
    """Leaves `torch.nn.init` undone while modules are built.

    The meta device would do so too, but imports torch's compiler for it, which costs a worker a second and every garbage
    collection 130,000 objects more (docs/decisions/0005).
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def build(make: Callable[[], ModuleT], generator: torch.Generator) -> ModuleT:
    """Construct a module, fill it from `generator`, and put it in eval mode, float32 on the CPU.

    Within `drawn_once`, a large module is drawn by the first process only, and read by those after it.
    """
    module = construct(make)
    if _shelf.folder is None or sum(parameter.numel() for parameter in module.parameters()) < WORTH_KEEPING:
        initialise(module, generator)
        return module
    file = _shelf.folder / f"{type(module).__name__}-{generator.initial_seed()}.pt"
    if file.exists():
        module.load_state_dict(torch.load(file, mmap=True, weights_only=True))
        return module
    initialise(module, generator)
    _keep(module, file)
    return module


def _keep(module: nn.Module, file: Path) -> None:
    """Write the weights whole or not at all: another process may be reading, or writing the same."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    torch.save(module.state_dict(), partial)
    partial.replace(file)


@dataclass(slots=True)
class _Shelf:
    folder: Path | None = None


_shelf = _Shelf()


@contextmanager
def drawn_once(folder: Path) -> Iterator[None]:
    """Keep what `build` draws in `folder`, and take it from there, for as long as the context lasts.

    `folder` belongs to one configuration: the file names hold the class and the generator's seed only.
    """
    _shelf.folder = folder
    try:
        yield
    finally:
        _shelf.folder = None


def construct(make: Callable[[], ModuleT]) -> ModuleT:
    """A module whose weights are still undefined, in eval mode, float32 on the CPU."""
    with _WithoutInitialisation():
        module = make()
    return module.eval().requires_grad_(requires_grad=False)


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights of `module` from `generator`, at scales that keep signals near unit variance through it.

    Linear layers and convolutions (weight norm or not) get variance 1/inputs and small biases, embeddings unit
    variance, norms ones and zeros. Other parameters of at least two dimensions get variance 1/(size of the last);
    of one dimension, ones. Visits modules in their order of registration, a tied parameter once.
    """
    done: set[nn.Parameter] = set()
    for part in module.modules():
        if isinstance(part, parametrize.ParametrizationList):
            continue
        if parametrize.is_parametrized(part, "weight"):
            drawn = torch.empty_like(cast("torch.Tensor", part.weight))
            drawn.normal_(0.0, 1.0 / math.sqrt(_inputs(part, drawn)), generator=generator)
            part.weight = drawn
        for name, parameter in part.named_parameters(recurse=False):
            if parameter not in done:
                done.add(parameter)
                _fill(part, name, parameter, generator)


def _fill(part: nn.Module, name: str, parameter: nn.Parameter, generator: torch.Generator) -> None:
    if name.endswith("bias"):
        if _is_norm(part):
            parameter.zero_()
        else:
            parameter.normal_(0.0, BIAS_STD, generator=generator)
    elif parameter.dim() == 1:
        parameter.fill_(1.0)
    elif isinstance(part, nn.Embedding):
        parameter.normal_(0.0, 1.0, generator=generator)
    else:
        parameter.normal_(0.0, 1.0 / math.sqrt(_inputs(part, parameter)), generator=generator)


def _is_norm(part: nn.Module) -> bool:
    return "norm" in type(part).__name__.lower()


def _inputs(part: nn.Module, weight: torch.Tensor) -> int:
    """How many numbers each output of `part` sums."""
    if isinstance(part, nn.ConvTranspose1d | nn.ConvTranspose2d):
        return max(1, weight.shape[0] // part.groups * math.prod(weight.shape[2:]) // math.prod(part.stride))
    if isinstance(part, nn.Conv1d | nn.Conv2d):
        return math.prod(weight.shape[1:])
    return weight.shape[-1]
