from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest
import torch

from harness.worker.checkout.patches import MISSING, Patch, PatchError, Patches, own


class Base:
    def greet(self) -> str:
        return "base"

    @staticmethod
    def fixed() -> str:
        return "static"

    @classmethod
    def named(cls) -> str:
        return cls.__name__


class Child(Base):
    pass


def test_a_name_of_a_class_points_to_the_same_object_again() -> None:
    was = vars(Base)["greet"]
    with Patches([Patch(Base, "greet", lambda _: "patched")]) as patches:
        assert Child().greet() == "patched"
        assert patches.altered() == [f"{__name__}.Base.greet"]
    assert vars(Base)["greet"] is was
    assert patches.altered() == []


def test_an_inherited_name_is_inherited_again() -> None:
    with Patches([Patch(Child, "greet", lambda _: "patched")]):
        assert Child().greet() == "patched"
        assert Base().greet() == "base"
    assert own(Child, "greet") is MISSING


def test_static_and_class_methods_stay_what_they_were() -> None:
    was = vars(Base)["fixed"], vars(Base)["named"]
    around = [
        Patch.around(Base, "fixed", lambda f: lambda: f() + "!"),
        Patch.around(Base, "named", lambda f: lambda: f() + "!"),
    ]
    with Patches(around):
        assert (Base.fixed(), Base().fixed(), Base.named()) == ("static!", "static!", "Base!")
    assert (vars(Base)["fixed"], vars(Base)["named"]) == was


def test_a_method_of_one_object_leaves_the_others_alone() -> None:
    patched, other = Child(), Child()
    with Patches([Patch.around(patched, "greet", lambda greet: lambda: greet().upper())]):
        assert (patched.greet(), other.greet()) == ("BASE", "base")
    assert vars(patched) == {}


def test_patches_lie_on_each_other_in_order_and_can_be_entered_again() -> None:
    module = types.ModuleType("target")
    module.__dict__["ask"] = lambda: "a"

    def with_letter(letter: str) -> Callable[[Any], Any]:
        return lambda ask: lambda: ask() + letter

    patches = Patches([Patch.around(module, "ask", with_letter(letter)) for letter in "bc"])
    for _ in range(2):
        with patches:
            assert module.ask() == "abc"
        assert module.ask() == "a"
    assert patches.altered() == []


def test_a_part_of_a_torch_module_comes_back_as_the_same_part() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    part: Any = network[0]
    weight = part.weight
    with Patches(
        [Patch(network, "0", torch.nn.Identity()), Patch(part, "weight", torch.nn.Parameter(torch.zeros(2, 2)))]
    ):
        assert isinstance(network[0], torch.nn.Identity)
        assert not part.weight.any()
    assert network[0] is part
    assert part.weight is weight


def test_all_is_taken_back_when_the_enclosed_code_or_another_patch_fails() -> None:
    def refuse(_: object) -> None:
        message = "no"
        raise ValueError(message)

    was = vars(Base)["greet"]
    with pytest.raises(ZeroDivisionError), Patches([Patch(Base, "greet", None)]):
        _ = 1 / 0
    assert vars(Base)["greet"] is was
    with (
        pytest.raises(ValueError, match="no"),
        Patches([Patch(Base, "greet", None), Patch.around(Base, "fixed", refuse)]),
    ):
        pass
    assert vars(Base)["greet"] is was


def test_a_name_that_somebody_else_has_changed_meanwhile_is_left_and_named() -> None:
    module = types.ModuleType("target")
    module.__dict__.update(ask=1, tell=2)
    patches = Patches([Patch(module, "tell", 20), Patch(module, "ask", 10)])
    with pytest.raises(PatchError, match=r"target\.ask: is no longer what the patch put there"), patches:
        module.__dict__["ask"] = 99
    assert (module.ask, module.tell) == (99, 2)
    assert patches.altered() == ["target.ask"]


def test_a_missing_name_is_refused_by_name() -> None:
    with pytest.raises(PatchError, match=r"Base\.absent: there is no such name"):
        Patch(Base, "absent", None)
