from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from harness.adapters.cosyvoice2 import ADAPTER, CosyVoice2Model
from harness.errors import UsageError
from harness.models.cosyvoice2.tokenizer import TextTokenizer, trained
from harness.optimizations import SPEECH_SITES, named, registry
from harness.optimizations.witness import Counts, counter, judge
from harness.results import Arm
from harness.toggling import State
from harness.worker.machine import machine
from harness.worker.measure import Bench
from harness.worker.requests import Output, Request, Speaker
from harness.worker.together import Threads

TOGGLES: Mapping[str, State] = {
    "cached_cuda_check": True,
    "cached_device": True,
    "resample_cache": True,
    "prebuilt_resample": True,
    "precompiled_regex": {"patterns": "all"},
    "speaker_preregistration": True,
    "batched_cleanup": True,
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Bitwise equality holds for one number of threads only; it must be set before the reference is made."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def model(work_dir: Path) -> CosyVoice2Model:
    return ADAPTER.load({"size": "nano", "weights": "random", "seed": 3}, machine("cpu"), work_dir)


@pytest.fixture(scope="module")
def speaker(work_dir: Path) -> Speaker:
    noise = np.random.default_rng(0).standard_normal(24_000)
    tone = np.sin(2 * np.pi * 150 * np.arange(24_000) / 16_000)
    path = work_dir / "voice.wav"
    soundfile.write(path, 0.3 * tone + 0.01 * noise, 16_000)
    return Speaker(id="ada", audio=path, text="今天天气很好。", digest="ada-1")


@pytest.fixture(scope="module")
def requests(speaker: Speaker) -> tuple[Request, ...]:
    texts = {"zh": "总价￥1,234.50。我们去公园吧！", "en": "It costs $2,999 today."}
    return (
        Request(id="zh", mode="zero_shot", text=texts["zh"], speaker=speaker, seed=1),
        Request(id="en", mode="cross_lingual", text=texts["en"], speaker=speaker, seed=2, stream=True),
        Request(id="vc", mode="voice_conversion", text="", speaker=speaker, seed=3, source=speaker.audio),
    )


def outputs(
    model: CosyVoice2Model, states: Mapping[str, State], requests: tuple[Request, ...], speaker: Speaker
) -> list[Output]:
    target = model.bind({"batched_cleanup": {"every": "never"}, **states}, [speaker])
    return [target.run(request, lambda _: None) for request in requests]


@pytest.fixture(scope="module")
def reference(model: CosyVoice2Model, requests: tuple[Request, ...], speaker: Speaker) -> list[Output]:
    return outputs(model, {}, requests, speaker)


ALL = {name: state for name, state in TOGGLES.items() if name != "prebuilt_resample"}


@pytest.mark.parametrize(
    "states", [*({name: state} for name, state in TOGGLES.items()), ALL], ids=[*TOGGLES, "all together"]
)
def test_no_toggle_changes_a_token_or_a_sample(
    model: CosyVoice2Model,
    requests: tuple[Request, ...],
    speaker: Speaker,
    reference: list[Output],
    states: Mapping[str, State],
) -> None:
    for before, after in zip(reference, outputs(model, states, requests, speaker), strict=True):
        assert after.tokens == before.tokens
        assert np.array_equal(after.audio, before.audio)


@pytest.mark.parametrize("toggle", TOGGLES)
def test_the_witness_of_each_toggle_sees_it_engaged(
    model: CosyVoice2Model, requests: tuple[Request, ...], speaker: Speaker, toggle: str
) -> None:
    state = TOGGLES[toggle]
    parameters = {} if isinstance(state, bool) else state
    # Collecting garbage takes longer than these requests; only the toggle that avoids it needs to see it.
    others: Mapping[str, State] = {} if toggle == "batched_cleanup" else {"batched_cleanup": {"every": "never"}}
    witness = named(toggle).witness

    def counted(states: Mapping[str, State]) -> Counts:
        with model.probe(toggle, parameters)() as tally:
            target = model.bind({**others, **states}, [speaker])
            at_bind, per_request = tally.count, []
            for request in requests:
                before = tally.count
                target.run(request, lambda _: None)
                per_request.append(tally.count - before)
        return Counts(at_bind=at_bind, per_request=per_request)

    fault = judge(counted({}), counted({toggle: state}), witness.before, witness.expected_after(parameters))
    assert fault == ""


def test_the_same_seed_loads_the_same_model_and_another_one_another(
    model: CosyVoice2Model, work_dir: Path, requests: tuple[Request, ...], speaker: Speaker, reference: list[Output]
) -> None:
    same = ADAPTER.load({"seed": 3}, machine("cpu"), work_dir)
    other = ADAPTER.load({"seed": 4}, machine("cpu"), work_dir)
    assert np.array_equal(outputs(same, {}, requests[:1], speaker)[0].audio, reference[0].audio)
    assert outputs(other, {}, requests[:1], speaker)[0].tokens != reference[0].tokens
    assert same.description["fingerprint"] == model.description["fingerprint"] != other.description["fingerprint"]


def test_the_flow_takes_as_many_steps_as_the_scenario_says_with_the_same_weights(
    model: CosyVoice2Model, work_dir: Path, requests: tuple[Request, ...], speaker: Speaker, reference: list[Output]
) -> None:
    """Ten are the default; with two the tokens are the same, and the audio as long and another."""
    ten, two = (ADAPTER.load({"seed": 3, "steps": steps}, machine("cpu"), work_dir) for steps in (10, 2))
    assert np.array_equal(outputs(ten, {}, requests[:1], speaker)[0].audio, reference[0].audio)
    assert ten.description["fingerprint"] == model.description["fingerprint"] == two.description["fingerprint"]
    assert two.description["dimensions"]["flow"]["euler_steps"] == 2
    (short,) = outputs(two, {}, requests[:1], speaker)
    assert short.tokens == reference[0].tokens
    assert short.audio.shape == reference[0].audio.shape
    assert not np.array_equal(short.audio, reference[0].audio)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_a_language_model_of_16_bits_draws_from_float32_and_leaves_the_sound_to_the_others(
    model: CosyVoice2Model,
    requests: tuple[Request, ...],
    speaker: Speaker,
    reference: list[Output],
    work_dir: Path,
    dtype: torch.dtype,
) -> None:
    name = str(dtype).removeprefix("torch.")
    options = {"size": "nano", "weights": "random", "seed": 3, "llm_dtype": name}
    half = ADAPTER.load(options, machine("cpu"), work_dir)
    (own, other) = (loaded._networks.acoustic for loaded in (model, half))
    assert {weight.dtype for weight in other.llm.parameters()} == {dtype}
    assert {weight.dtype for part in (other.flow, other.vocoder) for weight in part.parameters()} == {torch.float32}
    assert half.description["llm_dtype"] == name
    assert "llm_dtype" not in model.description
    text, nothing = torch.arange(5)[None], torch.zeros(1, 0, dtype=torch.long)
    exact, rounded = (
        part.llm.step(part.llm.prefix(text, nothing, nothing), part.llm.new_cache()) for part in (own, other)
    )
    assert rounded.dtype == torch.float32
    assert 0 < (exact - rounded).abs().max() < 0.05 * exact.abs().max()
    (drawn,) = outputs(half, {}, requests[:1], speaker)
    assert drawn.audio.shape == reference[0].audio.shape
    (given,) = outputs(half, {}, (replace(requests[0], tokens=by_segment(reference[0])),), speaker)
    assert list(given.tokens) == list(reference[0].tokens)
    assert np.array_equal(given.audio, reference[0].audio)


def test_the_description_publishes_size_parameters_and_dimensions(model: CosyVoice2Model) -> None:
    description = model.description
    assert description["size"] == "nano"
    assert set(description["parameters"]) == {"llm", "flow", "vocoder", "speech_tokenizer", "speaker_encoder"}
    assert all(count > 0 for count in description["parameters"].values())
    assert description["dimensions"]["llm"]["hidden"] == 64
    elsewhere = {name for name, toggle in registry().items() if not set(toggle.sites) <= set(SPEECH_SITES)}
    assert set(model.not_applicable()) == elsewhere > {"planted_work"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "nowhere/CosyVoice2-0.5B"}, "there is no folder nowhere/CosyVoice2-0.5B"),
        ({"length": "modle"}, "no length 'modle'; did you mean model?"),
        ({"size": "nanu"}, "no size 'nanu'; did you mean nano?"),
        ({"llm_dtype": "bf16"}, "no llm_dtype 'bf16'; did you mean bfloat16?"),
        ({"sized": "nano"}, "no option 'sized'; did you mean size?"),
        ({"colour": "red"}, "no option 'colour'; allowed: size, weights, seed, length, steps"),
    ],
)
def test_options_that_it_does_not_know_are_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        ADAPTER.load(options, machine("cpu"), tmp_path)


