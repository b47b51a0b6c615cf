"""What a worker is told of requests: plain data, made here of a scenario, because a worker knows none."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import get_ident
from typing import Any

from harness import workload
from harness.scenario import Scenario
from harness.worker.requests import NOBODY, Request, Speaker

_AS_IT_IS = ("PCM_16", "FLOAT")
"""Kinds of WAV file that `worker.audio` reads."""


class Wire:
    """Requests and speakers of `scenario` as data; `request_from` and `speaker_from` of `worker.requests` read it.

    With `prompts`, a folder, recordings are handed over as files in it that can be read without soundfile.
    """

    def __init__(self, scenario: Scenario, prompts: Path | None = None) -> None:
        self._scenario = scenario
        self._prompts = prompts
        self._handed_over: dict[Path, Path] = {}

    def speakers(self) -> list[dict[str, Any]]:
        """The speakers of whom a pipeline may be told when it is built."""
        return [self._speaker(known) for known in workload.speakers(self._scenario)]

    def request(self, index: int, lane: int = 0) -> dict[str, Any]:
        """The request of a block (`workload.request`)."""
        return self._request(workload.request(self._scenario, index, lane))

    def requests(self, indexes: Sequence[int], lane: int = 0) -> list[dict[str, Any]]:
        """As `request`, for several."""
        return [self.request(index, lane) for index in indexes]

    def singles(
        self, indexes: Sequence[int], tokens: Mapping[int, Sequence[Sequence[int]]] | None = None
    ) -> list[dict[str, Any]]:
        """As `requests`, each alone, however many of it the workload makes at the same moment; with the `tokens` of some."""
        given = tokens or {}
        return [{**self.request(index), "concurrency": 1, "tokens": given.get(index)} for index in indexes]

    def replay(self, count: int) -> list[dict[str, Any]]:
        """The first requests of a life, as they were drawn (`workload.replay`)."""
        return [self._request(made) for made in workload.replay(self._scenario, count)]

    def block(
        self, order: Sequence[str], index: int, lane: int = 0, *, rehearse: bool, settle: bool, dose_s: float = 0.0
    ) -> dict[str, Any]:
        """A block for the command `blocks`: the arms `order` on one request.

        `rehearse`: the first of them runs an untimed request before it; `settle`: each of them does.
        """
        rehearsal = workload.rehearsal(self._scenario, index) if rehearse or settle else None
        return {
            "order": list(order),
            "request": self.request(index, lane),
            "rehearsal": None if rehearsal is None else self._request(rehearsal),
            "settle": settle,
            "dose_s": dose_s,
        }

    def _speaker(self, known: Speaker) -> dict[str, Any]:
        audio = str(self._audio(known.audio))
        return {"id": known.id, "audio": audio, "text": known.text, "digest": known.digest}

    def _request(self, made: Request) -> dict[str, Any]:
        return {
            "id": made.id,
            "mode": made.mode,
            "text": made.text,
            "speaker": self._speaker(made.speaker),
            "seed": made.seed,
            "stream": made.stream,
            "source": None if made.source is None else str(self._audio(made.source)),
            "stratum": made.stratum,
            "concurrency": made.concurrency,
        }

    def _audio(self, recording: Path) -> Path:
        if self._prompts is None or recording == NOBODY.audio:
            return recording
        if recording not in self._handed_over:
            self._handed_over[recording] = handed_over(recording, self._prompts)
        return self._handed_over[recording]


def handed_over(recording: Path, folder: Path) -> Path:
    """A copy of a recording in `folder`, its samples unchanged, as a WAV file of 16-bit integers or of 32-bit floats."""
    import soundfile

    file = folder / f"{hashlib.sha256(recording.read_bytes()).hexdigest()[:16]}.wav"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{get_ident()}.partial")
    told = soundfile.info(str(recording))
    if told.format == "WAV" and told.subtype in _AS_IT_IS:
        shutil.copyfile(recording, partial)
    else:
        samples, rate_hz = soundfile.read(str(recording), dtype="float32")
        soundfile.write(str(partial), samples, rate_hz, format="WAV", subtype="FLOAT")
    partial.replace(file)
    return file
