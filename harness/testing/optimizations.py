"""The contract of a toggle (`harness.optimizations.registry.Optimization`), as tests to subclass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, get_args

from harness.adapters.base import Model
from harness.equivalence import ORDER, accepted, grade
from harness.optimizations import Optimization, named, registry
from harness.optimizations.declared import card_of
from harness.optimizations.registry import is_site
from harness.optimizations.witness import Expected, judge
from harness.scenario.toggles import parameters_schema
from harness.testing.subject import Ran, Subject, patched_symbols, require, same
from harness.toggling import Isolation, State
from harness.worker.requests import Output, Request, by_segment

REQUESTS = 3
"""Requests in which a witness is counted: so that "once", "every request" and "fewer" can be told apart."""
_SHORTEST_DOC = 20


class OptimizationContract(Subject):
    """Tests of one toggle, on a model that it applies to. `parameters` are those that it is turned on with."""

    optimization: ClassVar[str] = ""
    parameters: ClassVar[Mapping[str, Any]] = {}
    both: ClassVar[dict[tuple[int, str], tuple[Ran, Ran]]]

    def toggle(self) -> Optimization:
        """The toggle."""
        return named(self.optimization)

    @property
    def on(self) -> State:
        """Its state after."""
        return dict(self.parameters) or True

    def test_it_says_what_it_does(self) -> None:
        toggle = self.toggle()
        require(toggle.name.isidentifier(), f"its name is one word, the key in YAML; it is {toggle.name!r}")
        require(toggle.title.strip() and "\n" not in toggle.title, "its title is one line, for tables")
        require(len(toggle.doc) >= _SHORTEST_DOC, "its docstring is the report's text, and says next to nothing")

    def test_its_code_can_be_shown(self) -> None:
        before, after = self.toggle().source("before"), self.toggle().source("after")
        require(before.strip() and after.strip(), "one side of its code cannot be shown")
        require(before != after, "its code before is its code after")

    def test_its_sites_can_be_had(self) -> None:
        strange = [site for site in self.toggle().sites if not is_site(site)]
        require(self.toggle().sites and not strange, f"its sites are none that a target could have: {strange}")

    def test_its_parameters_have_types_and_defaults_that_yaml_can_hold(self) -> None:
        toggle = self.toggle()
        untyped = [name for name in toggle.parameters if name not in toggle.after.__annotations__]
        require(not untyped, f"no type says what may be given for {', '.join(untyped)}")
        for name, default in toggle.parameters.items():
            try:
                json.dumps(default, allow_nan=False)
            except (TypeError, ValueError) as error:
                message = f"the default of {name} cannot be written in YAML: {error}"
                raise AssertionError(message) from error
        require("properties" in parameters_schema(toggle), "no schema can be made of its parameters")

    def test_its_witness_declares_two_sides_that_differ(self) -> None:
        witness = self.toggle().witness
        after = witness.expected_after(self.parameters)
        require(witness.unit.strip(), "its witness does not say what it counts")
        for expected in (witness.before, after):
            require(expected in get_args(Expected), f"{expected!r} is nothing that a witness can expect")
        require(witness.before != after, f'its witness expects "{after}" of both sides, and cannot tell them apart')

    def test_its_check_has_a_reason(self) -> None:
        check = self.toggle().check
        require(check.grade in ORDER[:-1], f"its check accepts {check.grade!r}, which is no grade of sameness")
        if check.grade != "bitwise":
            require(check.reason.strip(), f'its output may change ("{check.grade}"), and no reason is given')
            require(check.bound > 0, f'its output may change ("{check.grade}"), and no bound says by how much')

    def test_its_isolation_is_one_that_is_known(self) -> None:
        require(self.toggle().isolation in get_args(Isolation), f"{self.toggle().isolation!r} is no isolation")

    def test_what_it_excludes_is_there(self) -> None:
        excludes = self.toggle().excludes
        require(self.optimization not in excludes, "it excludes itself")
        strange = [name for name in excludes if name not in registry()]
        require(not strange, f"it excludes what is no toggle: {', '.join(strange)}")

    def test_its_words_can_be_kept(self) -> None:
        try:
            json.dumps(card_of(self.toggle(), [self.parameters]), allow_nan=False)
        except (TypeError, ValueError) as error:
            message = f"its words are kept in run.json, and must be data: {error}"
            raise AssertionError(message) from error

    def test_the_model_has_its_sites(self, model: Model) -> None:
        reason = model.not_applicable().get(self.optimization, "")
        require(not reason, f"it does not apply: {reason}")

    def test_it_is_engaged(self, model: Model) -> None:
        witness = self.toggle().witness
        before, after = self._both(model)
        fault = judge(before.counts, after.counts, witness.before, witness.expected_after(self.parameters))
        require(not fault, f"it would be reported inert: {fault}")

    def test_its_output_meets_its_check(self, model: Model) -> None:
        check = self.toggle().check
        before, after = self._both(model)
        for request, first, second in zip(self._requests(), before.outputs, after.outputs, strict=True):
            if check.other_tokens and list(first.tokens) != list(second.tokens):
                first, second = self._from_tokens(model, request, first)  # noqa: PLW2901  what is compared instead
            found, bound = grade(
                first.audio, second.audio, [*first.tokens, first.exact], [*second.tokens, second.exact], check,
                sound=bool(first.sample_rate_hz and second.sample_rate_hz),
                rates_hz=(first.sample_rate_hz, second.sample_rate_hz),
            )  # fmt: skip
            require(
                check.grade == "words" or accepted(found, bound, check),
                f"its output is graded {found} ({bound}); its check requires {check.grade} up to {check.bound:g}",
            )

    def test_it_repeats_itself(self, model: Model) -> None:
        _, first = self._both(model)
        again = self._arm(model, self.on, requests=1)
        alike = same(first.outputs[0], again.outputs[0])
        require(alike, "with it, a second pipeline makes another output of the same request")

    def test_it_leaves_nothing_behind(self, model: Model) -> None:
        symbols = patched_symbols([self.optimization])
        before, _ = self._both(model)
        self._arm(model, self.on, requests=1)
        after = self._arm(model, state=False, requests=1)
        left = [symbol for symbol, was in patched_symbols([self.optimization]).items() if was != symbols[symbol]]
        require(not left, f"after an arm with it, {', '.join(left)} is not what it was")
        alike = same(before.outputs[0], after.outputs[0])
        require(alike, "after an arm with it, the output without it is another one")
        counted = before.counts.at_bind, before.counts.per_request[:1]
        require(
            counted == (after.counts.at_bind, after.counts.per_request),
            "after an arm with it, the witness of an arm without it counts otherwise",
        )

    def _both(self, model: Model) -> tuple[Ran, Ran]:
        """The arms off and on: run once for the two tests that look at them."""
        kept: dict[tuple[int, str], tuple[Ran, Ran]] = vars(type(self)).get("both", {})
        key = id(model), self.optimization
        if key not in kept:
            kept = {key: (self._arm(model, state=False), self._arm(model, self.on))}
            type(self).both = kept
        return kept[key]

    def _from_tokens(self, model: Model, request: Request, drawn: Output) -> Iterator[Output]:
        """What the arms off and on make of a request from the tokens that were `drawn` without the toggle."""
        tokens = by_segment(drawn.tokens, drawn.segments)
        require(tokens, "it draws other tokens, and the model cannot speak given ones")
        for state in (False, self.on):
            yield self.ran(model, {self.optimization: state}, [replace(request, tokens=tokens)]).outputs[0]

    def _requests(self) -> list[Request]:
        return [self.request(number) for number in (0, 1, *[0] * (REQUESTS - 2))]

    def _arm(self, model: Model, state: State, *, requests: int = REQUESTS) -> Ran:
        return self.ran(
            model, {self.optimization: state}, self._requests()[:requests], self.optimization, self.parameters
        )
