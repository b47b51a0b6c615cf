"""What is asked of a model, and what it makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mode = Literal["sft", "zero_shot", "cross_lingual", "voice_conversion", "call"]
"""`call` is what is asked of a user's own function: a call, with as much of the request as it has parameters for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A speaker prompt: a mono recording (`audio`, a file), what it says (`text`), and a name that is its identity.

    `digest` identifies the recording's content together with its text; two speakers of equal digest sound the same.
    """

    id: str
    audio: Path
    text: str
    digest: str


NUMBERS = ".npy"
"""What ends the file of an output that is no sound, instead of `.wav`."""
NOBODY = Speaker(id="", audio=Path(), text="", digest="")
"""The speaker of requests that have no prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One text to speak, the same for every arm. `text` is unused for mode "voice_conversion", which speaks `source`.

    `stratum` groups requests whose effects are estimated apart and then averaged (see statistics.paired_effect). With
    `concurrency` above 1, so many equal requests are made at the same moment, each in a thread and a pipeline of its own.
    """

    id: str
    mode: Mode
    text: str
    speaker: Speaker
    seed: int
    stream: bool = False
    source: Path | None = None
    stratum: str = ""
    concurrency: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a request made: `audio` float32 [samples], mono, on the host; the speech tokens behind it, in order.

    What is no sound has `sample_rate_hz` 0: `audio` is then every number in it, float64 [numbers], and `exact` a digest of all
    else (words, bytes, shapes, names), which is the same or not. `hit_cap` tells that generation ran to its longest allowed
    length instead of ending by itself.
    """

    audio: NDArray[Any]
    sample_rate_hz: int
    tokens: Sequence[int]
    hit_cap: bool = False
    exact: str = ""

    @property
    def audio_s(self) -> float:
        """Seconds of sound; 0 where there is none."""
        return len(self.audio) / self.sample_rate_hz if self.sample_rate_hz else 0.0

    def kept(self) -> Output:
        """The output as it is now, whatever becomes of the memory that it was read from."""
        return self
