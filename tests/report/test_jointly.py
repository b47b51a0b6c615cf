"""The part of the page, and of Markdown, about a joint design, from a fixed attribution."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from harness.report import html, markdown, svgs
from harness.report.jointly import jointly
from harness.report.reading import Reading
from harness.report.rows import title_of
from harness.report.terminal import terminal
from harness.results import (
    TOGETHER,
    Attribution,
    Interaction,
    Joint,
    MainEffect,
    Run,
    Share,
    SmallestSet,
    Step,
    TotalLog,
    Verdict,
)
from tests.report.sample_runs import HOSTILE, calibrated, not_calibrated

NAMES = ("speaker_preregistration", "batched_cleanup", "resample_cache")
LOGS = (-0.12, -0.03, 0.001)
PLACE = {"metric": "latency", "device": "cpu"}


def pair(a: str, b: str, ratio: float, verdict: Joint, aliases: tuple[tuple[str, str], ...] = ()) -> Interaction:
    return Interaction(
        a=a, b=b, **PLACE, ratio=ratio, ratio_low=ratio - 0.004, ratio_high=ratio + 0.004, margin=0.01, verdict=verdict,
        level=0.98, error=0.001, aliases=aliases,
    )  # fmt: skip


def attribution(**changes: Any) -> Attribution:
    verdicts: tuple[Verdict, ...] = ("faster", "faster", "no material difference")
    so_far = [sum(LOGS[:n]) for n in (1, 2, 3)]
    found = Attribution(
        design="factorial",
        total_log=(TotalLog(value=sum(LOGS), **PLACE),),
        shares=tuple(
            Share(optimization=name, share_log=log, low=log - 0.005, high=log + 0.005, **PLACE)
            for name, log in zip(NAMES, LOGS, strict=True)
        ),
        effects=tuple(
            MainEffect(optimization=name, **PLACE, ratio=1 + log, ratio_low=1 + log - 0.005, ratio_high=1 + log + 0.005,
                       margin=0.01, verdict=verdict, level=0.98, error=0.001)
            for name, log, verdict in zip(NAMES, LOGS, verdicts, strict=True)
        ),
        interactions=(
            pair(NAMES[0], NAMES[1], 1.03, "hinder"),
            pair(NAMES[0], NAMES[2], 1.001, "independent"),
            pair(NAMES[1], NAMES[2], 1.004, "inconclusive"),
        ),
        steps=tuple(
            Step(place=place, optimization=name, **PLACE, ratio=1 + log, ratio_low=1 + log - 0.005,
                 ratio_high=1 + log + 0.005, so_far_log=reached, verdict=verdict)
            for place, (name, log, reached, verdict) in enumerate(
                zip(NAMES, LOGS, so_far, verdicts, strict=True), start=1
            )
        ),
        smallest=(SmallestSet(optimizations=NAMES[:2], **PLACE, arm="x", wanted=0.95, kept=0.99, low=0.97, high=1.01),),
    )  # fmt: skip
    return replace(found, **changes)


def run(**changes: Any) -> Run:
    return replace(calibrated(), attribution=attribution(**changes))


def test_each_part_says_in_one_sentence_what_to_do() -> None:
    found = jointly(Reading(run()), "cpu")
    assert found is not None
    assert found.advice_shares == (
        "For 95 % of the whole gain, by the estimates, adopt Extract a speaker's features once, Clean up once a request, not "
        "once a segment: they keep 99 % (97 % to 101 %)."
    ).replace(" %", "\u202f%")
    assert found.advice_order.endswith("Of what each of the others adds after them, no gain is known.")
    assert found.advice_together.startswith(
        "Where one of these pairs is on, expect less of the other: Extract a speaker's"
    )


def test_bars_begin_where_those_above_them_end() -> None:
    found = jointly(Reading(run()), "cpu")
    assert found is not None
    assert [bar.start_log for bar in found.bars] == [0.0, LOGS[0], LOGS[0] + LOGS[1]]
    assert [bar.part for bar in found.bars] == ["+81\u202f%", "+20\u202f%", "\u22121\u202f%"]


def test_nothing_is_advised_where_the_controls_failed() -> None:
    found = jointly(Reading(replace(not_calibrated(), attribution=attribution())), "cpu")
    assert found is not None
    assert "nothing is advised" in found.advice_shares
    assert (found.advice_order, found.advice_together) == ("", "")


def test_all_together_gaining_nothing_is_said() -> None:
    found = jointly(Reading(without_all(run(smallest=()))), "cpu")
    assert found is not None
    assert found.advice_shares == "All together are not known to gain; some of them do."
    found = jointly(Reading(without_all(run(smallest=(), steps=judged("inconclusive")))), "cpu")
    assert found is not None
    assert found.advice_shares == "All together are not known to gain."
    assert found.advice_order == "No single step is known to gain as much as matters."


@pytest.mark.parametrize(
    ("verdict", "low", "high", "said"),
    [
        ("inconclusive", 0.65, 0.87, "Whether all together gain as much as matters is not known: 13.0 to 35.0 % faster. Measure longer before you decide."),
        ("inconclusive", 0.995, 1.03, "All together do not gain as much as matters: 0.5 % faster to 3.0 % slower."),
        ("inconclusive", None, None, "All together are not known to gain."),
        ("output changed", None, None, "All together are not known to gain."),
        ("faster", 0.8, 0.9, "All together gain: 10.0 to 20.0 % faster. Which of them that takes is not known."),
        ("slower", 1.2, 1.3, "All together cost: 20.0 to 30.0 % slower."),
        ("no material difference", 0.995, 1.005, "All together gain less than what matters; that one alone does is not ruled out."),
    ],
)  # fmt: skip
def test_what_is_known_of_all_together_is_said_where_no_set_of_them_is(
    verdict: Verdict, low: float | None, high: float | None, said: str
) -> None:
    found = jointly(Reading(together(run(smallest=(), steps=judged("inconclusive")), verdict, low, high)), "cpu")
    assert found is not None
    assert found.advice_shares.replace("\u202f", " ") == said


def test_of_all_together_that_cost_it_is_said_that_some_gain_and_of_none_that_gain_to_adopt_none() -> None:
    found = jointly(Reading(together(run(smallest=()), "slower", 1.2, 1.3)), "cpu")
    assert found is not None
    assert found.advice_shares.endswith("slower. Some of them gain.")
    idle = run(smallest=(), steps=judged("no material difference"))
    found = jointly(Reading(together(idle, "no material difference", 0.995, 1.005)), "cpu")
    assert found is not None
    assert found.advice_shares == "All together gain less than what matters: adopt none of them for this."


def without_all(of: Run) -> Run:
    return replace(of, contrasts=tuple(contrast for contrast in of.contrasts if contrast.optimization != TOGETHER))


def judged(verdict: Verdict) -> tuple[Step, ...]:
    return tuple(replace(step, verdict=verdict) for step in attribution().steps)


def together(of: Run, verdict: Verdict, low: float | None, high: float | None) -> Run:
    """The run with another verdict on all together."""
    return replace(of, contrasts=tuple(
        replace(contrast, verdict=verdict, ratio_low=low, ratio_high=high) if contrast.optimization == TOGETHER else contrast
        for contrast in of.contrasts
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("slower", "faster", "inconclusive"), "first, in this order: {b}. Of what each of the others adds after them, no gain is known. {a}"),
        (("faster", "slower", "faster"), "Adopt in this order: {b}, {c}. {a}"),
        (("slower", "inconclusive", "inconclusive"), "No single step is known to gain as much as matters. {a}"),
    ],
)  # fmt: skip
def test_what_costs_is_left_off(verdicts: tuple[Verdict, ...], said: str) -> None:
    steps = tuple(replace(step, verdict=verdict) for step, verdict in zip(attribution().steps, verdicts, strict=True))
    reading = Reading(run(steps=steps))
    found = jointly(reading, "cpu")
    assert found is not None
    titles: defaultdict[str, list[str]] = defaultdict(list)
    for step in steps:
        titles[step.verdict].append(title_of(reading, step.optimization))
    gains = titles["faster"]
    left = f"Leave off what costs where it stands in this order: {titles['slower'][0]}."
    assert found.advice_order.endswith(said.format(a=left, b=(gains or [""])[0], c=gains[-1] if gains else ""))


def test_a_bar_gains_where_more_is_better() -> None:
    found = jointly(
        Reading(
            run(
                total_log=(TotalLog(value=0.2, metric="audio_rate", device="cpu"),), effects=(), shares=(), interactions=(), smallest=(),
                steps=(Step(place=1, optimization=NAMES[0], metric="audio_rate", device="cpu", ratio=1.2, ratio_low=1.1, ratio_high=1.3, so_far_log=0.2),),
            )
        ),
        "cpu",
    )  # fmt: skip
    assert found is not None
    assert [bar.gains for bar in found.bars] == [True]


def test_pairs_that_cannot_be_told_apart_are_named_and_counted_once() -> None:
    aliased = (
        pair(NAMES[0], NAMES[1], 0.95, "reinforce", ((NAMES[0], NAMES[2]),)),
        pair(NAMES[0], NAMES[2], 0.95, "reinforce", ((NAMES[0], NAMES[1]),)),
    )
    found = jointly(Reading(run(interactions=aliased)), "cpu")
    assert found is not None
    assert found.cells[0].aliases == "speaker_preregistration \u00d7 resample_cache"
    assert found.advice_together.count("\u00d7") == 1
    assert "only design factorial can say" in found.advice_together


def test_page_and_markdown_hold_the_part_and_its_plots_and_escape_what_a_run_says() -> None:
    hostile = run(generators=(f"c = a \u00d7 {HOSTILE}",))
    page, text, plots = html(hostile), markdown(hostile), svgs(hostile)
    assert {name for name in plots if "waterfall" in name or "matrix" in name} == {
        "device-cpu-waterfall.svg", "device-cpu-matrix.svg",
    }  # fmt: skip
    assert "What each has of the whole" in page
    assert HOSTILE not in page
    assert HOSTILE not in text
    assert "| speaker\\_preregistration \u00d7 batched\\_cleanup |" in text


def test_the_terminal_has_the_shares_the_pairs_and_what_to_do() -> None:
    console = Console(file=io.StringIO(), width=300, force_terminal=False)
    console.print(terminal(run()))
    shown = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]  # the StringIO from above
    for wanted in ("What each has of the whole change of latency on cpu", "Of the whole", "adopt Extract a speaker's features once",
                   "+81 %", "Pairs on cpu", "speaker_preregistration \u00d7 batched_cleanup", "Where one of these pairs is on"):  # fmt: skip
        assert wanted in shown.replace("\u202f", " "), wanted
    narrow = Console(file=io.StringIO(), width=60, force_terminal=False)
    narrow.print(terminal(run()))
    assert max(map(len, narrow.file.getvalue().splitlines())) <= 60  # type: ignore[attr-defined]


def test_the_terminal_and_markdown_have_the_same_figures_of_shares() -> None:
    console = Console(file=io.StringIO(), width=400, force_terminal=False)
    console.print(terminal(run()))
    shown = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]  # the StringIO from above
    rows = [line for line in markdown(run()).splitlines() if re.match(r"\| \S+ \u00d7 \S+ \|", line)]
    assert len(rows) == 3
    for line in rows:
        for cell in line.replace("\\", "").strip("|").split(" | "):
            assert " ".join(cell.strip().lstrip("\u2714\u2718=? ").split()) in shown, line


def test_a_ladder_has_steps_and_no_shares() -> None:
    ladder = run(design="ladder", shares=(), effects=(), interactions=())
    found = jointly(Reading(ladder), "cpu")
    assert found is not None
    assert not found.has_shares
    assert found.bars[0].share == "\u2013"
    assert "device-cpu-matrix.svg" not in svgs(ladder)
    assert "steps of the change" in svgs(ladder)["device-cpu-waterfall.svg"]


def test_other_designs_have_no_such_part() -> None:
    assert jointly(Reading(calibrated()), "cpu") is None
    assert "What each has of the whole" not in html(calibrated())
