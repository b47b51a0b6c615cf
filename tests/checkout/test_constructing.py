"""What a constructor was given, and what it kept of that."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from harness.worker import settings
from harness.worker.checkout.constructing import constructed
from harness.worker.checkout.model import CheckoutModel


class Part:
    def __init__(self, *, jit: bool) -> None:
        jit = not jit
        self.jit = jit


class Voice:
    def __init__(
        self, weights: str, *, fp16: bool = False, jit: bool = False, device: Any = "cpu", **others: Any
    ) -> None:
        if jit:
            jit = False
        self.part = Part(jit=jit)
        device = object() if device == "cuda" else device
        self.weights, self.fp16, self.device, self.others = weights, fp16, device, others


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {}),
        ({"fp16": True}, {"fp16": True}),
        ({"fp16": True, "jit": True}, {"fp16": True, "jit": False}),
        ({"device": "cuda"}, {"device": "cuda"}),
        ({"threads": 3}, {"threads": 3}),
    ],
    ids=["nothing", "kept", "set aside", "made an object of", "without a name of its own"],
)
def test_arguments_are_told_as_they_stood_when_the_constructor_returned(
    given: dict[str, Any], kept: dict[str, Any]
) -> None:
    made, told = constructed(Voice, "weights", given)
    assert (made.weights, told) == ("weights", kept)


def test_an_error_of_the_constructor_is_its_own_and_nothing_is_watched_afterwards() -> None:
    before = sys.gettrace()
    with pytest.raises(TypeError, match="multiple values"):
        constructed(Voice, "weights", {"weights": "others"})
    assert sys.gettrace() is before


def test_a_class_whose_constructor_is_no_function_of_python_is_told_what_it_was_given() -> None:
    assert constructed(dict, [("a", 1)], {"b": 2}) == ({"a": 1, "b": 2}, {"b": 2})  # type: ignore[arg-type]


def test_a_model_says_what_it_was_constructed_with_and_the_witness_asks_it(
    loaded: Callable[..., CheckoutModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "_described", {})
    settings.remember(loaded({"arguments": {"fp16": True}}).description)
    assert settings.is_made_with({"fp16": True})
    assert not settings.is_made_with({"fp16": False})
    assert not settings.is_made_with({"load_jit": True})
    settings.remember(loaded().description)
    assert not settings.is_made_with({"fp16": True})
