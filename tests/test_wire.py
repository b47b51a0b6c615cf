"""What a worker is told of requests is what the workload has, and can be read back without this project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness import workload
from harness.wire import Wire, handed_over
from harness.worker import audio
from harness.worker.requests import request_from, speaker_from
from tests.conftest import fake_scenario

REPEATED = {
    "texts": {"en": "hello", "zh": "builtin:news"},
    "speakers": {"count": 2, "repeat": 0.5},
    "concurrency": [1, 2],
}


@pytest.mark.usefixtures("_own_cache")
def test_requests_and_speakers_survive_the_wire() -> None:
    scenario = fake_scenario(workload={**REPEATED, "mode": ["zero_shot", "voice_conversion"]})
    wire = Wire(scenario)
    for index in range(20):
        sent = json.loads(json.dumps(wire.request(index, workload.WARM_UP)))
        assert request_from(sent) == workload.request(scenario, index, workload.WARM_UP)
    assert tuple(map(speaker_from, wire.speakers())) == workload.speakers(scenario)


@pytest.mark.usefixtures("_own_cache")
def test_what_runs_before_a_new_speaker_s_request_lets_nobody_know_that_speaker() -> None:
    scenario = fake_scenario(workload=REPEATED)
    index = next(index for index in range(20) if workload.is_new(workload.request(scenario, index)))
    told = Wire(scenario).block(["none"], index, rehearse=True, settle=False)
    assert request_from(told["rehearsal"]) == workload.rehearsal(scenario, index)
    assert told["rehearsal"]["speaker"]["digest"] != told["request"]["speaker"]["digest"]
    assert Wire(scenario).block(["none"], index, rehearse=False, settle=False)["rehearsal"] is None
    assert Wire(scenario).block(["none"], index, rehearse=False, settle=True)["rehearsal"] is not None


def test_recordings_are_handed_over_as_files_in_the_folder(tmp_path: Path) -> None:
    for sent in Wire(fake_scenario(), tmp_path / "prompts").speakers():
        assert Path(sent["audio"]).parent == tmp_path / "prompts"
        assert audio.read(Path(sent["audio"]))[1] == 16_000


@pytest.mark.parametrize(
    ("kind", "subtype"), [("FLAC", "PCM_24"), ("WAV", "PCM_24"), ("WAV", "PCM_16"), ("OGG", "VORBIS")]
)
def test_a_recording_keeps_its_samples_whatever_it_was(tmp_path: Path, kind: str, subtype: str) -> None:
    samples = np.sin(np.arange(16_000) / 7).astype(np.float32) * 0.5
    own = tmp_path / f"own.{kind.lower()}"
    soundfile.write(own, samples, 16_000, format=kind, subtype=subtype)
    read, rate_hz = audio.read(handed_over(own, tmp_path / "prompts"))
    assert rate_hz == 16_000
    assert np.array_equal(np.frombuffer(read, np.float32), soundfile.read(own, dtype="float32")[0])
