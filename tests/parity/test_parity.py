"""Our arithmetic is that of the public code, module by module and from a request to its audio.

Every test run compares with committed recordings of the public code; `nox -s parity` records anew, from a directory that
`make-checkpoint` wrote, in this machine's own environment, and compares everything.

On one machine and one build the two agree to the bit, save for the cross-fade of streamed chunks, whose window the
public code has in float64: 2e-8 of the audio. `FRESH_ERROR` allows 1e-5 all the same. A committed recording was made on
another machine, where sums may round otherwise, and two things make more of it, `GROWN_ERROR` and `TWICE_GROWN_ERROR`:

- Logarithms of bins in which there is next to nothing: 1e-7 of a recording become some 1e-5 of its log-mel frames, and of
  what is made of them (`test_the_last_digit_of_a_recording_is_grown_by_its_quiet_bins`).
- Phases, because that of a harmonic is the sum of all pitches before it: half a second of the ninth harmonic of 120 Hz is
  3,400 radians, so that 3e-7 of the mel become 1e-4 of the audio (`test_the_last_digit_of_a_mel_is_grown_by_the_phases`).

The audio of a converted recording goes through both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from harness.models.cosyvoice2.audio import mel_spectrogram
from harness.models.cosyvoice2.config import REDUCED
from harness.models.cosyvoice2.model_dir import examine
from harness.models.cosyvoice2.pipeline import Networks, loaded_networks, random_networks
from tests.parity import inputs, ours
from tests.parity.golden import FRESH, MINICPMO, NEWEST, Recording, recordings

FRESH_ERROR, GROWN_ERROR, TWICE_GROWN_ERROR = 1e-5, 1e-3, 1e-2
GROWS = ("pipeline.", "vocoder.", "frontend.prompt_mel", "frontend.embedding")
GROWS_TWICE = "pipeline.converted.audio"

DRAWN, FOLLOWING = "llm.drawn_tokens", ("llm.drawn_tokens", "pipeline.spoken")
LONG_STREAM = "pipeline.streamed_long"
"""Chunks grow in newest upstream and in ours, and keep their length in cosyvoice-minicpmo."""

CASES = [
    pytest.param(recording, name, id=f"{'fresh' if recording.fresh else 'golden'}-{recording.code}-{name}")
    for recording in recordings()
    for name in recording.names()
    if not (recording.code == MINICPMO and name.startswith(LONG_STREAM))
]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    _side.cache_clear()
    _ours.cache_clear()
    _theirs.cache_clear()


@dataclass(frozen=True)
class Side:
    """Our networks and what they are given."""

    networks: Networks
    given: Mapping[str, Tensor]
    folder: Path


@cache
def _side(*, fresh: bool, scratch: Path) -> Side:
    if fresh:
        folder = Path(os.environ[FRESH])
        networks = loaded_networks(examine(folder / "model"), "cpu")
        return Side(networks, load_file(folder / "inputs/inputs.safetensors"), folder / "inputs")
    inputs.write_recordings(scratch)
    return Side(random_networks(REDUCED, "cpu", seed=0), inputs.tensors(REDUCED), scratch)


@cache
def _ours(*, fresh: bool, scratch: Path) -> Mapping[str, Tensor]:
    side = _side(fresh=fresh, scratch=scratch)
    return ours.outputs(side.networks, side.given, inputs.settings(side.networks.config), side.folder)


@cache
def _theirs(recording: Recording) -> Mapping[str, Tensor]:
    return recording.load()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parity")


def relative_error(theirs: Tensor, mine: Tensor) -> float:
    """Root mean square of the difference over that of `theirs`."""
    difference = (theirs.double() - mine.double()).norm()
    return float(difference / theirs.double().norm())


@pytest.mark.parametrize(("recording", "name"), CASES)
def test_what_is_computed_is_what_the_public_code_computes(recording: Recording, name: str, scratch: Path) -> None:
    theirs = _theirs(recording)[name]
    if recording.code == MINICPMO and name.startswith(FOLLOWING) and _ends_took_part(recording, scratch):
        pytest.skip("an end token took part in its draws; test_with_its_own_rule_for_ends... compares those")
    mine = recording.part_of(_ours(fresh=recording.fresh, scratch=scratch)[name])
    assert mine.shape == theirs.shape
    if not theirs.is_floating_point():
        assert mine.tolist() == theirs.tolist()
        return
    assert relative_error(theirs, mine) < _allowed(name, fresh=recording.fresh)


def _allowed(name: str, *, fresh: bool) -> float:
    if fresh or name == "vocoder.f0" or not name.startswith(GROWS):
        return FRESH_ERROR
    return TWICE_GROWN_ERROR if name == GROWS_TWICE else GROWN_ERROR


def _ends_took_part(recording: Recording, scratch: Path) -> bool:
    """Whether `recording` has other tokens than ours, whose rule for end tokens and repetitions is newest upstream's."""
    mine = _ours(fresh=recording.fresh, scratch=scratch)[DRAWN].tolist()
    return bool(_theirs(recording)[DRAWN].tolist() != mine)


