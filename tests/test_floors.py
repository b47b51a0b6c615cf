"""The least time of a stage: which ceiling binds, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.floors import arithmetic, bandwidth, floors, terms
from harness.results import Bandwidth, Ceilings, PartWork, Plan, Repeated, Run, StageWork, Trial

MIB = 2**20


def figure(best: float) -> Repeated:
    return Repeated(best=best, median=best, worst=best, repeats=15)


CPU = Ceilings(
    digest="0", machine="m", device="cpu", made="2026-11-28", threads=1, call=figure(1e-6), rates={"float32": figure(1e9)},
    bandwidths=(
        Bandwidth(block_bytes=MIB, copy=figure(8e9), read=figure(6e9)),
        Bandwidth(block_bytes=64 * MIB, copy=figure(1e9), read=figure(2e9)),
    ),
)  # fmt: skip
CARD = replace(CPU, device="cuda:0", rates={"float32": figure(1e12), "tf32": figure(4e12)})
PART = PartWork(
    part="llm.step", on_host=False, precision="float32", calls=1, matrix=0, convolution=0, parameter_bytes=0,
    state_bytes=0, data_bytes=0, working_bytes=0,
)  # fmt: skip


def stage(*parts: PartWork, operations: int = 0, stratum: str = "s", device: str = "cpu") -> StageWork:
    return StageWork(
        device=device, arm="none", request="r", stratum=stratum, stage="llm", operations=operations, parts=parts
    )


def test_a_working_set_counts_as_the_largest_measured_block_that_fits_into_it() -> None:
    assert bandwidth(CPU, 100) == bandwidth(CPU, 63 * MIB) == 8e9
    assert bandwidth(CPU, 64 * MIB) == bandwidth(CPU, 1024 * MIB) == 2e9


def test_a_larger_block_that_came_faster_counts_for_smaller_sets_too() -> None:
    fast = replace(CPU, bandwidths=(replace(CPU.bandwidths[0], copy=figure(1e9), read=figure(1e9)), CPU.bandwidths[1]))
    assert bandwidth(fast, MIB) == 2e9


@pytest.mark.parametrize(
    ("work", "binds", "floor_s"),
    [
        (stage(replace(PART, parameter_bytes=8e6, matrix=1e5), operations=10), "memory", 1e-3),
        (stage(replace(PART, parameter_bytes=8e3, matrix=2e6), operations=10), "arithmetic", 2e-3),
        (stage(replace(PART, parameter_bytes=8e3, matrix=1e5), operations=3000), "calls", 3e-3),
    ],
)
def test_the_ceiling_that_asks_for_most_binds(work: StageWork, binds: str, floor_s: float) -> None:
    found = terms(work, CPU, CPU)
    assert found.binds == binds
    assert found.floor_s == pytest.approx(floor_s)


def test_parts_follow_each_other_so_that_each_has_its_own_floor() -> None:
    found = terms(stage(replace(PART, parameter_bytes=8e6), replace(PART, matrix=3e6)), CPU, CPU)
    assert found.hardware_s == pytest.approx(1e-3 + 3e-3)


def test_convolutions_of_a_card_may_be_shortened_and_products_of_matrices_not() -> None:
    assert arithmetic(replace(PART, matrix=4e12), CARD) == pytest.approx(4.0)
    assert arithmetic(replace(PART, convolution=4e12), CARD) == pytest.approx(1.0)


def test_products_of_matrices_are_shortened_too_where_that_was_allowed() -> None:
    assert arithmetic(replace(PART, matrix=4e12), CARD, shortened=True) == pytest.approx(1.0)
    known = run(
        ceilings=(CARD,),
        work=(stage(replace(PART, matrix=4e12), device="cuda:0"),),
        trials=(trial("s", 9.0, "cuda:0"),),
    )
    (exact,) = floors(known, "cuda:0")
    (short,) = floors(replace(known, environment={"devices": {"cuda:0": {"tf32_matmul": True}}}), "cuda:0")
    assert exact.floor_s == pytest.approx(4.0)
    assert short.floor_s == pytest.approx(1.0)


def test_calls_that_were_made_while_a_card_was_busy_with_what_came_before_are_in_no_floor() -> None:
    """3000 calls of 1 us take longer than the stage did on the card."""
    parts = {"ceilings": (CPU, CARD), "trials": (trial("s", 2e-3), trial("s", 2e-3, "cuda:0"))}
    works = [stage(replace(PART, matrix=1e5), operations=3000, device=device) for device in ("cpu", "cuda:0")]
    ((host,), (card,)) = (list(floors(run(work=(work,), **parts), work.device)) for work in works)
    assert host.binds == "calls"
    assert host.floor_s == pytest.approx(3e-3)
    assert card.floor_s == pytest.approx(1e-7)


def test_a_part_on_the_host_is_held_against_the_hosts_ceilings_or_left_out() -> None:
    heard = stage(replace(PART, on_host=True, matrix=1e9), device="cuda:0")
    assert terms(heard, CARD, CPU).hardware_s == pytest.approx(1.0)
    assert terms(heard, CARD, None).hardware_s == 0.0


def trial(stratum: str, seconds: float, device: str = "cpu") -> Trial:
    return Trial(
        device=device, pass_="latency", kind="request", phase="timed", worker=0, block=0, group="", position=0, arm="none",
        predecessor=None, request="r", stratum=stratum, values={"stage.llm": seconds, "device.llm": None},
    )  # fmt: skip


def run(**parts: object) -> Run:
    plan = Plan(
        devices=("cpu",), arms=(), groups={}, pairs=(), requests=(), strata={}, workers=1, budget_s=1.0, margin={}
    )
    made = Run(id="r", scenario={}, environment={}, plan=plan, optimizations={}, complete=True)
    return replace(made, **parts)  # type: ignore[arg-type]


def test_a_stage_has_a_floor_over_the_kinds_of_request_that_were_timed() -> None:
    works = (
        stage(replace(PART, matrix=1e6), stratum="a"),
        stage(replace(PART, matrix=3e6), stratum="b"),
        stage(replace(PART, matrix=9e9), stratum="never timed"),
    )
    trials = (trial("a", 0.01), trial("a", 0.03), trial("a", 0.5), trial("b", 0.05))
    (found,) = floors(run(ceilings=(CPU,), work=works, trials=trials), "cpu")
    assert found.strata == ("a", "b")
    assert found.measured_s == pytest.approx((0.03 + 0.05) / 2)
    assert found.floor_s == pytest.approx(2e-3)
    assert (found.binds, found.stage, found.arm) == ("arithmetic", "llm", "none")


def test_without_ceilings_or_declared_work_there_is_no_floor() -> None:
    assert not list(floors(run(work=(stage(PART),), trials=(trial("s", 1.0),)), "cpu"))
    assert not list(floors(run(ceilings=(CPU,), trials=(trial("s", 1.0),)), "cpu"))


def test_what_is_held_against_nothing_is_named() -> None:
    odd = replace(PART, part="llm.odd", precision="float8", matrix=1e9)
    (found,) = floors(run(ceilings=(CPU,), work=(stage(odd, operations=5),), trials=(trial("s", 1.0),)), "cpu")
    assert found.not_counted == ("llm.odd",)
    assert found.hardware_s == 0.0
