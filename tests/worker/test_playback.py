"""The simulated player, against independent formulas."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.worker.playback import first_audio_ns, playback

RATE_HZ = 1000  # a sample lasts a millisecond, so that every duration is a whole number of nanoseconds
MS = 1_000_000

chunk_lists = st.lists(
    st.tuples(st.integers(0, 10_000 * MS), st.integers(1, 5_000)), min_size=1, max_size=30
)  # wait before the chunk in ns, samples


def streams(chunks: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return list(accumulate(wait for wait, _ in chunks)), [samples for _, samples in chunks]


def test_chunks_in_time_play_without_a_break() -> None:
    heard = playback([0, 90 * MS, 210 * MS], [100, 200, 50], RATE_HZ)
    assert (heard.longest_gap_s, heard.underruns, heard.stall_s) == (0.12, 0, 0.0)


def test_a_late_chunk_is_heard_as_silence_until_it_arrives() -> None:
    heard = playback([0, 130 * MS, 200 * MS, 500 * MS], [100, 100, 100, 100], RATE_HZ)
    assert heard.underruns == 2
    assert heard.stall_s == pytest.approx(0.03 + 0.17)
    assert heard.longest_gap_s == 0.3


def test_a_chunk_that_arrives_as_the_player_runs_dry_is_in_time() -> None:
    assert playback([0, 100 * MS], [100, 1], RATE_HZ).underruns == 0


def test_one_chunk_has_no_gap_and_cannot_run_dry() -> None:
    heard = playback([7], [100], RATE_HZ)
    assert (heard.longest_gap_s, heard.underruns, heard.stall_s) == (None, 0, 0.0)


def test_a_chunk_without_samples_ends_no_silence() -> None:
    with_empty = playback([0, 150 * MS, 300 * MS], [100, 0, 100], RATE_HZ)
    assert with_empty == playback([0, 300 * MS], [100, 100], RATE_HZ)


@pytest.mark.parametrize(
    ("arrivals", "samples", "said"),
    [
        ([], [], "nothing was played"),
        ([0], [0], "nothing was played"),
        ([5, 4], [1, 1], "backwards"),
        ([0], [], "1 arrivals, but 0 counts"),
    ],
)
def test_what_cannot_be_played_is_refused(arrivals: list[int], samples: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        playback(arrivals, samples, RATE_HZ)


@given(chunk_lists)
def test_silence_is_what_a_player_would_have_had_to_wait_before_it_started(chunks: list[tuple[int, int]]) -> None:
    arrivals, samples = streams(chunks)
    played_before = [0, *accumulate(samples)]
    head_start_ns = max(
        arrival - arrivals[0] - played * MS for arrival, played in zip(arrivals, played_before, strict=False)
    )
    heard = playback(arrivals, samples, RATE_HZ)
    assert heard.stall_s == pytest.approx(head_start_ns / 1e9, rel=1e-12)
    assert (heard.underruns > 0) == (head_start_ns > 0)


@given(chunk_lists, st.integers(0, 10**15))
def test_the_first_wait_is_not_the_players(chunks: list[tuple[int, int]], shift_ns: int) -> None:
    arrivals, samples = streams(chunks)
    assert playback([arrival + shift_ns for arrival in arrivals], samples, RATE_HZ) == playback(
        arrivals, samples, RATE_HZ
    )


@given(chunk_lists, st.integers(0, 10**12))
def test_delaying_the_last_chunk_never_makes_less_silence(chunks: list[tuple[int, int]], delay_ns: int) -> None:
    arrivals, samples = streams(chunks)
    prompt, late = (
        playback(arrivals, samples, RATE_HZ),
        playback([*arrivals[:-1], arrivals[-1] + delay_ns], samples, RATE_HZ),
    )
    assert late.stall_s >= prompt.stall_s or len(chunks) == 1


@given(chunk_lists)
def test_everything_at_once_never_runs_dry(chunks: list[tuple[int, int]]) -> None:
    heard = playback([0] * len(chunks), [samples for _, samples in chunks], RATE_HZ)
    assert (heard.underruns, heard.stall_s) == (0, 0.0)


def test_the_first_audio_is_that_of_the_first_chunk_with_samples() -> None:
    assert first_audio_ns([(1, 0), (5, 3), (9, 2)], 20) == 5
    assert first_audio_ns([(1, 0)], 20) == 20
    assert first_audio_ns([], 20) == 20
