"""What a speech recogniser hears in the outputs that are compared, and how many words of it are wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness import transcriber, workload
from harness.errors import MeasureError
from harness.results import Finding
from harness.session import Session
from harness.units import percent
from harness.words import comparable, error_rate

Heard = Mapping[str, float]
"""Word error rate, as a share, by the path of the audio in the run's folder; audio that was not listened to has none."""
UNDERSTOOD = 0.10
"""The highest word error rate of the reference at which its words are worth comparing."""


def words_heard(session: Session, checked: Sequence[int]) -> Heard:
    """Word error rates of what every living arm made of the requests `checked`; none unless the scenario asks for them.

    Equal outputs are listened to once. What keeps it from being done is a finding, and no fault of the run.
    """
    if not session.scenario.measure.words:
        return {}
    made = {
        workload.request(session.scenario, index).id: workload.request(session.scenario, index) for index in checked
    }
    texts = {name: request.text for name, request in made.items() if request.mode != "voice_conversion"}
    english = {name: text for name, text in texts.items() if comparable(text)}
    spoken = {
        output["audio"]: english[output["request"]]
        for arm in session.alive(list(session.ledger.examined))
        for output in session.ledger.examined[arm]
        if output["request"] in english and output["audio"].endswith(".wav")
    }
    obstacle = transcriber.missing() or ("" if spoken else "no request that was compared has an English text")
    if obstacle:
        _find(session, f"The words of the outputs were not checked: {obstacle}.")
        return {}
    session.progress.update(session.device, "listening", 0.1, None)
    try:
        heard = listened_to(session.journal.folder, list(spoken))
    except MeasureError as error:
        _find(session, f"The words of the outputs were not checked: {error}.")
        return {}
    rates = {audio: error_rate(text, heard[audio]) for audio, text in spoken.items()}
    _report_unclear(session, rates, heard)
    return rates


def listened_to(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """File -> what is heard in it; one of those with equal samples is listened to."""
    equal: dict[tuple[int, bytes], list[str]] = defaultdict(list)
    for file in files:
        equal[_sound_in(folder / file)].append(file)
    found = transcriber.transcribe([folder / same[0] for same in equal.values()])
    return {file: words for same, words in zip(equal.values(), found, strict=True) for file in same}


def _sound_in(file: Path) -> tuple[int, bytes]:
    """Rate and samples of a WAV file: the bytes of equal sounds may differ, as by the time at which they were written."""
    import soundfile

    samples, rate_hz = soundfile.read(str(file), dtype="float32")
    return rate_hz, samples.tobytes()


def _report_unclear(session: Session, rates: Heard, heard: Mapping[str, str]) -> None:
    """Say which outputs of the reference are not understood, so that little can be said of the words of others."""
    for output in session.ledger.examined[session.design.reference]:
        rate = rates.get(output["audio"], 0.0)
        if rate > UNDERSTOOD:
            _find(
                session,
                f"{output['request']} is heard with {percent(rate)} of its words wrong already by the reference "
                f'("{heard[output["audio"]]}"): little can be said of the words of other arms.',
            )


def _find(session: Session, message: str) -> None:
    session.record("finding", **asdict(Finding(kind="words", device=session.device, message=message)))
