"""The adapter on small CosyVoices of our own; on the public code it is tried by `nox -s seed_code`."""

from __future__ import annotations

import gc
import hashlib
import re
import sys
import types
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchaudio

from harness.optimizations import named
from harness.optimizations.witness import judge
from harness.worker.checkout import counting, finding
from harness.worker.checkout.code import Code
from harness.worker.checkout.model import CheckoutModel
from harness.worker.checkout.toggles.compiled import compiling
from harness.worker.checkout.toggles.precompiled_regex import ByText
from harness.worker.errors import UsageError
from harness.worker.requests import Request, Speaker
from harness.worker.spans import Recorder, recording
from harness.worker.target import draft, not_applicable
from tests.checkout.samples import written
from tests.checkout.speaking import counted, spoken

COLLECTED = {
    "cleanup": "gc.collect()\n        if torch.cuda.is_available():\n            torch.cuda.empty_cache()",
    "replaced": {"import threading": "import gc\nimport threading"},
}
TOGGLES = (
    "cached_cuda_check", "cached_device", "resample_cache", "precompiled_regex", "speaker_preregistration",
    "batched_cleanup", "prebuilt_resample",
)  # fmt: skip
STATES: dict[str, Any] = {"precompiled_regex": {"patterns": "all"}}


@pytest.mark.parametrize("stream", [False, True], ids=["offline", "streaming"])
@pytest.mark.parametrize("toggle", TOGGLES)
@pytest.mark.parametrize("paths", [False, True], ids=["samples", "path"])
def test_each_toggle_is_engaged_by_its_witness_and_leaves_the_output_as_it_was(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], toggle: str, *, paths: bool, stream: bool
) -> None:
    model = loaded(paths=paths, **COLLECTED)
    if toggle in model.not_applicable():
        assert paths
        assert toggle == "prebuilt_resample"
        return
    request, state = request_of(stream=stream), STATES.get(toggle, True)
    before, spoken_before = counted(model, toggle, request, state=False)
    after, spoken_after = counted(model, toggle, request, state=state)
    witness = named(toggle).witness
    parameters = state if isinstance(state, dict) else {}
    assert judge(before, after, witness.before, witness.expected_after(parameters)) == ""
    for output in (*spoken_before, *spoken_after):
        assert output.tokens == spoken_before[0].tokens
        assert output.audio.tobytes() == spoken_before[0].audio.tobytes()


def identities(package: str) -> dict[tuple[str, str], int]:
    """What every name of the target's modules and classes, and of the libraries that are patched, points to."""
    owners: list[Any] = [torch, torch.cuda, torch.Tensor, torchaudio, torchaudio.transforms, re, gc]
    for name, module in sys.modules.items():
        if name.partition(".")[0] == package:
            owners += [module, *(value for value in vars(module).values() if isinstance(value, type))]
    return {(repr(owner), name): id(value) for owner in owners for name, value in vars(owner).items()}


