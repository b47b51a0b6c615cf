"""What is said of a card, from readings that are made up: no driver is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from harness import nvml

CALM = nvml.Reading(
    at_s=0.0, sm_clock_mhz=1980.0, memory_clock_mhz=2619.0, temperature_c=40.0, power_w=150.0, utilisation=0.25,
    used_bytes=3e9, reasons=0x1,
)  # fmt: skip


def test_idling_is_not_a_slowdown() -> None:
    found = nvml.summary([CALM, CALM])
    assert found["slowed_share"] == 0
    assert found["slowed_by"] == []


def test_every_cause_of_a_slowdown_is_named_and_its_share_given() -> None:
    capped = replace(CALM, sm_clock_mhz=1200.0, reasons=0x4 | 0x20)
    found = nvml.summary([CALM, capped, CALM, CALM])
    assert found["slowed_share"] == 0.25
    assert found["slowed_by"] == ["power cap", "software thermal slowdown"]
    assert (found["sm_clock_mhz"], found["sm_clock_lowest_mhz"]) == (1980.0, 1200.0)


def test_what_the_driver_refuses_is_none_and_not_zero() -> None:
    silent = replace(CALM, power_w=None)
    assert nvml.summary([silent, silent])["power_w"] is None
    assert nvml.summary([silent, CALM])["power_w"] == 150.0


def test_nothing_read_says_nothing() -> None:
    assert nvml.summary([]) == {}


class FakeCard(nvml.Card):
    """Counts its readings; each is warmer than the one before."""

    def __init__(self) -> None:
        super().__init__("GPU-fake")
        self.taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def reading(self) -> nvml.Reading:
        self.taken += 1
        return replace(CALM, at_s=float(self.taken), temperature_c=float(self.taken))


def test_a_sampler_sums_up_a_stretch_and_forgets_what_was_before_it() -> None:
    card = FakeCard()
    sampler = nvml.Sampler(card, period_s=0.0)
    while card.taken < 20:
        pass
    sampler.close()
    taken = card.taken
    late = sampler.since(10.0)
    assert late["readings"] == taken - 9
    assert late["temperature_highest_c"] == float(taken)
    assert sampler.since(taken + 1.0) == {}
