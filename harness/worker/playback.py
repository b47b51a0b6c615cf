"""What a listener hears of a streamed request: a player that starts at the first chunk, simulated from arrival times.

The player holds all audio that has arrived and not been played. When it runs dry while more is to come, it is silent
until the next chunk arrives, and plays that at once. Pure: integers in, so that nothing is lost to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Playback:
    """`longest_gap_s` between two arrivals (None where there is one chunk), how often the player ran dry, and how long
    it was silent in all after it had started.
    """

    longest_gap_s: float | None
    underruns: int
    stall_s: float


def playback(arrivals_ns: Sequence[int], samples: Sequence[int], sample_rate_hz: int) -> Playback:
    """Play chunk after chunk: `arrivals_ns` on one clock, never falling, and as many counts of `samples`.

    A chunk without samples is no arrival: it ends no silence. Raises ValueError where the two differ in length, time
    runs backwards, or there is nothing to play.
    """
    if len(arrivals_ns) != len(samples):
        message = f"{len(arrivals_ns)} arrivals, but {len(samples)} counts of samples"
        raise ValueError(message)
    chunks = [(arrival, count) for arrival, count in zip(arrivals_ns, samples) if count]
    if not chunks:
        message = "nothing was played: no chunk has samples"
        raise ValueError(message)
    waits_ns = [after - before for (before, _), (after, _) in zip(chunks, chunks[1:])]
    if any(wait < 0 for wait in waits_ns):
        message = "arrivals run backwards in time"
        raise ValueError(message)
    underruns, silent = 0, 0
    ahead = 0  # sound that has arrived and not been played, in billionths of a sample, as are all times from here on
    for wait_ns, (_, count) in zip(waits_ns, chunks):
        ahead += count * 10**9 - wait_ns * sample_rate_hz
        if ahead < 0:
            underruns += 1
            silent -= ahead
            ahead = 0
    return Playback(
        longest_gap_s=max(waits_ns) / 1e9 if waits_ns else None,
        underruns=underruns,
        stall_s=silent / (sample_rate_hz * 1e9),
    )


def first_audio_ns(chunks: Sequence[tuple[int, int]], end_ns: int) -> int:
    """When the first of `chunks` (arrival in ns, samples) with any samples arrived; `end_ns` where none has."""
    return next((arrival_ns for arrival_ns, samples in chunks if samples), end_ns)
