"""Toggles that replace an attribute: put in place, counted, and taken away again."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from harness.errors import UsageError
from harness.optimizations import BindContext, named, original, patched, replaces
from harness.optimizations.witness import Counts, calls, judge

SLOW = """
def area(radius):
    return 3 * radius * radius

class Circle:
    def __init__(self, radius): self.radius = radius
    def area(self): return area(self.radius)
    @staticmethod
    def unit(): return Circle(1)
    @classmethod
    def of(cls, radius): return cls(radius)

class Disc(Circle): pass
"""


@pytest.fixture
def slow(user_code: Callable[..., Path]) -> str:
    user_code(slow_circles=SLOW)
    return "slow_circles"


def test_a_symbol_is_replaced_for_as_long_as_asked_and_then_the_same_object(slow: str) -> None:
    import slow_circles  # type: ignore[import-not-found]  # written by the fixture

    was = {name: vars(slow_circles.Circle)[name] for name in ("area", "unit", "of")} | {"": slow_circles.area}
    new = {
        f"{slow}:area": lambda radius: -radius,
        f"{slow}:Circle.area": lambda circle: 7 * circle.radius,
        f"{slow}:Circle.unit": lambda: "unit",
        f"{slow}:Circle.of": lambda cls, radius: (cls.__name__, radius),
        f"{slow}:Disc.area": lambda _: 9,
    }
    with patched(new):
        assert slow_circles.area(2) == -2
        assert slow_circles.Circle(2).area() == 14
        assert (slow_circles.Circle.unit(), slow_circles.Circle(1).unit()) == ("unit", "unit")
        assert slow_circles.Circle.of(3) == ("Circle", 3)
        assert slow_circles.Disc(1).area() == 9
    assert slow_circles.area is was.pop("")
    assert all(vars(slow_circles.Circle)[name] is item for name, item in was.items())
    assert "area" not in vars(slow_circles.Disc)


def test_symbols_are_restored_when_a_request_fails_and_when_patches_are_nested(slow: str) -> None:
    import slow_circles

    was = slow_circles.area
    inner = {f"{slow}:area": lambda radius: original(f"{slow}:area")(radius) / (radius - 2)}
    with patched({f"{slow}:area": lambda _: 1}):
        with patched(inner), pytest.raises(ZeroDivisionError):
            slow_circles.area(2)
        assert slow_circles.area(2) == 1
    assert slow_circles.area is was


def test_of_two_symbols_none_stays_replaced_where_the_second_is_missing(slow: str) -> None:
    import slow_circles

    was = slow_circles.area
    both = {f"{slow}:area": lambda _: 1, f"{slow}:volume": lambda: 1}
    with (
        pytest.raises(UsageError, match=r"slow_circles:volume cannot be replaced.*no attribute 'volume'"),
        patched(both),
    ):
        pass
    assert slow_circles.area is was
    with pytest.raises(UsageError, match="No module named 'fast_circles'"), patched({"fast_circles:area": print}):
        pass


def test_a_replacing_toggle_has_its_words_and_a_witness_that_tells_both_sides_apart(slow: str, tmp_path: Path) -> None:
    import slow_circles

    @replaces(f"{slow}:area")
    def exact_area(radius: float) -> float:
        """Compute with pi.

        As it should be.
        """
        return math.pi * radius**2

    toggle = named("exact_area")
    assert (toggle.title, toggle.sites, toggle.parameters) == ("Compute with pi", ("slow_circles:area",), {})
    assert "3 * radius" in toggle.source("before")
    assert "math.pi" in toggle.source("after")
    assert "As it should be" in toggle.doc
    counts = {}
    for side, replaced in {"before": {}, "after": {"slow_circles:area": exact_area}}.items():
        with toggle.witness.probe()() as tally, patched(replaced):
            slow_circles.Circle(2).area()
            counts[side] = Counts(per_request=(tally.count,))
    assert judge(counts["before"], counts["after"], toggle.witness.before, toggle.witness.expected_after({})) == ""
    assert judge(counts["before"], counts["before"], toggle.witness.before, toggle.witness.expected_after({})) != ""
    context = BindContext(device="cpu", prompt_rate_hz=0, model_rate_hz=0, store_dir=tmp_path, model_fingerprint="")
    assert toggle.one_call(state=False, context=context, arguments={"slow_circles:area": (2,)})() == 12
    assert toggle.one_call(state=True, context=context, arguments={"slow_circles:area": (2,)})() == math.pi * 4


def test_a_replacement_that_calls_the_original_is_counted_there(slow: str) -> None:
    import slow_circles

    with calls(f"{slow}:area")() as tally, patched({f"{slow}:area": lambda radius: -original(f"{slow}:area")(radius)}):
        assert slow_circles.area(1) == -3
        assert tally.count == 1


def test_two_replacements_of_one_symbol_cannot_stand_together(slow: str) -> None:
    @replaces(f"{slow}:area")
    def first_area(radius: float) -> float:
        return radius

    @replaces(f"{slow}:area")
    def second_area(radius: float) -> float:
        return radius

    assert named("second_area").excludes == ("first_area",)


@pytest.mark.parametrize("symbol", ["math", "math:", ":sin", "math.sin"])
def test_a_symbol_is_a_module_and_an_attribute(symbol: str) -> None:
    with pytest.raises(ValueError, match="module:attribute"):
        replaces(symbol)


def test_a_name_of_the_harness_is_refused() -> None:
    with pytest.raises(ValueError, match="registered already"):

        @replaces("math:sin")
        def resample_cache(number: float) -> float:
            return number


def test_replacements_of_several_pipelines_at_once_are_taken_away_by_the_last(slow: str) -> None:
    import slow_circles

    was = slow_circles.area
    with patched({f"{slow}:area": lambda _: 1}), patched({f"{slow}:area": lambda _: 2}):
        seen: list[int] = []
        thread = Thread(target=lambda: seen.append(slow_circles.area(5)))
        thread.start()
        thread.join()
        assert seen == [2]
        assert original(f"{slow}:area") is was
    assert slow_circles.area is was
    assert "slow_circles" in sys.modules
