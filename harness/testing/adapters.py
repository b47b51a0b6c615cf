"""The contract of an adapter (`harness.adapters.base`), as tests to subclass."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Model
from harness.equivalence import grade
from harness.errors import UsageError
from harness.optimizations import registry
from harness.testing.subject import Subject, asked, patched_symbols, require, same
from harness.worker.requests import Output, by_segment


class AdapterContract(Subject):
    """Tests of one adapter with one choice of options. `streams` says whether it can be asked for sound in chunks."""

    streams = False

    def test_it_has_a_name_and_accepts_its_options(self) -> None:
        adapter = self.chosen()
        name = getattr(adapter, "name", None)
        require(isinstance(name, str) and name.isidentifier(), f"its name is one word, as YAML has it; it is {name!r}")
        adapter.check(self.options)

    def test_its_description_can_be_kept(self, model: Model) -> None:
        try:
            text = json.dumps(dict(model.description), allow_nan=False)
        except (TypeError, ValueError) as error:
            message = f"its description is kept in run.json, and must be data: {error}"
            raise AssertionError(message) from error
        require(text != "{}", "its description says nothing: what was measured cannot be told from it")

    def test_what_it_cannot_take_is_known_and_has_a_reason(self, model: Model) -> None:
        refused = model.not_applicable()
        strange = sorted(set(refused) - set(registry()))
        require(not strange, f"not_applicable names what is no toggle: {', '.join(strange)}")
        silent = sorted(name for name, reason in refused.items() if not str(reason).strip())
        require(not silent, f"no reason is given why it cannot take {', '.join(silent)}")

    def test_a_request_makes_an_output(self, model: Model) -> None:
        output = asked(model.bind({}, [self.speaker()]), self.request())
        fault = fault_of(output)
        require(not fault, f"its output {fault}")

    def test_chunks_add_up_to_the_sound(self, model: Model) -> None:
        for stream in (False, True) if self.streams else (False,):
            chunks: list[int] = []
            output = asked(model.bind({}, [self.speaker()]), self.request(stream=stream), chunks)
            require(chunks or not stream, "asked for chunks it tells of none, so that there is no first one to time")
            samples = len(output.audio)
            require(
                not chunks or sum(chunks) == samples, f"chunks of {sum(chunks)} samples, and {samples} in the output"
            )

    def test_it_repeats_itself(self, model: Model) -> None:
        target = model.bind({}, [self.speaker()])
        first, again = (asked(target, self.request()) for _ in range(2))
        require(same(first, again), "the same request of the same pipeline makes another output the second time")
        other = asked(model.bind({}, [self.speaker()]), self.request())
        require(same(first, other), "a second pipeline makes another output of the same request")

    def test_tokens_that_are_told_by_segment_can_be_given(self, model: Model) -> None:
        target = model.bind({}, [self.speaker()])
        drawn = asked(target, self.request())
        if not drawn.segments:
            return
        tokens = by_segment(drawn.tokens, drawn.segments)
        require(tokens, f"its {len(drawn.tokens)} tokens are not those of its segments, {list(drawn.segments)}")
        for given in (tokens, [segment[::-1] for segment in tokens]):
            spoken = asked(target, replace(self.request(), tokens=given))
            found = by_segment(spoken.tokens, spoken.segments)
            require(found == given, "it speaks other tokens than those that are given, of one segment at least")
            if given == tokens:
                rates_hz = drawn.sample_rate_hz, spoken.sample_rate_hz
                kept, _ = grade(
                    drawn.audio, spoken.audio, drawn.tokens, spoken.tokens, sound=bool(rates_hz[0]), rates_hz=rates_hz
                )
                require(kept != "changed", "from its own tokens it makes another sound than by itself")

    def test_toggles_that_are_off_change_nothing(self, model: Model) -> None:
        off = dict.fromkeys(self._taken(model), False)
        first = asked(model.bind({}, [self.speaker()]), self.request())
        require(
            same(first, asked(model.bind(off, [self.speaker()]), self.request())),
            "with every toggle named and off, the output is not that without any",
        )

    def test_every_toggle_that_it_takes_can_be_bound_and_counted(self, model: Model) -> None:
        for name in self._taken(model):
            ran = self.ran(model, {name: True}, [self.request()], counted=name)
            fault = fault_of(ran.outputs[0])
            require(not fault, f"with {name} its output {fault}")

    def test_every_place_can_be_called_or_says_why_not(self, model: Model) -> None:
        for name in self._taken(model):
            for state in (False, True):
                with model.inference():
                    call = self._place(model, name, state=state)
                    require(callable(call), f"place({name!r}) returns no call of it")
                    call()
                    call()

    def test_an_arm_leaves_nothing_behind(self, model: Model) -> None:
        taken = self._taken(model)
        before, symbols = asked(model.bind({}, [self.speaker()]), self.request()), patched_symbols(taken)
        for name in taken:
            asked(model.bind({name: True}, [self.speaker()]), self.request())
            left = [symbol for symbol, was in patched_symbols(taken).items() if was != symbols[symbol]]
            require(not left, f"after an arm with {name}, {', '.join(left)} is not what it was")
            after = asked(model.bind({}, [self.speaker()]), self.request())
            require(same(before, after), f"after an arm with {name}, the output without it is another one")

    def _taken(self, model: Model) -> list[str]:
        refused = model.not_applicable()
        return sorted(name for name in registry() if name not in refused)

    def _place(self, model: Model, name: str, *, state: bool) -> Any:
        try:
            return model.place(name, state, self.request())
        except UsageError as error:
            require(len(str(error)) > len(name), f"place({name!r}) is refused without a reason")
            return lambda: None


def fault_of(output: Any) -> str:
    """What is wrong with an output, in words; the empty string when nothing is."""
    if not isinstance(output, Output):
        return f"is a {type(output).__name__} and no Output"
    kind = np.float32 if output.sample_rate_hz else np.float64
    audio: Any = output.audio
    if isinstance(audio, array):  # of an interpreter without numpy
        audio = np.frombuffer(audio, audio.typecode)
    if not isinstance(audio, np.ndarray) or audio.ndim != 1 or audio.dtype != kind:
        return f"has audio that is no array of one dimension of {kind.__name__}"
    if output.sample_rate_hz < 0:
        return f"has {output.sample_rate_hz} samples a second"
    if output.sample_rate_hz and not (len(audio) and np.isfinite(audio).all()):
        return "has no samples, or some that are not finite"
    if not all(isinstance(token, int | np.integer) for token in output.tokens):
        return "has tokens that are no whole numbers"
    return ""
