"""What a constructor was given, and what it kept of that."""

# ruff: noqa: ARG004, B007, B020, F841, FBT002, FBT003, PLR1704, PYI034  the classes are as other people write them

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.worker import settings
from harness.worker.checkout.constructing import constructed
from harness.worker.checkout.host import UsageError
from harness.worker.checkout.model import CheckoutModel


class Engine:
    """Takes what fits it, as some do; a caller's `name` is another one than the facade's."""

    def __init__(self, fp16: Any, name: str = "engine") -> None:
        self.fp16, self.name = fp16, name.upper()
        name = ""


class Base:
    def __init__(self, weights: str, trt: Any = False, **others: Any) -> None:
        if trt:
            trt = None
        self.weights, self.trt, self.others = weights, trt, others


class Voice(Base):
    def __init__(
        self, weights: str, fp16: Any = False, jit: Any = False, dtype: Any = "full", many: Any = 1, **others: Any
    ) -> None:
        super().__init__(weights, **others)
        if jit:
            del jit
        dtype = {"full": np.float32, "half": np.float16}[dtype]
        for many in range(1, many):
            pass
        self.engine = Engine(fp16)
        self.dtype, self.many = dtype, many


class Aside(Voice):
    """Its engine takes no 16 bits."""

    def __init__(self, weights: str, fp16: Any = False) -> None:
        fp16 = np.bool_(False) if fp16 else fp16
        super().__init__(weights, fp16=fp16)


class Named(Voice):
    def __init__(self, weights: str, name: str = "alto") -> None:
        super().__init__(weights)
        self.name = name


@dataclass
class Plain:
    weights: str
    fp16: bool = False


class Made:
    def __new__(cls, weights: str, fp16: Any = False) -> Made:
        made = super().__new__(cls)
        fp16 = False
        return made


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (Voice, {}, []),
        (Voice, {"fp16": True}, ["fp16"]),
        (Voice, {"fp16": False}, ["fp16"]),
        (Aside, {"fp16": True}, []),
        (Voice, {"fp16": True, "jit": True}, ["fp16"]),
        (Voice, {"trt": True}, []),
        (Voice, {"fp61": True}, []),
        (Voice, {"dtype": "half"}, ["dtype"]),
        (Voice, {"many": 5}, ["many"]),
        (Named, {"name": "tenor"}, ["name"]),
        (Plain, {"fp16": True}, ["fp16"]),
        (Made, {"fp16": True}, []),
    ],
    ids=["nothing", "kept", "kept off", "set to a false that is no bool", "deleted", "set aside by a base", "known to no parameter",
         "made an object of", "used again", "of the name that another has", "a dataclass", "set aside where it is made"],
)  # fmt: skip
def test_what_a_constructor_was_seen_to_set_aside_is_not_kept(
    kind: Any, given: dict[str, Any], kept: list[str]
) -> None:
    made, told = constructed(kind, "weights", given)
    assert type(made) is kind
    assert told == {name: given[name] for name in kept}


def test_what_is_no_truth_is_refused_for_one() -> None:
    with pytest.raises(UsageError, match="fp16 of Plain is true or false, not 'yes'"):
        constructed(Plain, "weights", {"fp16": "yes"})
    with pytest.raises(UsageError, match="fp16 of Plain is true or false, not 1"):
        constructed(Plain, "weights", {"fp16": 1})


def test_an_error_of_the_constructor_is_its_own_and_nothing_is_watched_afterwards() -> None:
    before = sys.gettrace()
    with pytest.raises(TypeError, match="multiple values"):
        constructed(Voice, "weights", {"weights": "others"})
    assert sys.gettrace() is before


def test_a_model_says_what_it_was_constructed_with_and_the_witness_asks_it(
    loaded: Callable[..., CheckoutModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "_described", {})
    monkeypatch.setattr(settings, "_started", {"environment": {}, "options": {"arguments": {"fp16": True}}})
    settings.remember(loaded({"arguments": {"fp16": True}}).description)
    assert settings.is_made_with({"fp16": True})
    assert not settings.is_made_with({"fp16": False})
    assert not settings.is_made_with({"fp16": 1})
    assert not settings.is_made_with({"load_jit": True})
    assert not settings.is_made_with({"fp16": True, "load_jit": True})
    monkeypatch.setattr(
        settings, "_started", {"environment": {}, "options": {"arguments": {"fp16": True, "load_jit": True}}}
    )
    assert not settings.is_made_with({"fp16": True}), "it is a part of what toggles gave"
    monkeypatch.setattr(settings, "_started", {"environment": {}, "options": {"arguments": {"fp16": True}}})
    settings.remember(loaded().description)
    assert not settings.is_made_with({"fp16": True})
