"""A user's own function as what is measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import runner, workload
from harness.adapters import callable as callable_adapter
from harness.adapters.base import Model
from harness.adapters.callable import ARGUMENTS, CallableAdapter
from harness.adapters.calling import check_target
from harness.errors import NothingMeasuredError, ScenarioError, UsageError
from harness.metrics import FIRST, FIRST_INIT, START
from harness.report import markdown
from harness.scenario import Scenario
from harness.toggling import State
from harness.worker.machine import machine
from harness.worker.requests import NOBODY, Output, Request, Speaker
from harness.worker.target import activation
from tests.conftest import Quiet
from tests.worker import interpreters

REQUEST = Request(id="one", mode="call", text="Hello", speaker=NOBODY, seed=7)
TOGGLES = '''
from harness.optimizations import BITWISE, Check, Witness, counter, optimization, replaces
from harness.worker.spans import count

@replaces("mine:weights")
def fewer_weights(n):
    """Make fewer weights."""
    return [1.0]

@replaces("mine:other_weights")
def unused(n):
    """Replace what nobody calls."""
    return []

def loop(context):
    def total(numbers):
        count("mine.loop")
        result = 0
        for number in numbers:
            result += number
        return result
    return total

@optimization(title="Use the builtin sum", sites=("mine.total",), before=loop,
              witness=Witness(unit="loops", probe=lambda **_: counter("mine.loop"), before="every request", after="none"))
def builtin_sum(context, *, start: int = 0):
    """Sum by the builtin function."""
    return lambda numbers: sum(numbers, start)
'''
MINE = """
import random

def weights(n):
    return [0.5] * n

def other_weights(n):
    return weights(n)

def level(text, seed):
    return {"words": text.upper(), "level": sum(weights(10)), "seed": seed, "drawn": random.random()}

def nothing():
    return len(weights(3))

def total(sites, numbers=(1, 2, 3)):
    return sites["mine.total"](list(numbers))

def asks(text, colour): return colour

def anything(**given): return sorted(given.values())

def of_both(width):
    return lambda steps: [width, steps]

def of_any(width):
    return lambda **given: [width, *given.values()]

class Voice:
    def __init__(self, device, scale=2):
        self.made_with, self.scale = len(weights(4)), scale
    def __call__(self, text):
        return [self.made_with, self.scale, len(text)]

def load(sites):
    return lambda numbers=(4, 5): sites["mine.total"](list(numbers))

def chunks(prompt_audio, prompt_rate_hz):
    for part in (prompt_audio[:100], prompt_audio[100:300]):
        yield part, prompt_rate_hz

NUMBER = 3
largest = max

def by_place(steps=1, /):
    return [steps]
"""


@pytest.fixture
def load(user_code: Callable[..., Path], tmp_path: Path) -> Callable[..., Model]:
    """Load a function of the user's file, his toggles imported."""
    from harness.plugins import install

    folder = user_code(mine=MINE, my_toggles=TOGGLES)
    install([folder / "my_toggles.py"], [])

    def loaded(name: str, **options: Any) -> Model:
        chosen = {"target": f"{folder / 'mine.py'}:{name}", **options}
        return CallableAdapter().load(chosen, machine("cpu"), tmp_path)

    return loaded


def ask(model: Model, states: Mapping[str, State] | None = None, request: Request = REQUEST) -> Output:
    target = model.bind(states or {}, [])
    with activation([target]):
        return target.run(request, lambda _: None)


def test_a_function_gets_what_it_has_parameters_for_and_its_answer_is_compared(load: Callable[..., Model]) -> None:
    model = load("level")
    first, again = ask(model), ask(model)
    assert (first.exact, first.audio.tobytes()) == (again.exact, again.audio.tobytes()), "random numbers start anew"
    assert first.audio[:2].tolist() == [5.0, 7.0]
    assert (first.sample_rate_hz, list(first.tokens)) == (0, [])


def test_a_function_without_parameters_is_called(load: Callable[..., Model]) -> None:
    assert ask(load("nothing")).audio.tolist() == [3]


def test_a_replacement_is_there_while_its_arm_runs_alone(load: Callable[..., Model]) -> None:
    model = load("level")
    import mine  # type: ignore[import-not-found]  # written by the fixture

    was = mine.weights
    assert ask(model, {"fewer_weights": True}).audio[0] == 1.0
    assert mine.weights is was
    assert ask(model, {"fewer_weights": False}).audio[0] == 5.0


