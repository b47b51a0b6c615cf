"""The part of the page, of Markdown and of the terminal about lengths and concurrency, from fixed figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from harness.report import html, markdown, svgs
from harness.report.curves import MOST_PLOTS, CurveRow, curves
from harness.report.reading import Reading
from harness.report.terminal import terminal
from harness.results import AtLength, Crossing, Edge, EffectCurve, Run, Stretch, Verdict
from tests.report.sample_runs import HOSTILE, calibrated, not_calibrated

NAME = "batched_cleanup"
LENGTHS = (1.0, 3.0, 10.0)


def point(at: float, ratio: float, half: float = 0.004) -> AtLength:
    return AtLength(at=at, before_s=0.2 + 0.1 * at, ratio=ratio, low=ratio - half, high=ratio + half)


def stretches(*found: tuple[float, float, Verdict]) -> tuple[Stretch, ...]:
    return tuple(Stretch(start=start, end=end, verdict=verdict) for start, end, verdict in found)


def curve(**changes: Any) -> EffectCurve:
    """A saving of ten milliseconds that costs 2.5 ms for each second of audio."""
    at = [1 * 10 ** (step / 20) for step in range(21)]
    ratios = {one: 1 + (-0.010 + 0.0025 * one) / (0.2 + 0.1 * one) for one in (*at, *LENGTHS)}
    return EffectCurve(**{
        "device": "cpu", "optimization": NAME, "metric": "latency", "reference_arm": "none", "arm": NAME, "axis": "audio",
        "margin": 0.01, "level": 0.975, "form": "fixed, per unit and per square", "parts_s": (-0.010, 0.0025, 0.0),
        "parts_between_s": ((-0.010411, -0.009599), (0.002401, 0.002599), (-0.00001, 0.00001)),
        "measured": tuple(point(one, ratios[one]) for one in LENGTHS), "points": tuple(point(one, ratios[one]) for one in at),
        "crossings": (
            Crossing(edge="zero", at=4.0, low=3.3999, high=4.9001, told=True, rises=True),
            Crossing(edge="gain", at=2.3, low=2.0, high=2.6, told=True, rises=True),
            Crossing(edge="loss", at=8.0, low=6.9, high=None, told=False),
        ),
        "stretches": stretches((1.0, 1.9049, "faster"), (1.9499, 2.7, "inconclusive"), (2.7451, 6.4999, "no material difference"),
                               (6.6, 10.0, "inconclusive")),
        "blocks": 80, "workers": 6, "of_workers": 6, **changes,
    })  # fmt: skip


def run(*found: EffectCurve) -> Run:
    return replace(calibrated(), curves=found)


def row(found: EffectCurve, of: Run | None = None) -> CurveRow:
    told = curves(Reading(replace(of or calibrated(), curves=(found,))), "cpu")
    assert told is not None
    return told.rows[0]


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\u2212", "-")


@pytest.mark.parametrize(
    ("found", "advice"),
    [
        (curve(), ("latency over audio made: adopt it up to 1.90 s of audio, where it saves more than 1.0 %; it makes no material difference from "
                  "2.75 s to 6.49 s of audio; nothing is decided from 1.95 s to 2.70 s of audio and from 6.60 s of audio on. "
                  "The sign changes from a gain to a loss at 4.00 s (3.39 s to 4.91 s). The gain falls to the margin at 2.30 s (2.00 s to 2.60 s).")),
        (curve(stretches=stretches((1.0, 10.0, "faster")), crossings=()), "adopt it from 1.00 s to 10.0 s of audio, which is all that was measured"),
        (curve(stretches=stretches((1.0, 5.0, "faster"), (5.1, 10.0, "slower"))), "leave it off from 5.10 s of audio on"),
        (curve(stretches=stretches((1.0, 5.0, "faster"), (5.1, 5.1, "slower"))), "leave it off at 5.10 s of audio"),
        (curve(stretches=stretches((1.0, 5.0, "faster"), (5.101, 5.109, "slower"))), "leave it off from 5.101 s to 5.109 s of audio"),
        (curve(axis="characters", stretches=stretches((1.0, 5.3, "faster"), (5.4, 8.7, "slower"))), "leave it off from 6 to 8 characters"),
        (curve(workers=5), "(2.00 s to 2.60 s). 5 of 6 workers met every value; only these count."),
        (curve(stretches=(), crossings=(), workers=1),
         "1 of 6 workers met every value, so that there is no interval and nothing is advised."),
        (curve(stretches=(), crossings=(), muted="one of 9 comparisons may do so by chance"),
         "nothing is advised, one of 9 comparisons may do so by chance."),
        (curve(axis="concurrency", stretches=stretches((1.0, 10.0, "inconclusive"))), "nothing is decided from 1 to 10 requests at once, which is all that was measured"),
        (curve(stretches=(), crossings=(), workers=1, of_workers=1), "one worker measured it, so that there is no interval and nothing is advised."),
        (curve(points=(), measured=(), stretches=(), crossings=(), reason="failed: it died"), "no figures (failed: it died)."),
    ],
)  # fmt: skip
def test_each_curve_has_a_sentence_that_says_what_to_do_where(found: EffectCurve, advice: str) -> None:
    assert advice in plain(row(found).advice)


@pytest.mark.parametrize(
    ("edge", "rises", "sentence"),
    [
        ("gain", True, "The gain falls to the margin at 3.00 s (2.90 s to 3.10 s)."),
        ("gain", False, "The gain rises to the margin at 3.00 s (2.90 s to 3.10 s)."),
        ("loss", True, "The loss rises to the margin at 3.00 s (2.90 s to 3.10 s)."),
        ("loss", False, "The loss falls to the margin at 3.00 s (2.90 s to 3.10 s)."),
        ("zero", True, "The sign changes from a gain to a loss at 3.00 s (2.90 s to 3.10 s)."),
        ("zero", False, "The sign changes from a loss to a gain at 3.00 s (2.90 s to 3.10 s)."),
        ("zero", None, "The sign changes at 3.00 s (2.90 s to 3.10 s)."),
    ],
)
def test_a_crossing_says_in_which_direction_it_is_crossed(*, edge: Edge, rises: bool | None, sentence: str) -> None:
    found = Crossing(edge=edge, at=3.0, low=2.9, high=3.1, told=True, rises=rises)
    assert plain(row(curve(crossings=(found,))).advice).endswith(f" {sentence}")


def test_the_direction_of_a_crossing_is_said_in_chinese() -> None:
    rising = replace(curve(), crossings=(Crossing(edge="gain", at=3.0, low=2.9, high=3.1, told=True, rises=False),))
    page = plain(html(run(rising), language="zh"))
    assert "收益在 3.00 s（2.90 s 至 3.10 s） 处升至容差。" in page
    assert "收益等于容差处" in page


def test_a_crossing_that_is_told_without_a_place_of_its_own_is_between_two() -> None:
    found = row(curve(crossings=(Crossing(edge="zero", at=None, low=2.0, high=6.0, told=True, rises=True),)))
    assert plain(found.sign) == "between 2.00 s and 6.00 s, to a loss"
    assert plain(found.advice).endswith(" The sign changes from a gain to a loss between 2.00 s and 6.00 s.")
    assert "over-audio" in " ".join(svgs(run(found.curve)))


def test_a_crossing_that_is_not_told_is_only_perhaps_there() -> None:
    assert plain(row(curve()).sign) == "4.00 s (3.39 s to 4.91 s), to a loss"
    assert plain(row(curve()).worth) == "2.30 s (2.00 s to 2.60 s), falling"
    assert row(curve(crossings=())).sign == "nowhere"
    open_ = Crossing(edge="zero", at=4.0, low=3.0, high=None, told=False)
    for low, high, text in (
        (3.006, None, "perhaps, above 3.00 s"), (None, 5.001, "perhaps, below 5.01 s"), (3.0, 5.0, "perhaps, 3.00 s to 5.00 s"),
        (None, None, "not known"),
    ):  # fmt: skip
        assert plain(row(curve(crossings=(replace(open_, low=low, high=high),))).sign) == text


def test_the_parts_of_a_change_stand_in_seconds_and_say_whether_anything_checked_them() -> None:
    assert plain(row(curve()).parts) == (
        "-10.0 ms (-10.5 ms to -9.59 ms), +2.50 ms (+2.40 ms to +2.60 ms) for each second of audio, "
        "0 s (-10.0 µs to +10.0 µs) for each square of it (no further value to check it)"
    )
    line = curve(form="fixed and per unit", parts_s=(-0.010, 0.0025), parts_between_s=(), checked=True, axis="prompt")
    assert plain(row(line).parts) == "-10.0 ms (no interval), +2.50 ms (no interval) for each second of prompt"
    assert row(curve(form="between neighbours", parts_s=())).parts.startswith("of no form")


def test_nothing_is_advised_where_the_controls_failed() -> None:
    assert row(curve(), not_calibrated()).advice == ""
    assert "nothing is advised" in html(replace(not_calibrated(), curves=(curve(),)))


def test_page_markdown_and_terminal_hold_the_part_and_its_plot() -> None:
    page, text, plots = html(run(curve())), markdown(run(curve())), svgs(run(curve()))
    assert 'id="device-cpu-lengths"' in page
    assert "By length and concurrency: cpu" in text
    assert "adopt it up to" in text
    assert "device-cpu-over-audio-batched_cleanup.svg" in plots
    assert "NaN" not in plots["device-cpu-over-audio-batched_cleanup.svg"]
    assert 'id="device-cpu-lengths"' not in html(calibrated())
    assert "随长度与并发的变化" in html(run(curve()), language="zh")
    shown = Console(width=200, record=True)
    with shown.capture() as said:
        shown.print(terminal(run(curve())))
    assert "By length and concurrency on cpu" in said.get()
    assert "adopt it up to" in plain(said.get())


def test_of_very_many_curves_only_those_that_cross_are_drawn() -> None:
    level = [curve(optimization=f"toggle_{n}", crossings=()) for n in range(MOST_PLOTS)]
    told = curves(Reading(run(curve(), *level)), "cpu")
    assert told is not None
    assert [row.name for row in told.rows if row.plot] == [NAME]


def test_a_curve_without_interval_is_drawn_without_band() -> None:
    bare = tuple(replace(p, low=None, high=None) for p in curve().points)
    found = curve(points=bare, measured=bare[:2], crossings=(), stretches=())
    assert "over-audio" in next(name for name in svgs(run(found)) if "over" in name)
    assert (plain(row(found).first.change), row(found).first.band) == ("-2.5 %", "no interval")


def test_what_a_run_says_is_escaped() -> None:
    hostile = run(curve(optimization=HOSTILE, reason=HOSTILE, points=(), measured=()))
    assert HOSTILE not in html(hostile)
    assert HOSTILE not in markdown(hostile)
