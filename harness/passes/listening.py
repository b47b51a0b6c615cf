"""What is heard in the outputs that are compared: which words are wrong, how good it sounds, and whose voice it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness import assessor, transcriber, workload
from harness.assessor import Assessment
from harness.errors import MeasureError
from harness.results import Finding
from harness.session import Session
from harness.units import percent, score
from harness.words import comparable, error_rate

UNDERSTOOD = 0.10
"""The highest word error rate of the reference at which its words are worth comparing."""
SPEECH = 2.0
"""The lowest opinion score of the reference at which its quality and its voice are worth comparing."""
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """By the path of the audio in the run's folder, word error rates as shares and assessments; of those that were listened to."""

    words: Mapping[str, float]
    sounds: Mapping[str, Assessment]

    def between(self, before: str, after: str) -> dict[str, float | None]:
        """What was heard in two outputs, by the names that `Equivalence` has for it; None for what nobody listened to."""
        first, second = self.sounds.get(before), self.sounds.get(after)
        return {
            "words_before": self.words.get(before),
            "words_after": self.words.get(after),
            "quality_before": None if first is None else first.quality,
            "quality_after": None if second is None else second.quality,
            "voice": assessor.similarity(first, second) if first and second else None,
        }


def listen(session: Session, checked: Sequence[int]) -> Heard:
    """What is heard in what every living arm made of the requests `checked`; nothing that the scenario does not ask for.

    Equal outputs are listened to once. What keeps it from being done is a finding, and no fault of the run.
    """
    measure = session.scenario.measure
    return Heard(
        words=_words(session, checked) if measure.words else {}, sounds=_sounds(session) if measure.quality else {}
    )


def _words(session: Session, checked: Sequence[int]) -> Mapping[str, float]:
    """Word error rates of outputs that speak an English text."""
    made = {
        workload.request(session.scenario, index).id: workload.request(session.scenario, index) for index in checked
    }
    texts = {name: request.text for name, request in made.items() if request.mode != "voice_conversion"}
    english = {name: text for name, text in texts.items() if comparable(text)}
    spoken = {audio: english[request] for audio, request in _sound_files(session).items() if request in english}
    obstacle = transcriber.missing() or ("" if spoken else "no request that was compared has an English text")
    heard = _listened(session, "words", "The words of the outputs were not checked", obstacle, list(spoken),
                      transcriber.transcribe)  # fmt: skip
    rates = {audio: error_rate(spoken[audio], words) for audio, words in heard.items()}
    for request, audio in _of_the_reference(session):
        if rates.get(audio, 0.0) > UNDERSTOOD:
            message = (
                f"{request} is heard with {percent(rates[audio])} of its words wrong already by the reference "
                f'("{heard[audio]}"): little can be said of the words of other arms.'
            )
            _find(session, "words", message)
    return rates


def _sounds(session: Session) -> Mapping[str, Assessment]:
    """Quality and voice of all outputs that are sound."""
    sound = list(_sound_files(session))
    obstacle = assessor.missing() or ("" if sound else "no output that was compared is sound")
    found = _listened(session, "quality", "Quality and voice of the outputs were not checked", obstacle, sound,
                      assessor.assess)  # fmt: skip
    for request, audio in _of_the_reference(session):
        if audio in found and found[audio].quality < SPEECH:
            message = (
                f"{request} has an estimated quality of {score(found[audio].quality)} of 5 already by the reference: "
                "little can be said of the quality and the voice of other arms."
            )
            _find(session, "quality", message)
    return found


def _sound_files(session: Session) -> dict[str, str]:
    """Path of the audio -> the request, of what living arms made and is sound."""
    return {
        output["audio"]: output["request"]
        for arm in session.alive(list(session.ledger.examined))
        for output in session.ledger.examined[arm]
        if output["audio"].endswith(".wav")
    }


def _of_the_reference(session: Session) -> list[tuple[str, str]]:
    """Requests and paths of what the reference made of them."""
    return [(output["request"], output["audio"]) for output in session.ledger.examined[session.design.reference]]


def _listened(
    session: Session,
    kind: str,
    otherwise: str,
    obstacle: str,
    files: Sequence[str],
    listening: Callable[[Sequence[Path]], Sequence[Answer]],
) -> dict[str, Answer]:
    """File -> what is heard in it; without any where there is an `obstacle`, or listening fails, which is then found."""
    if obstacle:
        _find(session, kind, f"{otherwise}: {obstacle}.")
        return {}
    session.progress.update(session.device, "listening", 0.1, None)
    try:
        return listened_to(session.journal.folder, files, listening)
    except MeasureError as error:
        _find(session, kind, f"{otherwise}: {error}.")
        return {}


def listened_to(
    folder: Path, files: Sequence[str], listening: Callable[[Sequence[Path]], Sequence[Answer]]
) -> dict[str, Answer]:
    """File -> what is heard in it; one of those with equal samples is listened to."""
    equal: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    for file in files:
        equal[_sound_in(folder / file)].append(file)
    found = listening([folder / same[0] for same in equal.values()])
    return {file: heard for same, heard in zip(equal.values(), found, strict=True) for file in same}


def _sound_in(file: Path) -> tuple[int, bytes]:
    """Rate and samples of a WAV file: the bytes of equal sounds may differ, as by the time at which they were written."""
    import soundfile

    samples: Any
    samples, rate_hz = soundfile.read(str(file), dtype="float32")
    return rate_hz, samples.tobytes()


def _find(session: Session, kind: str, message: str) -> None:
    session.record("finding", **asdict(Finding(kind=kind, device=session.device, message=message)))
