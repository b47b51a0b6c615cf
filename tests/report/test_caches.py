"""The part of the page, and of Markdown, about caches, from fixed figures."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from harness.report import html, markdown, svgs
from harness.report.caches import CacheRow, caches
from harness.report.reading import Reading
from harness.report.terminal import terminal
from harness.results import AtHitRate, CacheEffect, Run
from tests.report.sample_runs import HOSTILE, calibrated, not_calibrated

NAME = "speaker_preregistration"
STATED = 0.75


def effect(miss_s: float, hit_s: float, **changes: Any) -> CacheEffect:
    """A cache whose changes have intervals of 1 ms to either side."""
    rates = (0.0, 0.25, 0.5, STATED, 1.0)
    at = [(rate, rate * hit_s + (1 - rate) * miss_s) for rate in rates]
    return CacheEffect(**{
        "device": "cpu", "optimization": NAME, "reference_arm": "none", "arm": NAME, "misses": "new speaker", "grows": True,
        "stated_rate": STATED, "before_s": 2.0, "level": 0.95, "blocks": 80, "workers": 6, "entries": 3, "entry_bytes": 2048.0,
        "at": tuple(AtHitRate(rate=rate, change_s=s, low_s=s - 0.001, high_s=s + 0.001) for rate, s in at), **changes,
    })  # fmt: skip


CROSSING = effect(0.02, -0.06, break_even=0.25, break_even_low=0.235, break_even_high=0.265)


def run(*effects: CacheEffect) -> Run:
    return replace(calibrated(), caches=effects)


def row(found: CacheEffect, of: Run | None = None) -> CacheRow:
    told = caches(Reading(replace(of or calibrated(), caches=(found,))), "cpu")
    assert told is not None
    return told.rows[0]


@pytest.mark.parametrize(
    ("found", "advice"),
    [
        (CROSSING, "adopt it where more than 26.5 % of requests find their entry; below 23.5 % it costs more"),
        (replace(CROSSING, break_even_low=0.0), "adopt it where more than 26.5 % of requests find their entry; below, nothing is"),
        (replace(CROSSING, break_even_high=1.0), "where less than 23.5 % of requests find their entry it costs more"),
        (effect(-0.01, -0.06), "it saves time at every hit rate, also in requests that miss."),
        (effect(0.01, 0.02), "leave it: it costs time at every hit rate"),
        (effect(0.0, -0.06), "it saves time where requests find their entry; what a miss costs cannot be told"),
        (effect(0.0, 0.0), "whether it saves time at any hit rate cannot be told"),
        (replace(CROSSING, at=CROSSING.at[-1:]), "only requests that hit were measured; to see what misses cost"),
        (replace(CROSSING, at=CROSSING.at[:1]), "only requests that miss were measured; to see what hits save"),
        (effect(0, 0, misses="first use", at=()), "only the first request of a pipeline with a key misses"),
        (effect(0, 0, misses="never", at=()), "no request misses; what that costs is part of init"),
        (effect(0, 0, at=(), reason="failed: it died"), "no figures (failed: it died)."),
    ],
)  # fmt: skip
def test_each_cache_has_a_sentence_that_says_what_to_do(found: CacheEffect, advice: str) -> None:
    assert advice in row(found).advice.replace("\u202f", " ")


def test_changes_stand_in_seconds_with_their_share_of_a_request_and_their_interval() -> None:
    told = row(CROSSING).at_all
    assert told.seconds == "\u221260.0\u202fms"
    assert told.share == "\u22123.0\u202f%"
    assert told.interval == "\u221261.0\u202fms to \u221259.0\u202fms"


def test_growth_is_told_for_the_share_of_requests_that_bring_a_new_key() -> None:
    assert row(CROSSING).growth == "without bound: 1\u202f000 requests of this workload add 500.0\u202fKiB"
    assert row(replace(CROSSING, stated_rate=1.0)).growth == "without bound: 2.000\u202fKiB for each new key"
    assert row(replace(CROSSING, grows=False)).growth == "bounded"
    assert row(replace(CROSSING, entry_bytes=None)).growth == "without bound"


def test_nothing_is_advised_where_the_controls_failed() -> None:
    found = row(CROSSING, not_calibrated())
    assert found.advice == ""
    assert "nothing is advised" in html(replace(not_calibrated(), caches=(CROSSING,)))


def test_page_and_markdown_hold_the_part_its_plot_and_its_warnings() -> None:
    flattered = replace(CROSSING, warnings=("one speaker",))
    page, text, plots = html(run(flattered)), markdown(run(flattered)), svgs(run(flattered))
    assert "Looks better than in life." in page
    assert 'id="device-cpu-caches"' in page
    assert "Caches: cpu" in text
    assert "a cache that holds a single entry does as well" in text
    assert "device-cpu-hit-rate-speaker_preregistration.svg" in plots
    assert 'id="device-cpu-caches"' not in html(calibrated())
    assert "缓存" in html(run(flattered), language="zh")


def test_what_a_run_says_is_escaped() -> None:
    hostile = run(replace(CROSSING, optimization=HOSTILE, reason=HOSTILE))
    assert HOSTILE not in html(hostile)
    assert HOSTILE not in markdown(hostile)


def test_the_card_of_a_cache_says_its_key() -> None:
    kept = {"entry": "features of a speaker", "key": "a digest", "misses": "new speaker", "eviction": "", "bounded": ""}
    whole = calibrated()
    entries = {**whole.optimizations, NAME: {**whole.optimizations[NAME], "cache": kept}}
    page = html(replace(whole, optimizations=entries))
    assert "<dt>Its key</dt><dd>a digest</dd>" in page
    assert "it does not: each new key stays for good" in page
    assert "<dt>Its key</dt>" not in html(whole)


def test_the_terminal_has_the_table_and_what_to_do() -> None:
    shown = io.StringIO()
    Console(file=shown, width=300, force_terminal=False).print(terminal(run(CROSSING)))
    text = " ".join(shown.getvalue().split())
    found = row(CROSSING)
    for wanted in (
        "Caches on cpu",
        found.advice,
        found.at_none.told,
        found.at_all.told,
        found.break_even,
        found.entry,
        found.growth,
    ):
        assert " ".join(wanted.split()) in text, wanted
    Console(file=(without := io.StringIO()), width=300, force_terminal=False).print(terminal(calibrated()))
    assert "Caches on cpu" not in without.getvalue()