@pytest.mark.parametrize(
    "recording", [each for each in recordings() if each.code == MINICPMO], ids=lambda each: f"fresh-{each.fresh}"
)
def test_with_its_own_rule_for_ends_the_republication_draws_the_same_tokens(
    recording: Recording, scratch: Path
) -> None:
    side = _side(fresh=recording.fresh, scratch=scratch)
    mine = ours.drawn_by_the_republication(side.networks, side.given, inputs.settings(side.networks.config))
    assert mine == _theirs(recording)[DRAWN].tolist()


@pytest.mark.parametrize("recording", recordings(), ids=lambda recording: f"{recording.code}-{recording.fresh}")
def test_both_sides_have_the_same_outputs(recording: Recording, scratch: Path) -> None:
    assert set(recording.names()) == set(_ours(fresh=recording.fresh, scratch=scratch))


def test_chunks_grow_in_newest_upstream_and_here_but_not_in_the_republication(scratch: Path) -> None:
    pieces = {recording.code: _theirs(recording)[f"{LONG_STREAM}.pieces"].tolist() for recording in recordings()}
    mine = _ours(fresh=False, scratch=scratch)[f"{LONG_STREAM}.pieces"].tolist()
    assert pieces[NEWEST] == mine
    assert len(pieces[MINICPMO]) > len(mine)
    assert sum(pieces[MINICPMO]) == sum(mine)


def test_the_last_digit_of_a_mel_is_grown_by_the_phases() -> None:
    vocoder = random_networks(REDUCED, "cpu", seed=0).acoustic.vocoder
    mel = inputs.tensors(REDUCED)["mel"]
    other = mel * (1 + 3e-7 * torch.randn(mel.shape, generator=torch.Generator().manual_seed(0)).sign())
    one, two = (vocoder.inference(each, None, torch.Generator().manual_seed(1))[0] for each in (mel, other))
    assert relative_error(one, two) > 20 * relative_error(mel, other)


def test_the_last_digit_of_a_recording_is_grown_by_its_quiet_bins() -> None:
    audio = torch.from_numpy(inputs.recording(120.0, 1.5)).float()[None]
    other = audio + 1e-7 * audio.std() * torch.randn(audio.shape, generator=torch.Generator().manual_seed(0))
    one, two = (mel_spectrogram(each) for each in (audio, other))
    assert relative_error(one, two) > 20 * relative_error(audio, other)


@pytest.mark.skipif(FRESH not in os.environ, reason="only in `nox -s parity`")
def test_the_newest_upstream_was_recorded_too() -> None:
    fresh = {recording.code for recording in recordings() if recording.fresh}
    assert MINICPMO in fresh
    if NEWEST not in fresh:
        pytest.skip("COSYVOICE_HOME names no checkout of FunAudioLLM/CosyVoice: compared with its golden values only")