def by_segment(output: Output) -> list[list[int]]:
    rest = iter(output.tokens)
    return [list(islice(rest, count)) for count in output.segments]


@pytest.mark.parametrize("kind", [0, 1], ids=["whole", "stream"])
def test_given_tokens_are_spoken_instead_of_drawn_ones_segment_by_segment(
    model: CosyVoice2Model, requests: tuple[Request, ...], speaker: Speaker, reference: list[Output], kind: int
) -> None:
    drawn = by_segment(reference[kind])
    assert sum(map(len, drawn)) == len(reference[kind].tokens)
    other = [[(token + 1) % 6561 for token in reversed(tokens)] for tokens in drawn]
    asked = tuple(replace(requests[kind], tokens=tokens) for tokens in (drawn, other))
    same, another = outputs(model, {}, asked, speaker)
    assert np.array_equal(same.audio, reference[kind].audio)
    assert by_segment(same) == drawn
    assert by_segment(another) == other
    assert another.audio.shape == same.audio.shape
    assert not np.array_equal(another.audio, same.audio)


def test_a_segment_for_which_no_tokens_are_given_is_drawn(
    model: CosyVoice2Model, requests: tuple[Request, ...], speaker: Speaker, reference: list[Output]
) -> None:
    first, *others = by_segment(reference[0])
    assert others
    (output,) = outputs(model, {}, (replace(requests[0], tokens=[first]),), speaker)
    assert by_segment(output)[0] == first
    assert list(map(len, by_segment(output))) == list(map(len, [first, *others]))


