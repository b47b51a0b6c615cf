"""The seam between the harness and what it measures.

    Adapter.load(...)  -> Model      weights in memory, once per worker; nothing here is timed
    Model.bind(states) -> Target     a pipeline over those weights with the arm's toggles; timed as `init`
    Target.run(request, on_chunk)    one request, timed; `on_chunk()` is called as each audio chunk reaches the host

An adapter is an object with a `name` and `load`; adding one means adding it to `adapters.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.optimizations import Probe
from harness.results import State

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.machine import Machine

Mode = Literal["sft", "zero_shot", "cross_lingual", "voice_conversion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A speaker prompt: a mono recording (`audio`, a file), what it says (`text`), and a name that is its identity.

    `digest` identifies the recording's content together with its text; two speakers of equal digest sound the same.
    """

    id: str
    audio: Path
    text: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One text to speak, the same for every arm. `text` is unused for mode "voice_conversion", which speaks `source`.

    `stratum` groups requests whose effects are estimated apart and then averaged (see statistics.paired_effect).
    """

    id: str
    mode: Mode
    text: str
    speaker: Speaker
    seed: int
    stream: bool = False
    source: Path | None = None
    stratum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a request made: `audio` float32 [samples], mono, on the host; the speech tokens behind it, in order.

    `hit_cap` tells that generation ran to its longest allowed length instead of ending by itself.
    """

    audio: NDArray[np.float32]
    sample_rate_hz: int
    tokens: Sequence[int]
    hit_cap: bool = False


class Target(Protocol):
    """A pipeline with an arm's toggles bound."""

    def run(self, request: Request, on_chunk: Callable[[], None]) -> Output: ...


class Model(Protocol):
    """Weights in memory, and what can be built over them.

    `not_applicable` names toggles that this target cannot take, with the reason. `probe` opens the witness of a toggle
    with the given parameters; the usual answer is `named(toggle).witness.probe(**parameters)`.
    """

    description: Mapping[str, Any]

    def not_applicable(self) -> Mapping[str, str]: ...

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Target: ...

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe: ...


class Adapter(Protocol):
    """Something that can be measured. `options` are the adapter's own keys of `model:` in the scenario."""

    name: str

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> Model: ...
