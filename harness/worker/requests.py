"""What is asked of a model, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .audio import write

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mode = Literal["sft", "zero_shot", "cross_lingual", "voice_conversion", "call"]
"""`call` is what is asked of a user's own function: a call, with as much of the request as it has parameters for."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Request:
    """One text to speak, the same for every arm. `text` is unused for mode "voice_conversion", which speaks `source`.

    `stratum` groups requests whose effects are estimated apart and then averaged (see statistics.paired_effect). With
    `concurrency` above 1, so many equal requests are made at the same moment, each in a thread and a pipeline of its own.
    `tokens` are speech tokens to speak instead of drawing any, of each segment of the text; a target that cannot do so leaves
    them alone, and the tokens of its output say so.
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
    tokens: Sequence[Sequence[int]] | None = None


@dataclass(frozen=True)
class Output:
    """What a request made: `audio` float32 [samples], mono, on the host; the speech tokens behind it, in order.

    Where there is no numpy, an `array.array("f")` serves as well. What is no sound has `sample_rate_hz` 0: `audio` is then every
    number in it, float64 [numbers], and `exact` a digest of all else (words, bytes, shapes, names), which is the same or not.
    A class of the target's own makes it, and has a `write` for it.

    `hit_cap` tells that generation ran to its longest allowed length instead of ending by itself. `segments` says how many of the
    tokens each segment of the text has, where the target can speak given ones.
    """

    audio: NDArray[Any]
    sample_rate_hz: int
    tokens: Sequence[int]
    hit_cap: bool = False
    exact: str = ""
    segments: Sequence[int] = ()

    @property
    def audio_s(self) -> float:
        """Seconds of sound; 0 where there is none."""
        return len(self.audio) / self.sample_rate_hz if self.sample_rate_hz else 0.0

    def kept(self) -> Output:
        """The output as it is now, whatever becomes of the memory that it was read from."""
        return self

    def write(self, file: Path) -> None:
        """Write the sound to `file`, its samples unchanged; what is no sound, beside it, under a name that ends in `NUMBERS`."""
        write(file, self.audio, self.sample_rate_hz)


def by_segment(tokens: Sequence[int], segments: Sequence[int]) -> list[list[int]]:
    """The tokens of each segment, of which `segments` says how many it has; [] where these are not all, or it is not told."""
    rest = iter(tokens)
    found = [list(islice(rest, count)) for count in segments]
    return found if next(rest, None) is None else []


def speaker_from(data: Mapping[str, Any]) -> Speaker:
    """The speaker of `wire.speaker`'s plain data."""
    return Speaker(id=data["id"], audio=Path(data["audio"]), text=data["text"], digest=data["digest"])


def request_from(data: Mapping[str, Any]) -> Request:
    """The request of `wire.request`'s plain data."""
    source = data["source"]
    return Request(
        id=data["id"], mode=data["mode"], text=data["text"], speaker=speaker_from(data["speaker"]), seed=data["seed"],
        stream=data["stream"], source=None if source is None else Path(source), stratum=data["stratum"],
        concurrency=data["concurrency"], tokens=data.get("tokens"),
    )  # fmt: skip