@pytest.mark.parametrize(("length", "ratio"), [(None, 2.0), ("forced", 2.0), (1, 1.0), (2.5, 2.5)])
def test_a_length_in_numbers_is_of_speech_tokens_for_each_text_token(
    length: str | float | None, ratio: float, requests: tuple[Request, ...], tmp_path: Path
) -> None:
    model = ADAPTER.load({"length": length}, machine("cpu"), tmp_path)
    assert model.description["dimensions"]["llm"]["tokens_per_text_token"] == ratio
    request = requests[0]
    pipeline = model.bind({}, [request.speaker])
    encode, segments = TextTokenizer(trained()).encode, pipeline._front_end.segments(request.text)
    output = pipeline.run(request, lambda _: None)
    assert len(output.tokens) == sum(round(len(encode(segment)) * ratio) for segment in segments)


@pytest.mark.parametrize("states", [{}, ALL], ids=["before", "after"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_four_requests_at_once_speak_the_very_samples_of_one_alone(
    model: CosyVoice2Model,
    requests: tuple[Request, ...],
    speaker: Speaker,
    states: Mapping[str, State],
    *,
    stream: bool,
) -> None:
    states = {**states, "batched_cleanup": {"every": 2}}
    for request in (replace(request, stream=stream) for request in requests):
        alone = model.bind(states, [speaker]).run(request, lambda *_: None)
        crowd = Threads(machine("cpu")).run([model.bind(states, [speaker]) for _ in range(4)], request)
        for answer in crowd.answers:
            assert answer.output.tokens == alone.tokens
            assert answer.output.audio.tobytes() == alone.audio.tobytes()


def test_a_new_speaker_is_stored_once_when_four_requests_bring_it_at_the_same_moment(
    model: CosyVoice2Model, requests: tuple[Request, ...], speaker: Speaker
) -> None:
    new = replace(speaker, id="new", digest="new-1")
    states: Mapping[str, State] = {"speaker_preregistration": True, "batched_cleanup": {"every": "never"}}
    crowd = [model.bind(states, [speaker]) for _ in range(4)]
    answers = Threads(machine("cpu")).run(crowd, replace(requests[0], speaker=new)).answers
    assert len({answer.output.audio.tobytes() for answer in answers}) == 1


def test_every_pipeline_is_built_as_at_a_first_start_and_meets_a_new_speaker_by_itself(
    model: CosyVoice2Model, work_dir: Path, requests: tuple[Request, ...], speaker: Speaker
) -> None:
    new = replace(requests[0], speaker=replace(speaker, id="newer", digest="newer-1"))
    states: Mapping[str, State] = {"speaker_preregistration": True, "batched_cleanup": {"every": "never"}}
    arms = [Arm(name=name, role="toggle", states=states) for name in ("one", "twin")]
    next_worker = ADAPTER.load({"seed": 3}, machine("cpu"), work_dir.parent / "next-worker")
    for loaded, arm in product((model, next_worker), ("one", "twin")):
        bench = Bench(loaded, machine("cpu"), arms, [speaker])
        assert extractions(partial(bench.bind, arm)) == 1
        assert extractions(partial(bench.init, arm)) == 1
        assert [extractions(partial(bench.settle, arm, new)) for _ in range(2)] == [1, 0]


def extractions(done: Callable[[], object]) -> int:
    with counter("speaker.extracted")() as tally:
        done()
    return tally.count


def test_stages_say_what_they_do_in_a_request_and_a_registered_speaker_is_not_encoded(
    model: CosyVoice2Model, requests: tuple[Request, ...], speaker: Speaker
) -> None:
    quick: Mapping[str, State] = {"batched_cleanup": {"every": "never"}}
    arms = [
        Arm(name="none", role="none", states=quick),
        Arm(name="all", role="all", states={**quick, "speaker_preregistration": True}),
    ]
    bench = Bench(model, machine("cpu"), arms, [speaker])
    before, after = (
        {stage: told for _, stage, told in bench.work(name, requests[:1], lambda *_: None)} for name in ("none", "all")
    )
    assert {"frontend", "llm", "flow", "vocoder", "cleanup"} <= set(before)
    assert before["cleanup"] == {"operations": 0, "parts": []}
    assert [part["part"] for part in before["frontend"]["parts"]] == ["frontend.speech_tokens", "frontend.embedding"]
    assert after["frontend"]["parts"] == []
    assert after["frontend"]["operations"] < before["frontend"]["operations"]
    assert after["llm"] == before["llm"]
    assert before["llm"]["operations"] > before["llm"]["parts"][1]["calls"] > 0
