# ruff: noqa: ARG001, ARG005, B008  what is broken has the signature of what is whole
"""Each test of the contracts fails for an adapter or a toggle that is broken in just that way, and says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.optimizations import Check, Optimization, Probe, Witness, counter, registry
from harness.testing import AdapterContract, OptimizationContract
from harness.toggling import State
from harness.worker import spans
from harness.worker.requests import Output, Request, Speaker

NAME = "on_trial"
OTHER_TOKENS = Check(grade="bitwise", other_tokens=True)


def before_it(context: Any) -> Callable[[], None]:
    """Count."""
    return lambda: spans.count("trial.work")


def after_it(context: Any, *, every: int = 1) -> Callable[[], None]:
    """Do not count, which is all that it does."""
    return lambda: None


def made(**changes: Any) -> Optimization:
    """A toggle that holds to the contract, but for `changes`."""
    whole = Optimization(
        name=NAME, title="Do without", sites=("trial.work",), before=before_it, after=after_it,
        witness=Witness(unit="works", probe=lambda **_: counter("trial.work"), before="every request", after="none"),
        check=Check(grade="bitwise"), isolation="request", excludes=(), seed_section="", place=lambda call: call,
    )  # fmt: skip
    return replace(whole, **changes)


@dataclass(kw_only=True)
class Trial:
    """A model that holds to the contract, unless told otherwise; it is its own adapter and target."""

    name: Any = "trial"
    description: Mapping[str, Any] = field(default_factory=lambda: {"adapter": "trial"})
    refused: Mapping[str, str] = field(default_factory=dict)
    output: Callable[[Trial, Mapping[str, State]], Any] = lambda _, __: sound()
    chunks: Sequence[int] = (50, 50)
    fails_with: str = ""
    place_of: Any = None
    leaves: bool = False
    states: Mapping[str, State] = field(default_factory=dict)
    bound: int = 0
    ran: int = 0
    was_on: bool = False
    asked: Request | None = None

    def check(self, options: Mapping[str, Any]) -> None:
        pass

    def load(self, options: Mapping[str, Any], machine: Any, work_dir: Path) -> Trial:
        return self

    def not_applicable(self) -> Mapping[str, str]:
        return self.refused

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Trial:
        self.states, self.bound = states, self.bound + 1
        self.was_on = self.was_on or any(state is not False for state in states.values())
        return self

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        self.ran, self.asked = self.ran + 1, request
        if self.states.get(NAME, False) is False:
            spans.count("trial.work")
        elif self.fails_with:
            return object()  # type: ignore[return-value]  # broken on purpose
        for samples in self.chunks if request.stream else ():
            on_chunk(samples)
        made_of: Output = self.output(self, self.states)
        return made_of

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        return registry()[optimization].witness.probe(**parameters)

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]:
        return (lambda: None) if self.place_of is None else self.place_of

    def inference(self) -> AbstractContextManager[Any]:
        return nullcontext()


def sound(level: float = 0.1, **changes: Any) -> Output:
    return replace(Output(audio=np.full(100, level, np.float32), sample_rate_hz=24_000, tokens=(1, 2)), **changes)


@pytest.fixture(autouse=True)
def _own_registry(user_code: Callable[..., Path]) -> None:
    """What a test registers goes with it."""


def put_to(contract: type[Any], test: str, trial: Trial, toggle: Optimization) -> None:
    """Put a model and a toggle to one test of a contract."""
    import sys

    known = sys.modules["harness.optimizations.registry"].__dict__["_REGISTRY"]
    known[toggle.name] = toggle
    others = {name: "not on trial" for name in registry() if name != toggle.name}
    trial.refused = {**others, **trial.refused}
    subject = type("OnTrial", (contract,), {"adapter": trial, "optimization": toggle.name, "streams": True})()
    method = getattr(subject, test)
    method(trial) if "model" in method.__code__.co_varnames[:2] else method()


def changing(trial: Trial, _: Mapping[str, State]) -> Output:
    """Another output each time."""
    return sound(trial.ran / 100)


def by_pipeline(trial: Trial, _: Mapping[str, State]) -> Output:
    """Another output of each pipeline."""
    return sound(trial.bound / 100)


def louder_when_named(trial: Trial, states: Mapping[str, State]) -> Output:
    return sound(0.2 if states else 0.1)


def after_an_arm(trial: Trial, states: Mapping[str, State]) -> Output:
    return sound(0.2 if trial.was_on else 0.1)


def louder_when_on(trial: Trial, states: Mapping[str, State]) -> Output:
    return sound(0.2 if states.get(NAME, False) is not False else 0.1)


def unsteady_when_on(trial: Trial, states: Mapping[str, State]) -> Output:
    return changing(trial, states) if states.get(NAME, False) is not False else sound()


def other_tokens_when_on(trial: Trial, states: Mapping[str, State]) -> Output:
    return sound(tokens=(2, 1) if states.get(NAME, False) is not False else (1, 2))


def given_tokens(trial: Trial, states: Mapping[str, State]) -> Output:
    """The tokens that are given, or else others with the toggle; the sound is that of the tokens."""
    drawn = other_tokens_when_on(trial, states)
    if trial.asked is not None and trial.asked.tokens is not None:
        drawn = replace(drawn, tokens=tuple(token for segment in trial.asked.tokens for token in segment))
    return replace(drawn, audio=np.full(100, drawn.tokens[0] / 10, np.float32), segments=(2,))


def given_tokens_louder(trial: Trial, states: Mapping[str, State]) -> Output:
    drawn = given_tokens(trial, states)
    return replace(drawn, audio=drawn.audio * (2 if states.get(NAME, False) is not False else 1))


def quiet_when_given(trial: Trial, states: Mapping[str, State]) -> Output:
    spoken = given_tokens(trial, states)
    return spoken if trial.asked is None or trial.asked.tokens is None else replace(spoken, audio=spoken.audio / 10)


BROKEN_ADAPTERS: dict[str, list[tuple[dict[str, Any], str]]] = {
    "test_it_has_a_name_and_accepts_its_options": [({"name": "my tts"}, "one word"), ({"name": None}, "one word")],
    "test_its_description_can_be_kept": [({"description": {"a": object()}}, "be data"), ({"description": {}}, "nothing")],
    "test_what_it_cannot_take_is_known_and_has_a_reason": [
        ({"refused": {"no_such": "x"}}, "no toggle: no_such"), ({"refused": {NAME: " "}}, f"cannot take {NAME}"),
    ],
    "test_a_request_makes_an_output": [
        ({"output": lambda *_: sound(audio=np.zeros((2, 3), np.float32))}, "one dimension"),
        ({"output": lambda *_: sound(audio=np.zeros(9))}, "of float32"),
        ({"output": lambda *_: sound(audio=np.full(9, np.nan, np.float32))}, "not finite"),
        ({"output": lambda *_: sound(audio=np.zeros(0, np.float32))}, "no samples"),
        ({"output": lambda *_: sound(tokens=("a",))}, "whole numbers"),
        ({"output": lambda *_: sound(sample_rate_hz=-1)}, "samples a second"),
        ({"output": lambda *_: SimpleNamespace(kept=lambda: "text")}, "is a str and no Output"),
    ],
    "test_chunks_add_up_to_the_sound": [({"chunks": (50,)}, "chunks of 50 samples, and 100"), ({"chunks": ()}, "none")],
    "test_it_repeats_itself": [({"output": changing}, "the second time"), ({"output": by_pipeline}, "second pipeline")],
    "test_tokens_that_are_told_by_segment_can_be_given": [
        ({"output": lambda *_: sound(segments=(1,))}, "are not those of its segments"),
        ({"output": lambda *_: sound(segments=(2,))}, "other tokens than those that are given"),
        ({"output": quiet_when_given}, "another sound than by itself"),
    ],
    "test_toggles_that_are_off_change_nothing": [({"output": louder_when_named}, "named and off")],
    "test_every_toggle_that_it_takes_can_be_bound_and_counted": [
        ({"output": lambda _, states: sound(tokens=("a",) if states else ())}, f"with {NAME} its output"),
    ],
    "test_every_place_can_be_called_or_says_why_not": [({"place_of": "no function"}, "returns no call")],
    "test_an_arm_leaves_nothing_behind": [({"output": after_an_arm}, "the output without it is another one")],
}  # fmt: skip


def often(**_: Any) -> Any:
    """Nothing that a witness can expect."""
    return "often"


BROKEN_TOGGLES: dict[str, list[tuple[dict[str, Any], dict[str, Any], str]]] = {
    "test_it_says_what_it_does": [
        ({"name": "on trial"}, {}, "one word"), ({"title": " "}, {}, "one line"),
        ({"after": before_it, "before": after_it}, {}, "next to nothing"),
    ],
    "test_its_code_can_be_shown": [({"after": before_it}, {}, "its code before"), ({"shown": lambda _: before_it}, {}, "its code before")],
    "test_its_sites_can_be_had": [({"sites": ()}, {}, "none that a target"), ({"sites": ("work",)}, {}, "none that a target")],
    "test_its_parameters_have_types_and_defaults_that_yaml_can_hold": [
        ({"after": lambda context, *, every=1: None}, {}, "no type"),
        ({"after": lambda context, *, every=object(): None}, {}, "no type"),
    ],
    "test_its_witness_declares_two_sides_that_differ": [
        ({"witness": replace(made().witness, after="every request")}, {}, "cannot tell them apart"),
        ({"witness": replace(made().witness, after=often)}, {}, "nothing that a witness can expect"),
        ({"witness": replace(made().witness, unit="")}, {}, "what it counts"),
    ],
    "test_its_check_has_a_reason": [
        ({"check": Check(grade="tolerance", bound=1.0)}, {}, "no reason"),
        ({"check": Check(grade="spectral", reason="because")}, {}, "no bound"),
        ({"check": Check(grade="changed")}, {}, "no grade of sameness"),
    ],
    "test_its_isolation_is_one_that_is_known": [({"isolation": "alone"}, {}, "no isolation")],
    "test_what_it_excludes_is_there": [({"excludes": ("no_such",)}, {}, "no toggle"), ({"excludes": (NAME,)}, {}, "itself")],
    "test_its_words_can_be_kept": [({"title": object()}, {}, "must be data")],
    "test_the_model_has_its_sites": [({}, {"refused": {NAME: "it has no trial.work"}}, "it has no trial.work")],
    "test_it_is_engaged": [
        ({"witness": replace(made().witness, probe=lambda **_: counter("nothing"))}, {}, "did not move"),
        ({"witness": replace(made().witness, before="none")}, {}, "declared is"),
    ],
    "test_its_output_meets_its_check": [
        ({}, {"output": louder_when_on}, "graded changed"),
        ({}, {"output": given_tokens}, "graded changed"),
        ({"check": OTHER_TOKENS}, {"output": other_tokens_when_on}, "cannot speak given ones"),
        ({"check": OTHER_TOKENS}, {"output": given_tokens_louder}, "graded changed"),
    ],
    "test_it_repeats_itself": [({}, {"output": unsteady_when_on}, "second pipeline")],
    "test_it_leaves_nothing_behind": [({}, {"output": after_an_arm}, "the output without it")],
}  # fmt: skip


def checks_of(contract: type) -> set[str]:
    return {name for name in dir(contract) if name.startswith("test_")}


def test_every_test_of_the_contracts_has_somebody_who_fails_it() -> None:
    assert set(BROKEN_ADAPTERS) == checks_of(AdapterContract)
    assert set(BROKEN_TOGGLES) == checks_of(OptimizationContract)


@pytest.mark.parametrize("test", sorted(checks_of(AdapterContract)))
def test_an_adapter_that_holds_passes(test: str) -> None:
    put_to(AdapterContract, test, Trial(), made())


@pytest.mark.parametrize("test", sorted(checks_of(OptimizationContract)))
def test_a_toggle_that_holds_passes(test: str) -> None:
    put_to(OptimizationContract, test, Trial(), made())


def test_a_toggle_that_may_draw_other_tokens_is_held_to_the_sound_of_the_same_ones() -> None:
    trial, toggle = Trial(output=given_tokens), made(check=OTHER_TOKENS)
    put_to(OptimizationContract, "test_its_output_meets_its_check", trial, toggle)
    put_to(AdapterContract, "test_tokens_that_are_told_by_segment_can_be_given", trial, toggle)


@pytest.mark.parametrize(
    ("test", "broken", "said"), [(test, *case) for test, cases in BROKEN_ADAPTERS.items() for case in cases]
)
def test_an_adapter_that_is_broken_in_this_way_fails(test: str, broken: Mapping[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        put_to(AdapterContract, test, Trial(**broken), made())


@pytest.mark.parametrize(
    ("test", "toggle", "model", "said"), [(test, *case) for test, cases in BROKEN_TOGGLES.items() for case in cases]
)
def test_a_toggle_that_is_broken_in_this_way_fails(
    test: str, toggle: Mapping[str, Any], model: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        put_to(OptimizationContract, test, Trial(**model), made(**toggle))


def test_a_patch_that_stays_is_named(user_code: Callable[..., Path]) -> None:
    user_code(contract_left="def work():\n    return 1\n")
    import contract_left  # type: ignore[import-not-found]  # written by the fixture

    numbers = count()

    def forgetful(trial: Trial, states: Mapping[str, State]) -> Output:
        if states.get(NAME, False) is not False:
            number = next(numbers)
            contract_left.work = lambda: number
        return sound()

    toggle = made(sites=("contract_left:work",))
    for contract in (AdapterContract, OptimizationContract):
        test = "test_an_arm_leaves_nothing_behind" if contract is AdapterContract else "test_it_leaves_nothing_behind"
        with pytest.raises(AssertionError, match="contract_left:work is not what it was"):
            put_to(contract, test, Trial(output=forgetful), toggle)


def test_the_contracts_are_collected_for_a_third_party(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        their_toggles='''
        from harness.optimizations import replaces

        @replaces("their_tts:slow")
        def quick(text):
            """Answer at once, without thinking about it."""
            return len(text)
        ''',
        their_tts="""
        def slow(text):
            return sum(1 for _ in text)

        def speak(text):
            return slow(text)
        """,
        test_theirs="""
        import their_toggles
        from harness.testing import AdapterContract, OptimizationContract

        class TestAdapter(AdapterContract):
            options = {"target": "their_tts:speak"}

        class TestToggle(OptimizationContract):
            optimization, options = "quick", {"target": "their_tts:speak"}
        """,
    )
    pytester.syspathinsert()
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    passed = len(checks_of(AdapterContract)) + len(checks_of(OptimizationContract))
    result.assert_outcomes(passed=passed)
