from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.errors import UsageError
from harness.models.cosyvoice2.config import NANO
from harness.models.cosyvoice2.frontend import FrontEnd, Recordings
from harness.models.cosyvoice2.pipeline import Networks
from harness.worker.requests import Speaker

Record = Callable[..., Path]
SitesOf = Callable[[Mapping[str, Any]], dict[str, Any]]


@pytest.fixture
def front_end(shared_networks: Networks, sites_of: SitesOf) -> FrontEnd:
    return FrontEnd(NANO, shared_networks.front_end, Recordings(16_000), sites_of({}))


def test_a_speaker_has_two_mel_frames_a_token_and_one_embedding(front_end: FrontEnd, speaker: Speaker) -> None:
    features = front_end.extract(speaker)
    assert set(features) == {"prompt_text_tokens", "speech_tokens", "prompt_mel", "embedding"}
    assert features["speech_tokens"].shape == (1, 50)
    assert features["prompt_mel"].shape == (1, 100, 80)
    assert features["embedding"].shape == (1, 192)
    assert features["prompt_text_tokens"].shape[1] > 0


def test_zero_shot_gives_the_prompt_to_both_networks(front_end: FrontEnd, speaker: Speaker) -> None:
    inputs = front_end.zero_shot("你好。", speaker)
    assert torch.equal(inputs.prompt_speech, inputs.flow_prompt)
    assert inputs.prompt_text.shape[1] > 0
    assert inputs.source.shape == (1, 0)


def test_cross_lingual_keeps_the_prompt_from_the_language_model(front_end: FrontEnd, speaker: Speaker) -> None:
    inputs = front_end.cross_lingual("Hello.", speaker)
    assert inputs.prompt_text.shape == inputs.prompt_speech.shape == (1, 0)
    assert inputs.flow_prompt.shape == (1, 50)


def test_sft_takes_nothing_but_the_embedding_from_the_speaker(front_end: FrontEnd, speaker: Speaker) -> None:
    inputs = front_end.sft("你好。", speaker)
    assert inputs.flow_prompt.shape == (1, 0)
    assert inputs.prompt_mel.shape == (1, 0, 80)
    assert torch.equal(inputs.embedding, front_end.extract(speaker)["embedding"])


def test_voice_conversion_hears_the_source_and_speaks_no_text(
    front_end: FrontEnd, speaker: Speaker, record: Record
) -> None:
    inputs = front_end.voice_conversion(record("source.wav", pitch_hz=200, seconds=1.0), speaker)
    assert inputs.text.shape == (1, 0)
    assert inputs.source.shape == (1, 25)
    assert inputs.flow_prompt.shape == (1, 50)


def test_the_device_is_asked_for_each_tensor_that_is_moved(
    shared_networks: Networks, sites_of: SitesOf, speaker: Speaker
) -> None:
    asked: list[None] = []

    def device() -> torch.device:
        asked.append(None)
        return torch.device("cpu")

    sites = sites_of({}) | {"frontend.device": device}
    FrontEnd(NANO, shared_networks.front_end, Recordings(16_000), sites).extract(speaker)
    assert len(asked) == 4


def test_a_recording_is_read_from_disk_once(speaker: Speaker) -> None:
    recordings = Recordings(16_000)
    first = recordings.audio(speaker.audio)
    speaker.audio.unlink()
    assert recordings.audio(speaker.audio) is first


def test_a_recording_of_more_than_thirty_seconds_is_refused(record: Record) -> None:
    path = record("long.wav", seconds=31.0)
    with pytest.raises(UsageError, match=r"long\.wav lasts more than 30 s; cut the recording"):
        Recordings(16_000).audio(path)


def test_a_text_without_words_is_refused(front_end: FrontEnd) -> None:
    with pytest.raises(UsageError, match="there is nothing to speak"):
        front_end.segments("……")