def test_after_requests_every_name_points_to_what_it_pointed_to(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    model = loaded(**COLLECTED)
    code = model._code
    networks = [code.engine.llm, code.engine.flow, code.engine.hift]
    before = identities(code.package), [dict(vars(network)) for network in networks]
    target = model.bind({name: STATES.get(name, True) for name in TOGGLES[:-1]}, [request_of().speaker])
    target.activate()
    assert identities(code.package) != before[0]
    target.deactivate()
    for stream in (False, True):
        target.run(request_of(stream=stream), lambda _: None)
    spoken(model, request_of())
    assert identities(code.package) == before[0]
    assert [dict(vars(network)) for network in networks] == before[1]


def test_a_request_that_fails_leaves_nothing_patched_either(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    model = loaded(replaced={"state = torch.roll": "raise ArithmeticError('no more words')  #"})
    before = identities(model._code.package)
    for stream in (False, True):
        with pytest.raises(ArithmeticError, match="no more words"):
            spoken(model, request_of(stream=stream))
    assert identities(model._code.package) == before


def test_a_name_that_the_target_itself_changes_in_a_request_is_told(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    model = loaded(cleanup="type(self.flow).inference, self.flow.inference = type(self.flow).inference, None")
    with pytest.raises(Exception, match=r"Flow>\.inference"):
        spoken(model, request_of(text="once"))


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_nothing_on_disk_below_the_target_changes(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], tmp_path: Path
) -> None:
    package = written(tmp_path / "mine")
    before = contents(tmp_path / "mine")
    options = {"path": tmp_path / "mine", "weights": tmp_path / "mine" / "weights"}
    model = loaded(options)
    assert model._code.package == package
    spoken(model, request_of(), {"speaker_preregistration": True})
    assert contents(tmp_path / "mine") == before


@pytest.mark.parametrize("paths", [False, True], ids=["samples", "path"])
def test_all_modes_are_spoken_in_either_prompt_convention(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], speaker: Speaker, *, paths: bool
) -> None:
    model = loaded(paths=paths)
    assert model.description["prompt"] == ("a path" if paths else "samples at 16 kHz")
    for mode, more in (("zero_shot", {}), ("cross_lingual", {}), ("voice_conversion", {"source": speaker.audio})):
        output = spoken(model, request_of(mode=mode, **more))
        assert output.sample_rate_hz == 24_000
        assert len(output.audio) == 480 * len(output.tokens) > 0
        assert output.audio.dtype == np.float32


def test_a_registered_speaker_serves_request_after_request_of_a_front_end_that_deletes_from_it(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    model = loaded()
    target = model.bind({"speaker_preregistration": True}, [request_of().speaker])
    first, second = (target.run(request_of(mode="cross_lingual"), lambda _: None) for _ in range(2))
    assert first.audio.tobytes() == second.audio.tobytes()


def test_chunks_and_stages_are_told_and_streaming_says_the_same_each_time(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    model = loaded()
    for stream in (False, True):
        target = model.bind({}, [])
        chunks: list[list[int]] = [[], []]
        with recording(Recorder()) as recorder:
            outputs = [target.run(request_of(stream=stream), told.append) for told in chunks]
        stages = {"frontend", "frontend.text", "frontend.embedding", "flow", "vocoder"} | (set() if stream else {"llm"})
        assert stages <= set(recorder.totals_s())
        assert chunks[0] == chunks[1]
        assert sum(chunks[0]) == len(outputs[0].audio)
        assert (len(chunks[0]) > 2) is stream
        assert outputs[0].audio.tobytes() == outputs[1].audio.tobytes()


def test_the_length_is_forced_for_random_weights_and_else_the_models_own(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    text = "four" * 5
    forced = spoken(loaded(), request_of(text=text))
    assert len(forced.tokens) == 4 * len(text)
    assert len(spoken(loaded({"length": 1.5}), request_of(text=text)).tokens) == int(1.5 * len(text))
    endless = {"token.item() == 0": "False"}
    output = spoken(loaded({"length": "model"}, replaced=endless), request_of(text=text))
    assert (len(output.tokens), output.hit_cap, forced.hit_cap) == (20 * len(text), True, False)


@pytest.mark.parametrize("stream", [False, True], ids=["offline", "streaming"])
def test_given_tokens_are_spoken_instead_of_what_the_language_model_says(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], *, stream: bool
) -> None:
    target = loaded().bind({}, [])
    request = request_of(stream=stream)
    drawn = target.run(request, lambda _: None)
    assert len(drawn.segments) > 1
    assert sum(drawn.segments) == len(drawn.tokens)
    other = [int(token) + 1 for token in drawn.tokens]
    rests = [iter(tokens) for tokens in (map(int, drawn.tokens), other)]
    same, another = (
        target.run(replace(request, tokens=[list(islice(rest, count)) for count in drawn.segments]), lambda _: None)
        for rest in rests
    )
    assert list(same.segments) == list(another.segments) == list(drawn.segments)
    assert same.audio.tobytes() == drawn.audio.tobytes()
    assert list(another.tokens) == other
    assert another.audio.shape == drawn.audio.shape
    assert another.audio.tobytes() != drawn.audio.tobytes()


def test_what_one_arm_leaves_behind_another_does_not_meet(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    growing = {"done += self.hop": "done += self.hop; self.hop *= 2"}
    model = loaded(replaced=growing)
    heard: list[list[int]] = [[], [], []]
    one, other = model.bind({}, []), model.bind({}, [])
    for target, chunks in ((one, heard[0]), (one, heard[1]), (other, heard[2])):
        target.run(request_of(stream=True), chunks.append)
    assert heard[0] == heard[2]
    assert len(heard[1]) < len(heard[0])


@pytest.mark.parametrize("toggle", [None, "cached_device"])
def test_what_the_facade_sets_on_its_engine_every_arm_has(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], toggle: str | None
) -> None:
    setting = {"Vocoder(), fp16)": "Vocoder(), fp16)\n        self.model.hop = 4\n        self.model.said['kept'] = []"}
    model, states = loaded(replaced=setting), {} if toggle is None else {toggle: True}
    target = model.bind(states, [])
    heard: list[int] = []
    output = target.run(request_of(stream=True), heard.append)
    assert heard[0] / sum(heard) == 4 / len(output.tokens)
    assert "kept" not in target.arm.engine.said, "what an engine holds is its own"


def test_what_belongs_together_is_set_together_and_what_an_engine_holds_is_shared_with_no_other(
    loaded: Callable[..., CheckoutModel],
) -> None:
    says = "self.overlap, self.window, self.session = 8, torch.zeros(16), None"
    sets = "engine = self.model\n        engine.overlap, engine.window, engine.session = 4, torch.ones(8), {}"
    model = loaded(engine_init=says, replaced={"Vocoder(), fp16)": f"Vocoder(), fp16)\n        {sets}"})
    one, other = (model.bind({}, []).arm.engine for _ in range(2))
    assert (one.overlap, one.window.tolist(), one.session) == (4, [1.0] * 8, None)
    one.window[0] = 0.5
    assert other.window[0] == model._code.engine.window[0] == 1.0


def test_what_a_toggle_changes_in_the_constructor_stays_changed(loaded: Callable[..., CheckoutModel]) -> None:
    """The facade says what the constructor would, of another thing: the arm's own answer is not overwritten."""
    says = {"engine_init": "self.asked = torch.cuda.is_available.__name__"}
    model = loaded(**says, replaced={"Vocoder(), fp16)": "Vocoder(), fp16)\n        self.model.asked = 'set'"})
    assert model.bind({}, []).arm.engine.asked == "set"
    assert model.bind({"cached_cuda_check": True}, []).arm.engine.asked not in {"set", "is_available"}


def test_what_is_timed_of_a_pipeline_is_the_targets_own_work(
    loaded: Callable[..., CheckoutModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(**COLLECTED)
    states = {name: name not in ("speaker_preregistration", "frontend_threads") for name in model.toggles}
    build: Any = draft(model, states, [])
    for name in model.toggles:
        for asked in ("lacks", "before", "after"):
            monkeypatch.setattr(model._toggles[name], asked, None)
    monkeypatch.setattr("harness.worker.checkout.code.methods", None)
    monkeypatch.setattr("harness.worker.checkout.toggles.hop_reset.methods", None)
    assert build().arm.engine is not model._code.engine


HAS_THEM = {
    "engine_init": "self.has_cuda = torch.cuda.is_available()",
    "asks": "self.has_cuda",
    "cleanup": "if self.has_cuda:\n            torch.cuda.empty_cache()",
    "front_end_init": "self.resample_kept = {}",
    "read_24k": (
        "if (16000, 24000) not in self.resample_kept:\n"
        "            self.resample_kept[16000, 24000] = torchaudio.transforms.Resample(16000, 24000)\n"
        "        speech = self.resample_kept[16000, 24000](prompt)"
    ),
    "replaced": {
        'self.device = torch.device("cuda"': 'self.place = torch.device("cuda"',
        ".to(self.device)": ".to(self.place)",
    },
}


@pytest.mark.parametrize("toggle", ["cached_cuda_check", "cached_device", "resample_cache"])
def test_what_the_code_has_already_is_told_and_its_before_is_put_back(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], toggle: str
) -> None:
    model = loaded(**HAS_THEM)
    where = {
        "cached_cuda_check": "self.has_cuda",
        "cached_device": "self.place",
        "resample_cache": "self.resample_kept",
    }
    assert where[toggle] in model.already_present()[toggle]
    before, spoken_before = counted(model, toggle, request_of(), state=False)
    after, spoken_after = counted(model, toggle, request_of(), state=True)
    assert judge(before, after, named(toggle).witness.before, named(toggle).witness.expected_after({})) == ""
    assert spoken_before[0].audio.tobytes() == spoken_after[0].audio.tobytes()


def test_a_toggle_without_a_place_is_not_applicable_with_the_reason(loaded: Callable[..., CheckoutModel]) -> None:
    model = loaded(paths=True)
    refused = not_applicable(model, [*TOGGLES, "session_reuse"])
    assert refused["batched_cleanup"] == "its code gives memory back on a GPU alone"
    assert "known only when" in refused["prebuilt_resample"]
    assert refused["session_reuse"] == "this adapter does not know it"
    assert not set(TOGGLES[:5]) & set(refused)


def test_a_state_with_parameters_cleans_every_so_many_segments(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    model = loaded(**COLLECTED)
    of_two, _ = counted(model, "batched_cleanup", request_of(), state=False)
    every_third, _ = counted(model, "batched_cleanup", request_of(), state={"every": 3})
    never, _ = counted(model, "batched_cleanup", request_of(), state={"every": "never"})
    above, _ = counted(model, "batched_cleanup", request_of(), state={"every": "never", "above": "1KiB"})
    found = [list(counts.per_request) for counts in (of_two, every_third, never, above)]
    assert found == [[2, 2, 2], [0, 1, 1], [0, 0, 0], [2, 2, 2]]


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"def token2wav": "def tokens_to_wave"}, r"Speaker\.token2wav is missing"),
        ({"def _extract_spk_embedding": "def embed"}, r"Inputs\._extract_spk_embedding is missing"),
        ({"def inference(self, mel": "def sing(self, mel"}, r"Speaker\.hift\.inference is missing"),
        ({"min_token_text_ratio=2": "least=2", "(min_token": "(least if 1 else min_token"},
         r"min_token_text_ratio and max_token_text_ratio of Words\.inference is missing"),
        ({"self.sample_rate = 24000": "pass", "self.sample_rate": "24000"}, r"Voice\.sample_rate is missing"),
    ],
)  # fmt: skip
def test_a_missing_name_gives_one_line_that_names_it_and_the_versions_that_work(
    loaded: Callable[..., CheckoutModel], replaced: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        loaded(replaced=replaced)
    assert finding.KNOWN_TO_WORK in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_method_that_a_mode_needs_is_named(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], speaker: Speaker
) -> None:
    model = loaded(replaced={"def inference_vc": "def convert"})
    with pytest.raises(UsageError, match=r"Voice\.inference_vc is missing.*known to work"):
        spoken(model, request_of(mode="voice_conversion", source=speaker.audio))


def test_requests_at_the_same_moment_and_speakers_that_are_not_there_are_refused(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    with pytest.raises(UsageError, match="one request at a time"):
        spoken(loaded(), request_of(concurrency=2))
    with pytest.raises(UsageError, match=r"spk2info\.pt"):
        spoken(loaded(), request_of(mode="sft"))


def test_code_in_any_layout_is_found_by_what_it_imports(tmp_path: Path) -> None:
    package = written(tmp_path / "backend" / "Cosy")
    (tmp_path / "backend" / "Cosy" / "third_party" / "Other").mkdir(parents=True)
    for path in (tmp_path, tmp_path / "backend" / "Cosy" / package):
        where = finding.locate(path)
        assert where.module == f"{package}.cli.cosyvoice"
        roots = [tmp_path / "backend" / "Cosy", tmp_path / "backend" / "Cosy" / "third_party" / "Other"]
        assert where.roots == roots


def test_what_is_missing_for_the_import_is_said_with_the_remedy(loaded: Callable[..., CheckoutModel]) -> None:
    with pytest.raises(UsageError, match=r"No module named 'absent_package'.*model: supply"):
        loaded(replaced={"import threading": "import absent_package"})


def test_a_supply_file_provides_what_is_missing(loaded: Callable[..., CheckoutModel], tmp_path: Path) -> None:
    supply = tmp_path / "supply.py"
    supply.write_text(
        "import sys, types\n"
        "def prepare():\n    sys.modules['supplied_package'] = types.ModuleType('supplied_package')\n"
        "def complete(facade):\n    facade.sample_rate = 16000\n",
        encoding="utf-8",
    )
    lacking = {"import threading": "import threading, supplied_package", "self.sample_rate = 24000": "pass"}
    with ExitStack() as stack:
        stack.callback(lambda: sys.modules.pop("supplied_package", None))
        assert loaded({"supply": str(supply)}, replaced=lacking).description["sample_rate_hz"] == 16_000


def test_weights_of_another_generation_are_refused(loaded: Callable[..., CheckoutModel]) -> None:
    with pytest.raises(UsageError, match=r"weights has none of cosyvoice3\.yaml"):
        loaded(replaced={"cosyvoice2.yaml": "cosyvoice3.yaml"})


READS_ITSELF = "speech = torch.from_numpy(soundfile.read(prompt, dtype='float32', always_2d=True)[0].T.copy())"
READERS: dict[str, dict[str, Any]] = {
    "kept": {"replaced": {"def load_wav": "import functools\n\n\n@functools.lru_cache\ndef load_wav"}},
    "its own": {
        "read_16k": READS_ITSELF,
        "replaced": {"import re\nimport torch\n": "import re\nimport soundfile\nimport torch\n"},
    },
}


@pytest.mark.parametrize("reader", READERS)
def test_a_path_is_handed_over_whoever_reads_it(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request], reader: str
) -> None:
    model = loaded(paths=True, **READERS[reader])
    assert model.description["prompt"] == "a path"
    assert len(spoken(model, request_of()).audio)


def test_the_parts_are_found_whatever_their_attributes_are_called(loaded: Callable[..., CheckoutModel]) -> None:
    model = loaded(
        replaced={"self.frontend": "self.inputs", "self.model.": "self.speaker.", "self.model =": "self.speaker ="}
    )
    code: Code = model._code
    assert (code.front_end_name, code.engine_name) == ("inputs", "speaker")


def test_of_what_no_arm_names_the_code_stays_as_it_is_where_it_has_it_already(
    loaded: Callable[..., CheckoutModel], request_of: Callable[..., Request]
) -> None:
    """A scenario about something else must not undo what the code has."""
    model = loaded(**HAS_THEM)
    target = model.bind({}, [])
    target.run(request_of(), lambda _: None)
    with model.probe("resample_cache", {})() as tally:
        target.run(request_of(), lambda _: None)
    assert tally.count == 0
    put_back = model.bind({"resample_cache": False}, [])
    with model.probe("resample_cache", {})() as tally:
        put_back.run(request_of(), lambda _: None)
    assert tally.count > 0


@pytest.mark.parametrize(
    "call",
    [
        lambda library: library.search("abc", "ABCabc", library.I).span(),
        lambda library: library.findall("x", "XxXx", library.I),
        lambda library: library.sub("x", "y", "XxXx", 0, library.I),
        lambda library: library.sub("x", "y", "XxXx", 1),
        lambda library: library.split("x", "aXbxc", 1, library.I),
        lambda library: library.match(pattern="a", string="A", flags=library.I).span(),
    ],
)
def test_a_compiling_library_answers_as_the_library_does_flags_included(call: Callable[[Any], Any]) -> None:
    assert call(compiling([])(re)) == call(re)


@pytest.mark.parametrize(
    "call",
    [
        lambda pattern: pattern.search("xxaxA", 3).span(),
        lambda pattern: pattern.findall("aaA", 1, 2),
        lambda pattern: pattern.subn("b", "aAa"),
        lambda pattern: pattern.match(string="Abc").span(),
        lambda pattern: pattern.groups,
    ],
)
def test_a_pattern_that_is_handed_over_as_text_answers_as_the_pattern_does(call: Callable[[Any], Any]) -> None:
    pattern = re.compile("a", re.IGNORECASE)
    assert call(ByText(pattern, re)) == call(pattern)


def test_who_kept_a_counted_function_from_an_earlier_region_is_counted_in_a_later_one() -> None:
    module = types.ModuleType("target")
    module.__dict__["ask"] = lambda: 1
    probe = counting.calls((module, "ask"))
    with probe() as first:
        kept = module.ask
        kept()
    with probe() as second:
        kept()
        module.ask()
    kept()
    assert (first.count, second.count) == (1, 2)