def test_a_site_of_ones_own_is_handed_to_the_function_that_asks_for_it(load: Callable[..., Model]) -> None:
    model = load("total")
    assert ask(model).audio.tolist() == [6]
    assert ask(model, {"builtin_sum": {"start": 10}}).audio.tolist() == [16]
    with model.probe("builtin_sum", {})() as tally:
        ask(model)
        assert tally.count == 1
        ask(model, {"builtin_sum": True})
        assert tally.count == 1


def test_a_toggle_of_a_site_that_the_function_is_not_handed_is_not_applicable(load: Callable[..., Model]) -> None:
    reasons = load("level").not_applicable()
    assert reasons["builtin_sum"].endswith("has no mine.total")
    assert "mine.py" in reasons["builtin_sum"]
    assert "resample_cache" in reasons
    assert not {"fewer_weights", "unused"} & set(reasons)
    assert "builtin_sum" not in load("total").not_applicable()


def test_a_class_is_a_factory_that_is_called_with_its_toggles_in_place(load: Callable[..., Model]) -> None:
    model = load("Voice", arguments={"scale": 5})
    assert ask(model).audio.tolist() == [4, 5, 5]
    assert ask(model, {"fewer_weights": True}).audio.tolist() == [1, 5, 5]


@pytest.mark.parametrize(
    ("options", "kept", "made"),
    [
        ({"name": "Voice", "arguments": {"scale": 5}}, {"scale": 5}, [4, 5, 5]),
        ({"name": "anything", "arguments": {"seed": 3, "steps": 5}}, {}, [3, 5]),
        ({"name": "of_both", "factory": True, "arguments": {"width": 2, "steps": 5}}, {"width": 2, "steps": 5}, [2, 5]),
        ({"name": "of_any", "factory": True, "arguments": {"width": 2, "steps": 5}}, {"width": 2}, [2, 5]),
    ],
    ids=["a factory's", "any name", "a factory's and what it makes's", "any name of what is made"],
)
def test_arguments_go_where_they_are_taken_and_count_where_a_parameter_has_their_name(
    load: Callable[..., Model], options: dict[str, Any], kept: dict[str, Any], made: list[int]
) -> None:
    model = load(**options)
    assert ask(model).audio.tolist() == made
    assert model.description["kept"] == kept
    assert model.description["arguments"] == options["arguments"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "level", "arguments": {"seeed": 1}}, r"level \(.*\) has no parameter seeed"),
        ({"name": "Voice", "arguments": {"scale": 5, "sale": 1}}, r"what .*Voice .* makes has no parameter sale"),
        (
            {"name": "asks", "arguments": {"colour": 1, "color": 1}},
            r"no parameter color; did you mean colour\?; it has ",
        ),
        ({"name": "by_place", "arguments": {"steps": 1}}, r"takes steps by its place alone"),
        ({"name": "largest", "arguments": {"steps": 1}}, r"no parameters are known.*cannot be given steps"),
    ],
    ids=["a function's", "a factory's", "with a neighbour", "by its place", "not Python's"],
)
def test_an_argument_that_nothing_takes_is_refused(
    load: Callable[..., Model], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ask(load(**options))


def test_a_function_that_makes_the_function_is_called_so(load: Callable[..., Model]) -> None:
    model = load("load", factory=True)
    assert ask(model).audio.tolist() == [9]
    assert ask(model, {"builtin_sum": {"start": 1}}).audio.tolist() == [10]
    with pytest.raises(UsageError, match="must return what can be called; it returned int"):
        ask(load("nothing", factory=True))


def test_a_generator_of_sound_is_heard_in_chunks(load: Callable[..., Model], tmp_path: Path) -> None:
    import soundfile

    samples = np.linspace(-0.5, 0.5, 300, dtype=np.float32)
    soundfile.write(tmp_path / "voice.wav", samples, 16_000, subtype="FLOAT")
    by = Speaker(id="me", audio=tmp_path / "voice.wav", text="words", digest="")
    heard: list[int] = []
    request = Request(id="one", mode="call", text="", speaker=by, seed=0, stream=True)
    output = load("chunks").bind({}, []).run(request, heard.append)
    assert heard == [100, 200]
    assert output.sample_rate_hz == 16_000
    assert np.array_equal(output.audio, samples)


REUSED = """
import numpy as np

def chunks(first):
    buffer = np.zeros(4, dtype=np.float32)
    for value in (first, 2.0, 3.0):
        buffer[:] = value
        yield buffer, 16_000

def filed(first):
    from pathlib import Path
    import soundfile
    file = Path(__file__).with_name("chunk.wav")
    for value in (first, 2.0, 3.0):
        soundfile.write(file, np.full(4, value), 16_000, subtype="FLOAT")
        yield {"audio": file}

def parts(first):
    buffer = np.zeros(1)
    for value in (first, 2.0):
        buffer[:] = value
        yield {"x": buffer}

def iterator(first):
    return iter(list(chunks(first)))

async def later(first):
    return first

async def streamed(first):
    yield first
"""


@pytest.fixture
def reused(user_code: Callable[..., Path], tmp_path: Path) -> Callable[[str], list[float]]:
    folder = user_code(reused=REUSED)

    def made(function: str) -> list[float]:
        options = {"target": f"{folder / 'reused.py'}:{function}", "factory": False, "arguments": {"first": 0.5}}
        model = CallableAdapter().load(options, machine("cpu"), tmp_path)
        numbers: list[float] = ask(model).audio.tolist()
        return numbers

    return made


def test_chunks_that_come_in_the_same_memory_are_all_kept(reused: Callable[[str], list[float]]) -> None:
    """Else an arm that ruins all but the last chunk would have the same output."""
    assert reused("chunks") == [0.5] * 4 + [2.0] * 4 + [3.0] * 4
    assert reused("parts") == [0.5, 2.0]
    with pytest.raises(UsageError, match=r"a chunk has the path .*chunk\.wav' in it.*yield \(samples, rate\)"):
        reused("filed")


@pytest.mark.parametrize("function", ["later", "streamed"])
def test_a_function_that_is_asynchronous_is_told_the_remedy(
    function: str, reused: Callable[[str], list[float]]
) -> None:
    with pytest.raises(UsageError, match=r"the function is asynchronous.*asyncio\.run"):
        reused(function)


def test_an_iterator_that_is_no_generator_is_heard_in_chunks_too(reused: Callable[[str], list[float]]) -> None:
    assert reused("iterator") == [3.0] * 12  # its own list holds one buffer three times


ON_A_GPU = """
import torch

told = []

class OnGpu:
    is_cuda, dtype = True, torch.float32

    def __init__(self, samples):
        self.samples, self.shape = samples, (samples,)

    def cpu(self):
        told.append("copied")
        return torch.zeros(self.samples)

def pieces(stream):
    yield OnGpu(100), 16_000
    yield OnGpu(200), 16_000

def whole(stream):
    return OnGpu(300), 16_000
"""


@pytest.mark.parametrize(("function", "lengths"), [("pieces", [100, 200]), ("whole", [300])])
def test_sound_on_a_gpu_is_heard_once_it_is_on_the_host(
    function: str, lengths: list[int], user_code: Callable[..., Path], tmp_path: Path
) -> None:
    folder = user_code(gpu=ON_A_GPU)
    options = {"target": f"{folder / 'gpu.py'}:{function}", "factory": False, "arguments": {}}
    model = CallableAdapter().load(options, machine("cpu"), tmp_path)
    told = sys.modules["gpu"].told
    request = Request(id="one", mode="call", text="", speaker=NOBODY, seed=0, stream=True)
    output = model.bind({}, []).run(request, told.append)
    assert told == [part for length in lengths for part in ("copied", length)]
    assert len(output.audio) == sum(lengths)


def test_a_prompt_that_is_asked_for_and_not_there_is_named(load: Callable[..., Model]) -> None:
    with pytest.raises(UsageError, match=r"chunks \(.*mine.py:\d+\) asks for prompt_audio.*workload.prompts"):
        ask(load("chunks"))


@pytest.mark.parametrize("toggle", ["fewer_weights", "builtin_sum"])
def test_the_place_of_a_toggle_is_called_with_what_the_request_calls_it_with(
    load: Callable[..., Model], toggle: str
) -> None:
    model = load("total" if toggle == "builtin_sum" else "level")
    off, on = (model.place(toggle, state, REQUEST) for state in (False, True))
    with model.probe(toggle, {})() as tally:
        made = off()
        assert tally.count == 1
        assert on() == (6 if toggle == "builtin_sum" else [1.0])
        assert tally.count == 1
    assert made == (6 if toggle == "builtin_sum" else [0.5] * 10)


def test_a_place_that_the_request_does_not_call_is_named(load: Callable[..., Model]) -> None:
    with pytest.raises(UsageError, match="does not call mine:other_weights"):
        load("level").place("unused", state=False, request=REQUEST)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("asks", r"asks \(.*:\d+\) needs colour.*model.arguments: \{colour: ...\}.*known are text"),
        ("NUMBER", "is of type int, which cannot be called"),
        ("levle", "has no levle; did you mean level"),
    ],
)
def test_a_target_that_cannot_be_called_says_what_to_do(load: Callable[..., Model], name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(name)


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        (None, "gone.py:speak", "no such file"),
        ("def speak(:\n", "broken.py:speak", r"broken.py:1: not a Python file"),
        ("raise SystemExit\ndef speak(): ...\n", "quick.py:speek", "did you mean speak"),
        ("raise SystemExit\ndef speak(): ...\n", "quick.py:speak", ""),
    ],
)
def test_a_target_is_checked_without_running_it(text: str | None, target: str, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / target.partition(":")[0]).write_text(text)
    if not said:
        check_target(f"{tmp_path / target}")
        return
    with pytest.raises(UsageError, match=said):
        check_target(f"{tmp_path / target}")


