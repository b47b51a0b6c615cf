"""Reuse by a popularity: the hit rate that is computed is the one that is drawn, and drawn requests are those of the run."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from harness import compare, outlook, planning, reuse, store, workload
from harness.optimizations import Optimization, named
from harness.passes import examination
from harness.report import html, markdown
from harness.results import Run
from harness.reuse import Distribution
from harness.scenario import Scenario
from tests.conftest import fake_scenario

pytestmark = pytest.mark.usefixtures("_own_cache")
DRAWS = 200
SPEAKERS = "speaker_preregistration"
LIFE = {"distribution": "zipf", "items": 40, "exponent": 0.9, "requests": 200, "seed": 3}
KNOWN = 3


@pytest.mark.parametrize(("distribution", "items"), [("zipf", 1), ("zipf", 500), ("uniform", 1), ("uniform", 500)])
def test_a_popularity_is_a_distribution_that_falls_with_the_rank(distribution: Distribution, items: int) -> None:
    found = reuse.popularity(distribution, items, 1.2)
    assert found.shape == (items,)
    assert found.sum() == pytest.approx(1.0)
    assert (np.diff(found) <= 0).all()


def test_popularities_are_what_their_names_say() -> None:
    assert reuse.popularity("zipf", 3, 1.0) == pytest.approx([6 / 11, 3 / 11, 2 / 11])
    assert reuse.popularity("zipf", 2, 2.0) == pytest.approx([0.8, 0.2])
    assert reuse.popularity("uniform", 4, 2.0) == pytest.approx([0.25] * 4)


def test_the_expected_hit_rate_of_small_cases_is_that_of_counting() -> None:
    half = reuse.popularity("uniform", 2)
    assert reuse.expected_hit_rate(half, 1) == pytest.approx(0.0)
    assert reuse.expected_hit_rate(half, 2) == pytest.approx(0.25), (
        "both alike in 1 of 2 pairs, of which the second hits"
    )
    assert reuse.expected_hit_rate(half, 1, known=1) == pytest.approx(0.5)
    assert reuse.expected_hit_rate(half, 7, known=2) == 1.0
    assert reuse.expected_hit_rate(reuse.popularity("zipf", 1), 4) == pytest.approx(0.75)


popularities = st.builds(
    reuse.popularity,
    st.sampled_from(("zipf", "uniform")),
    st.integers(1, 300),
    st.floats(0.1, 3.0, allow_nan=False),
)


@settings(max_examples=40, deadline=None)
@given(popularities, st.integers(1, 400), st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_the_hit_rate_of_a_simulated_cache_is_the_computed_one(
    probabilities: np.ndarray[Any, np.dtype[np.float64]], requests: int, known: int, seed: int
) -> None:
    expected = reuse.expected_hit_rate(probabilities, requests, known)
    rates = [reuse.draw(probabilities, requests, known, [seed, n]).hit_rate for n in range(DRAWS)]
    error = max(float(np.std(rates)), 0.5 / requests) / math.sqrt(DRAWS)
    assert abs(float(np.mean(rates)) - expected) <= 6 * error, "six standard errors: once in a billion"


@settings(max_examples=60, deadline=None)
@given(popularities, st.integers(1, 200), st.integers(0, 8), st.integers(0, 2**32 - 1))
def test_drawn_hits_are_those_of_a_set_that_keeps_all(
    probabilities: np.ndarray[Any, np.dtype[np.float64]], requests: int, known: int, seed: int
) -> None:
    drawn = reuse.draw(probabilities, requests, known, seed)
    kept = set(range(known))
    for item, hit in zip(drawn.items.tolist(), drawn.hits.tolist(), strict=True):
        assert 0 <= item < len(probabilities)
        assert hit == (item in kept)
        kept.add(item)


@settings(max_examples=60, deadline=None)
@given(popularities, st.integers(1, 300), st.integers(0, 6))
def test_a_hit_rate_is_a_share_and_rises_with_what_is_known_and_with_the_requests(
    probabilities: np.ndarray[Any, np.dtype[np.float64]], requests: int, known: int
) -> None:
    found = reuse.expected_hit_rate(probabilities, requests, known)
    assert -1e-9 <= found <= 1 + 1e-9
    assert reuse.expected_hit_rate(probabilities, requests, known + 1) >= found - 1e-9
    assert reuse.expected_hit_rate(probabilities, requests + 1, known) >= found - 1e-9


def scenario(**changes: Any) -> Scenario:
    speakers = {"count": KNOWN, "reuse": {**LIFE, **changes}}
    return fake_scenario(
        workload={"texts": {"zh": "你好", "en": "hello"}, "seeds": 2, "concurrency": [1, 2], "speakers": speakers}
    )


def test_shares_of_kinds_are_those_that_are_expected() -> None:
    made = scenario()
    rate = reuse.expected_hit_rate(reuse.popularity("zipf", 40, 0.9), 200, KNOWN)
    strata = workload.strata(made)
    assert sum(strata.values()) == pytest.approx(1.0)
    assert sum(share for name, share in strata.items() if not name.endswith("new speaker")) == pytest.approx(rate)
    assert made.workload.repeat == pytest.approx(rate)


def test_the_blocks_of_a_life_hit_as_often_as_it_was_drawn_and_every_life_is_alike() -> None:
    made = scenario()
    life = made.workload.speakers.reuse
    assert life is not None
    drawn = life.drawn(KNOWN)
    new = [workload.is_new(workload.request(made, block)) for block in range(2 * life.requests)]
    assert new[: life.requests] == new[life.requests :]
    assert sum(new[: life.requests]) == int((~drawn.hits).sum())
    assert sum(new[:100]) > 0, "misses are not all at the begin of a life, nor hits at its end"
    assert not all(new[100:])


def test_speakers_that_are_asked_for_more_often_are_spoken_by_more_often_and_new_ones_once() -> None:
    made = scenario()
    blocks = [workload.request(made, block) for block in range(200)]
    known = Counter(r.speaker.id for r in blocks if not workload.is_new(r))
    assert set(known) == {speaker.id for speaker in workload.speakers(made)}
    popular = workload.speakers(made)[0].id
    assert known[popular] == max(known.values())
    new = [r.speaker.digest for r in blocks if workload.is_new(r)]
    assert len(set(new)) == len(new)
    kinds = Counter((r.stratum, r.seed) for r in blocks if not workload.is_new(r))
    assert max(kinds.values()) - min(kinds.values()) <= 1, "texts, concurrency and seeds take turns"
    assert all(r in workload.requests(made) for r in blocks if not workload.is_new(r))


def test_another_seed_draws_other_requests_of_the_same_expected_rate() -> None:
    one, other = scenario(), scenario(seed=4)
    assert one.workload.repeat == other.workload.repeat
    ids = [[workload.request(made, block).id for block in range(100)] for made in (one, other)]
    assert ids[0] != ids[1]
    assert ids[0] == [workload.request(scenario(), block).id for block in range(100)]


def test_a_replay_is_the_life_in_its_order_each_speaker_by_one_voice() -> None:
    made = scenario()
    life = made.workload.speakers.reuse
    assert life is not None
    items = life.drawn(KNOWN).items[:50].tolist()
    voices = [r.speaker.digest for r in workload.replay(made, 50)]
    assert len(set(zip(items, voices, strict=True))) == len(set(items)) == len(set(voices))
    registered = [speaker.digest for speaker in workload.speakers(made)]
    assert all(
        (voice == registered[item]) if item < KNOWN else voice not in registered
        for item, voice in zip(items, voices, strict=True)
    )
    assert workload.replay(fake_scenario(), 5) == ()


def test_a_scenario_that_states_reuse_survives_run_json() -> None:
    made = scenario()
    again = Scenario.from_data(made.as_data())
    assert again.workload == made.workload


MODEL = {
    "counts_misses": True, "noise": 0.005, "seed": 3, "effects": {SPEAKERS: -0.3}, "misses": {SPEAKERS: 0.1}, "entry_bytes": {SPEAKERS: 4096},
}  # fmt: skip


@pytest.fixture
def measured(measure_fake: Callable[..., Run]) -> Run:
    keys = {"texts": {"en": "hello"}, "speakers": {"count": KNOWN, "reuse": LIFE}}
    return measure_fake(
        model=MODEL, workload=keys, optimizations={SPEAKERS: True}, measure={"budget": "6s", "metrics": ["latency"]}
    )


def test_the_stated_rate_is_expected_drawn_timed_and_witnessed(measured: Run, tmp_path: Path) -> None:
    (found,) = measured.caches
    expected = reuse.expected_hit_rate(reuse.popularity("zipf", 40, 0.9), 200, KNOWN)
    drawn = reuse.draw(reuse.popularity("zipf", 40, 0.9), 200, KNOWN, 3)
    assert found.stated_rate == pytest.approx(expected)
    assert found.drawn_rate == drawn.hit_rate
    assert found.timed_rate == pytest.approx(drawn.hit_rate, abs=0.2)
    change = {at.rate: at for at in found.at}[found.stated_rate]
    assert change.change_s == pytest.approx(0.05 * (expected * -0.3 + (1 - expected) * 0.1), abs=0.001)
    (replay,) = measured.replays
    assert (replay.requests, replay.hits, replay.drawn) == (24, int(drawn.hits[:24].sum()), int(drawn.hits[:24].sum()))
    assert 0 < (replay.hits or 0) < 24
    assert replay.expected == pytest.approx(24 * reuse.expected_hit_rate(reuse.popularity("zipf", 40, 0.9), 24, KNOWN))
    assert not [f for f in measured.findings if f.kind == "reuse"]
    assert store.load(tmp_path / "run").replays == measured.replays


def test_page_and_markdown_say_what_was_stated_and_what_was_witnessed(measured: Run) -> None:
    page, text = html(measured), markdown(measured)
    for told in (page, text):
        plain = told.replace("\u202f", " ").replace("\\", "")
        assert "by the popularity that the scenario states (Zipf with exponent 0.9, over 40 speakers)" in plain
        assert "Of the first 24, made untimed in their order, its witness saw" in plain
    assert "指数为 0.9 的 Zipf 分布" in html(measured, language="zh")


def test_a_cache_that_loses_entries_is_a_finding(measured: Run) -> None:
    (replay,) = measured.replays
    lost = replay.drawn - 2
    losing = compare.evaluate(replace(measured, replays=(replace(replay, hits=lost),)))
    (found,) = [f for f in losing.findings if f.kind == "reuse"]
    assert f"{SPEAKERS} ({lost} of 24, drawn {replay.drawn})" in found.message


LIVED = {
    "workload": {"texts": {"en": "hello"}, "speakers": {"count": KNOWN, "reuse": LIFE}}, "optimizations": {SPEAKERS: True},
    "measure": {"budget": "2s", "metrics": ["latency"]},
}  # fmt: skip


@pytest.mark.parametrize("declared", [True, False], ids=["a witness that did not move", "a witness of something else"])
def test_a_witness_that_is_not_shown_to_count_misses_tells_of_no_hits(
    measure_fake: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    declared: bool,  # noqa: FBT001  a column of a table
) -> None:
    if not declared:
        monkeypatch.setattr(examination, "named", witnessed_after)
    run = measure_fake(model={**MODEL, "counts_misses": not declared}, **LIVED)
    (replay,) = run.replays
    assert (replay.requests, replay.hits) == (24, None)
    assert not [f for f in run.findings if f.kind == "reuse"]
    for told in (html(run), markdown(run)):
        assert "was not witnessed: nothing shows that its witness counts misses" in told.replace("\\", "")
        assert "its witness saw" not in told


def witnessed_after(name: str) -> Optimization:
    """A toggle whose witness counts what is only done after."""
    found = named(name)
    return replace(found, witness=replace(found.witness, before="none", after="every request"))


def test_the_plan_of_memory_alone_speaks_of_no_blocks() -> None:
    timed, alone = io.StringIO(), io.StringIO()
    for text, metric in ((timed, "latency"), (alone, "rss_peak")):
        outline = planning.outline(fake_scenario(measure={"metrics": [metric]}), "cpu", None, None)
        outlook.show_outline(outline, Console(file=text, width=200), "fake")
    assert "a block has" in timed.getvalue()
    assert "a block has" not in alone.getvalue()
    assert "no time is measured" in alone.getvalue()


def test_the_plan_says_how_many_requests_are_expected_to_return() -> None:
    text = io.StringIO()
    outlook.show_outline(planning.outline(scenario(), "cpu", None, None), Console(file=text, width=200), "fake")
    rate = reuse.expected_hit_rate(reuse.popularity("zipf", 40, 0.9), 200, KNOWN)
    assert f"{100 * rate:.1f}\u202f% of requests are expected to return" in text.getvalue()
    text = io.StringIO()
    outlook.show_outline(planning.outline(fake_scenario(), "cpu", None, None), Console(file=text, width=200), "fake")
    assert "expected to return" not in text.getvalue()


def test_runs_without_a_popularity_replay_nothing(measure_fake: Callable[..., Run]) -> None:
    keys = {"texts": {"en": "hello"}, "speakers": {"count": KNOWN, "repeat": 0.5}}
    run = measure_fake(
        model=MODEL, workload=keys, optimizations={SPEAKERS: True}, measure={"budget": "2s", "metrics": ["latency"]}
    )
    assert run.replays == ()
    assert (run.caches[0].drawn_rate, run.caches[0].timed_rate) == (None, None)
