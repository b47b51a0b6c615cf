"""Do a known number of units of work: a slow-down, or a gain, whose true size is known (adapter `planted` alone)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from harness.optimizations.allowed import Field
from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, PlantedWork
from harness.optimizations.witness import Witness
from harness.worker.probes import counter
from harness.worker.spans import count

OWN, GIVEN = "planted.own_units", "planted.given_units"
"""Events: a request did the adapter's own number of units, or that of the toggle. Either side reports one, and so costs
as much."""


def repeated(unit: Callable[[], Any], units: int) -> Any:
    """Call `unit` so many times, at least once; the last answer."""
    for _ in range(units - 1):
        unit()
    return unit()


def do_own_units(context: BindContext) -> PlantedWork:
    """Do as many units as the adapter has."""

    def work(unit: Callable[[], Any], own_units: int) -> Any:
        count(OWN)
        return repeated(unit, own_units)

    return work


@optimization(
    title="Do a known number of units",
    sites=("planted.work",),
    before=do_own_units,
    witness=Witness(
        unit="requests that did the toggle's number of units",
        probe=lambda **_: counter(GIVEN),
        before="none",
        after="every request",
    ),
)
def planted_work(context: BindContext, *, units: Annotated[int, Field(ge=1, le=1_000_000)] = 100) -> PlantedWork:
    """Do `units` units of work in each request, instead of the adapter's own number.

    No optimization, but a change whose true size is known, for the adapter `planted` alone: `units: 102` where the
    adapter has 100 is 2 % slower. With equal numbers other code does the same work: whatever difference is then found is
    a false alarm. A unit gives the same answer however often it is done, so that the output stays the same to the bit.
    """

    def work(unit: Callable[[], Any], own_units: int) -> Any:
        count(GIVEN)
        return repeated(unit, units)

    return work