def scenario_of(folder: Path, **keys: Any) -> Scenario:
    data = {
        "file": str(folder / "mine.yaml"), "name": "mine", "model": {"adapter": "callable", "target": "mine.py:level"},
        "plugins": ["my_toggles.py"], "optimizations": {"fewer_weights": True, "unused": True},
        "measure": {"metrics": ["latency", "site"], "budget": "2s", "workers": 2, "margin": "10%"},
    }  # fmt: skip
    return Scenario.from_data({**data, **keys})


def test_the_defaults_of_a_function_are_one_call_on_the_cpu_without_a_prompt(user_code: Callable[..., Path]) -> None:
    scenario = scenario_of(user_code(mine=MINE, my_toggles=TOGGLES))
    assert scenario.devices == ("cpu",)
    (request,) = workload.requests(scenario)
    assert (request.id, request.stratum, request.speaker) == ("call-s0", "call", NOBODY)
    assert Scenario.from_data(scenario.as_data()) == scenario


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"workload": {"speakers": {"count": 2}}}, "workload.speakers"),
        ({"model": {"adapter": "cosyvoice2"}, "workload": {"mode": "call"}}, "workload.mode"),
        ({"model": {"adapter": "vits"}, "workload": {"prompts": []}}, "workload.prompts"),
        ({"model": {"adapter": "callable", "target": "speak"}}, "model.target"),
        ({"model": {"adapter": "callable", "target": "mine.py:1"}}, "model.target"),
    ],
)
def test_a_workload_that_does_not_fit_the_model_is_refused(
    user_code: Callable[..., Path], keys: Mapping[str, Any], key: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_of(user_code(my_toggles=TOGGLES), **keys)
    assert caught.value.key == key


def test_a_run_of_a_function_tells_engaged_toggles_from_idle_ones_and_changed_outputs(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    folder = user_code(mine=MINE, my_toggles=TOGGLES)
    run = runner.run(scenario_of(folder), tmp_path / "run", devices=["cpu"], progress=quiet)
    found = {item.optimization: item for item in run.contrasts if item.metric == "latency"}
    assert found["fewer_weights"].verdict == "output changed"
    assert found["fewer_weights"].equivalence == "changed"
    assert found["unused"].verdict == "inert"
    assert found["unused"].equivalence == "bitwise"
    assert {row.audio_after for row in run.equivalences} == {None}
    assert run.optimizations["fewer_weights"]["title"] == "Make fewer weights"
    assert "[0.5] * n" in run.optimizations["fewer_weights"]["before_source"]
    places = {item.optimization: item for item in run.contrasts if item.metric == "site"}
    assert places["fewer_weights"].before is not None
    assert any("does not call mine:other_weights" in finding.message for finding in run.findings)
    assert run.environment["devices"]["cpu"]["torch"] is None, "a function without PyTorch does not wait for it"


NEAR = """
def scale():
    return 0.1

def speak():
    return [scale() * 3.0]

def shift():
    return 0.0

def twice(text):
    return [scale() * 10.0 ** len(text) + shift()]

def silent():
    scale()

def fails():
    raise RuntimeError("no weights")

def undefined():
    return [scale() * float("nan")]

def still():
    import numpy
    return numpy.zeros(2400, numpy.float32) * scale(), 24_000

made = 0

def counted():
    global made
    made += 1
    return [made, scale() > 0]
"""
OTHER_SCALE = '''
from harness.optimizations import Check, replaces

@replaces("near:scale")
def other_scale():
    """Scale by a neighbour of the number."""
    return 0.1 + 4e-10

@replaces("near:shift")
def same_shift():
    """Shift by as much."""
    return 0.0
'''


WHOLE = '''
from harness.optimizations import replaces

@replaces("near:twice")
def whole(text):
    """Speak by another function altogether."""
    return [10.0 ** len(text) / 10]
'''


def test_a_toggle_may_replace_the_whole_function_that_is_measured(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    chosen = scenario_of(
        user_code(near=NEAR, near_toggles=WHOLE), model={"adapter": "callable", "target": "near.py:twice"},
        plugins=["near_toggles.py"], optimizations={"whole": True},
        measure={"metrics": ["latency"], "budget": "1s", "workers": 2},
    )  # fmt: skip
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    (found,) = (item for item in run.contrasts if item.metric == "latency" and not item.stratum)
    assert found.verdict not in ("inert", "not applicable", "failed", "output changed"), found.reason
    (counted,) = (item for item in run.witnesses if item.arm == "whole")
    assert not any((counted.at_bind, *counted.per_request)), "the one that it replaces is called no more"


def near(user_code: Callable[..., Path], name: str, *metrics: str) -> Scenario:
    return scenario_of(
        user_code(near=NEAR, near_toggles=OTHER_SCALE), model={"adapter": "callable", "target": f"near.py:{name}"},
        plugins=["near_toggles.py"], optimizations={"other_scale": True},
        measure={"metrics": ["latency", *metrics], "budget": "1s", "workers": 2},
    )  # fmt: skip


def test_a_toggle_whose_numbers_differ_a_little_is_told_how_it_may(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    run = runner.run(near(user_code, "speak"), tmp_path / "run", devices=["cpu"], progress=quiet)
    (found,) = (item for item in run.contrasts if item.metric == "latency" and not item.stratum)
    assert found.verdict == "output changed"
    assert found.reason.startswith(
        "the output of other_scale on call-s0 is graded tolerance, up to 1.2e-09 apart; bitwise is required; if so much"
    )
    assert 'check=Check(grade="tolerance", bound=2e-09, reason="...")' in found.reason


def test_the_remedy_is_by_the_worst_request_and_for_the_toggle_that_alone_made_it(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    """On the way from none to all the second toggle changes nothing, though both its sides are off."""
    scenario = scenario_of(
        user_code(near=NEAR, near_toggles=OTHER_SCALE), model={"adapter": "callable", "target": "near.py:twice"},
        plugins=["near_toggles.py"], optimizations={"other_scale": True, "same_shift": True}, design="ladder",
        workload={"mode": "call", "texts": {"near": "a", "far": "aaaa"}, "prompts": []},
        measure={"metrics": ["latency"], "budget": "1s", "workers": 2},
    )  # fmt: skip
    run = runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)
    reasons = {
        item.optimization: item.reason for item in run.contrasts if item.metric == "latency" and not item.stratum
    }
    assert "on far-s0 is graded tolerance" in reasons["other_scale"]
    assert "bound=8e-06" in reasons["other_scale"]
    assert "other_scale on" in reasons["same_shift"]
    assert "check=Check" not in reasons["same_shift"]


def test_a_function_that_returns_nothing_is_measured_and_it_is_said_that_nothing_was_compared(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    silent, speaking = (
        runner.run(near(user_code, name), tmp_path / name, devices=["cpu"], progress=quiet)
        for name in ("silent", "speak")
    )
    said = "The function returned nothing, so that no output was compared; let it return what it makes."
    assert said in {finding.message for finding in silent.findings}
    assert said not in {finding.message for finding in speaking.findings}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("undefined", "has no finite number in it (call-s0)"),
        ("still", "is silence (call-s0)"),
        ("counted", "The same request, made again in the same process, had another output ("),
    ],
)
def test_an_output_that_says_little_is_told(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet, name: str, said: str
) -> None:
    run = runner.run(near(user_code, name), tmp_path / "run", devices=["cpu"], progress=quiet)
    assert any(said in finding.message for finding in run.findings if finding.kind == "outputs"), run.findings


def test_what_no_factory_makes_has_nothing_to_build(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    run = runner.run(
        near(user_code, "speak", "init", "first_request"), tmp_path / "run", devices=["cpu"], progress=quiet
    )
    first = [trial.values for trial in run.trials if trial.pass_ == "first"]
    assert first
    assert all(FIRST_INIT not in values and values[START] == values[FIRST] for values in first)
    assert "init" not in {*(item.metric for item in run.contrasts), *(item.metric for item in run.controls)}
    assert "Init on cpu: not measured (a function that no factory makes has nothing to build)." in markdown(run)


INTO_A_FILE = """
from pathlib import Path

import numpy as np
import soundfile

def silent():
    return False

def loud():
    return 0.5

def speak():
    file = Path(__file__).with_name("spoken.wav")
    if not silent():
        soundfile.write(file, loud() * np.sin(np.arange(2400) / 10), 24_000, subtype="FLOAT")
    return KIND(file)
"""
LOUDER = '''
from harness.optimizations import replaces

@replaces("filed:loud")
def louder():
    """Write another sound."""
    return 0.6

@replaces("filed:silent")
def idle():
    """Write nothing, and return where the last one wrote."""
    return True
'''


@pytest.mark.parametrize("kind", ["str", "Path"])
def test_of_the_path_of_a_recording_the_sound_is_compared_whatever_the_name(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet, kind: str
) -> None:
    chosen = scenario_of(
        user_code(filed=INTO_A_FILE.replace("KIND", kind), filed_toggles=LOUDER), plugins=["filed_toggles.py"],
        model={"adapter": "callable", "target": "filed.py:speak"}, optimizations={"louder": True, "idle": True},
        measure={"metrics": ["latency", "rtf"], "budget": "1s", "workers": 2},
    )  # fmt: skip
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    grades = {found.arm: found.grade for found in run.equivalences}
    assert grades == {"louder": "changed", "idle": "changed", "all": "changed", "placebo": "bitwise"}
    stale = "returned a file that was there before the request and that it did not write (idle, all)"
    assert any(stale in finding.message for finding in run.findings)
    assert all((tmp_path / "run" / str(found.audio_after)).is_file() for found in run.equivalences), (
        "it can be listened to"
    )
    assert "rtf" in {contrast.metric for contrast in run.contrasts}


def test_a_function_that_raises_is_told_with_its_line_and_where_the_logs_are(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    with pytest.raises(NothingMeasuredError) as caught:
        runner.run(near(user_code, "fails"), tmp_path / "run", devices=["cpu"], progress=quiet)
    assert "RuntimeError in stage call: no weights (near.py:18)" in str(caught.value)
    assert str(caught.value).endswith(f"the logs of the processes lie in {tmp_path / 'run' / 'work'}")
    assert any("near.py" in log.read_text() for log in (tmp_path / "run" / "work").glob("*/worker.log"))


RATED = """
import numpy as np

def rate():
    return 24_000

def speak():
    return np.sin(np.arange(2400) / 10).astype(np.float32), rate()
"""
OTHER_RATE = '''
from harness.optimizations import Check, replaces

@replaces("rated:rate", check=Check(grade="words", bound=1.0, reason="only the words are to stay"))
def other_rate():
    """Say another sample rate of the same samples."""
    return 22_050
'''


def test_the_same_samples_at_another_sample_rate_are_a_changed_output(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    scenario = scenario_of(
        user_code(rated=RATED, rate_toggles=OTHER_RATE), model={"adapter": "callable", "target": "rated.py:speak"},
        plugins=["rate_toggles.py"], optimizations={"other_rate": True},
        measure={"metrics": ["latency"], "budget": "1s", "workers": 2},
    )  # fmt: skip
    run = runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)
    (found,) = (item for item in run.contrasts if item.metric == "latency" and item.optimization == "other_rate")
    assert (found.verdict, found.equivalence) == ("output changed", "changed")
    assert "its sample rate being 22,050 Hz and the reference's 24,000 Hz" in found.reason
    (row,) = (item for item in run.equivalences if item.arm == "other_rate")
    assert (row.bound, row.accepted, row.rate_before_hz, row.rate_after_hz) == (None, False, 24_000, 22_050)


def test_every_argument_that_is_told_of_can_be_had(load: Callable[..., Model], user_code: Callable[..., Path]) -> None:
    named = ", ".join(ARGUMENTS)
    user_code(everything=f"def ask({named}):\n    return [repr(type(value)) for value in ({named})]\n")
    from harness.recordings import builtin_speaker

    by = builtin_speaker("aishell-0121")
    request = Request(id="one", mode="call", text="t", speaker=by, seed=0)
    model = load("level", target="everything:ask")
    assert len(ask(model, request=request).exact) == 64


ALONE = """
import array
import importlib.util
import math

def weights(n):
    return [0.5] * n

def gain():
    return 1.0

def speak(text, prompt_audio):
    found = [name for name in ("numpy", "pydantic", "soundfile") if importlib.util.find_spec(name)]
    if found:
        raise RuntimeError(f"not alone: {found}")
    level = sum(weights(len(text))) / len(text) * max(prompt_audio) * gain()
    return array.array("f", (level * math.sin(i / 10) for i in range(2400))), 24_000
"""
ALONE_TOGGLES = '''
from harness.optimizations import replaces

@replaces("alone:weights")
def same_weights(n):
    """Make the same weights in another way."""
    return [0.5 for _ in range(n)]

@replaces("alone:gain")
def other_gain():
    """Speak softer."""
    return 0.5
'''


def test_a_function_runs_in_an_interpreter_that_has_nothing_of_ours(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    folder = user_code(alone=ALONE, alone_toggles=ALONE_TOGGLES)
    scenario = Scenario.from_data(
        {
            "file": str(folder / "alone.yaml"),
            "name": "alone",
            "model": {"adapter": "callable", "target": "alone.py:speak", "python": interpreters.bare(tmp_path)},
            "devices": ["cpu"],
            "workload": {"mode": "call", "texts": {"call": "Hello"}, "prompts": ["builtin:aishell-0121"]},
            "plugins": ["alone_toggles.py"],
            "optimizations": {"same_weights": True, "other_gain": True},
            "measure": {"metrics": ["latency"], "budget": "1s", "workers": 2, "memory_repeats": 1},
        }
    )
    run = runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)
    found = {item.optimization: item for item in run.contrasts if item.metric == "latency"}
    assert [failure.message for failure in run.failures] == []
    assert found["same_weights"].equivalence == "bitwise"
    assert found["same_weights"].verdict not in ("inert", "failed", "output changed")
    assert (found["same_weights"].witness_before, found["same_weights"].witness_after) == (1, 0)
    assert found["other_gain"].verdict == "output changed"
    heard = {row.audio_after for row in run.equivalences}
    assert all(audio and (tmp_path / "run" / audio).is_file() for audio in heard)


def test_an_interpreter_that_is_too_old_for_toggles_is_refused_where_it_is_named(
    user_code: Callable[..., Path],
) -> None:
    old = interpreters.oldest()
    if old is None:
        pytest.skip("no interpreter older than this one is here")
    folder = user_code(alone=ALONE)
    data = {
        "file": str(folder / "alone.yaml"), "name": "alone", "devices": ["cpu"], "optimizations": {"cached_device": True},
        "model": {"adapter": "callable", "target": "alone.py:speak", "python": old},
    }  # fmt: skip
    with pytest.raises(ScenarioError, match=r"a worker needs 3\.11 or newer") as refused:
        runner.check_model(Scenario.from_data(data))
    assert "model" in str(refused.value)


@pytest.mark.parametrize("missing", ["soundfile", "numpy"])
def test_a_recording_is_read_without_soundfile_or_without_the_numpy_that_it_needs(
    load: Callable[..., Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    callable_adapter._recording.cache_clear()
    monkeypatch.setitem(sys.modules, "soundfile", None)  # which cannot be used where either is missing
    samples = np.linspace(-0.5, 0.5, 300, dtype=np.float32)
    Output(audio=samples, sample_rate_hz=16_000, tokens=()).write(tmp_path / "voice.wav")
    monkeypatch.setattr(callable_adapter, "find_spec", lambda name: None if name == missing else object())
    by = Speaker(id="me", audio=tmp_path / "voice.wav", text="words", digest="")
    request = Request(id="one", mode="call", text="", speaker=by, seed=0, stream=True)
    output = load("chunks").bind({}, []).run(request, lambda _: None)
    assert np.array_equal(output.audio, samples)
