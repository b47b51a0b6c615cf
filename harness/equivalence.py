"""Does the output still hold? Grades of agreement between two outputs, from equal bits down to changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.optimizations.registry import BITWISE, Check
from harness.toggling import Grade

TOLERANCE = 1e-4
"""Largest absolute difference of samples (full scale 1) that is still graded "tolerance"; about -80 dB."""
SPECTRAL_DB = 1.0
"""Largest log-mel distance that is still graded "spectral"."""
RESIDUAL_DB = -30.0
"""Most energy, relative to the reference's, that the difference of samples may have to be graded "spectral": spectra do
not see an inverted polarity, nor a spell that is short."""
OWN_TIMES, OWN_LEAST = 2.0, 1e-6
"""Where the reference does not repeat itself, a toggle may differ by this many times the most that the same code does, and sound by so
much at least: a thirtieth of a step of 16 bits."""
RARELY_TIMES, RARELY_LEAST = 10.0, 1e-3
"""The same of its one output that differs most, where it spoke often: what is rare may be larger than any of few that were heard."""
WORDS = 0.05
"""Largest growth of the word error rate, as a share of the words, with which an utterance says the same."""
QUALITY = 0.3
"""Largest fall of the estimated opinion score, of 1 to 5, with which an utterance sounds as good."""
VOICE = 0.85
"""Least likeness of two voices, as the cosine of their vectors, with which the same words are said by the same speaker."""

ORDER: tuple[Grade, ...] = ("bitwise", "tolerance", "spectral", "words", "changed")
"""Grades from best to worst."""
_FRAME, _HOP, _BANDS = 1024, 256, 40


def grade(
    before: NDArray[Any],
    after: NDArray[Any],
    tokens_before: Sequence[Any],
    tokens_after: Sequence[Any],
    check: Check = BITWISE,
    *,
    sound: bool = True,
    rates_hz: tuple[int, int] = (0, 0),
) -> tuple[Grade, float | None]:
    """The best grade that holds, and its figure: 0 for bitwise, a sample difference, or a distance in dB.

    Speech tokens come first: other tokens are another utterance, graded "changed" whatever the audio. A bound of `check`
    that is wider than that of its grade stands in its place. "changed" has no figure where lengths or rates differ, or
    where samples are not finite. Numbers that are no `sound` have no spectrum: beyond "tolerance", which is then of numbers of any
    scale, they are "changed" by the largest difference. The same samples at another rate, of `rates_hz` (before, after), are
    another sound.
    """
    if before.shape != after.shape or rates_hz[0] != rates_hz[1]:
        return "changed", None
    finite = bool(np.isfinite(before).all() and np.isfinite(after).all())
    if list(tokens_before) != list(tokens_after):
        return "changed", log_mel_distance_db(before, after) if finite and sound else None
    if before.tobytes() == after.tobytes():
        return "bitwise", 0.0
    if not finite:
        return "changed", None
    difference = largest_difference(before, after)
    if difference <= _widest("tolerance", TOLERANCE, check):
        return "tolerance", difference
    return _by_spectrum(before, after, check) if sound else ("changed", difference)


def _by_spectrum(before: NDArray[Any], after: NDArray[Any], check: Check) -> tuple[Grade, float]:
    distance = log_mel_distance_db(before, after)
    alike = distance <= _widest("spectral", SPECTRAL_DB, check) and residual_db(before, after) <= RESIDUAL_DB
    return ("spectral" if alike else "changed"), distance


def _widest(of: Grade, limit: float, check: Check) -> float:
    return max(limit, check.bound) if check.grade == of else limit


def check_of(asked: Grade) -> Check:
    """The check that asks for `asked`, with the bound that the grade has; not for "changed", which no check accepts."""
    bounds = {"bitwise": 0.0, "tolerance": TOLERANCE, "spectral": SPECTRAL_DB, "words": WORDS}
    return Check(grade=asked, bound=bounds[asked])


def accepted(found: Grade, bound: float | None, check: Check) -> bool:
    """Whether a found grade meets the check that a toggle declares."""
    if found == "changed":
        return False
    if ORDER.index(found) < ORDER.index(check.grade):
        return True
    return found == check.grade and bound is not None and bound <= check.bound


def by_words(
    found: Grade, bound: float | None, check: Check, before: float | None, after: float | None
) -> tuple[Grade, float | None]:
    """The grade and its figure when word error rates are known, `before` and `after` as shares; None where they are not.

    Words that are lost make any output "changed". Words that are kept make an output "words", which would be "changed",
    for a toggle that declares no more; the figure is the growth of the word error rate.
    """
    if before is None or after is None:
        return found, bound
    lost = max(0.0, after - before)
    if lost > _widest("words", WORDS, check):
        return _now_changed(found, bound)
    return ("words", lost) if found == "changed" and check.grade == "words" else (found, bound)


def by_sound(
    found: Grade, bound: float | None, quality_before: float | None, quality_after: float | None, voice: float | None
) -> tuple[Grade, float | None]:
    """The grade and its figure when quality, as an opinion score, and likeness of the voices are known; None where not.

    What sounds worse, or like somebody else, is "changed" whatever its samples and words say. Neither makes a grade better.
    """
    if quality_before is None or quality_after is None or voice is None:
        return found, bound
    is_worse = quality_before - quality_after > QUALITY or voice < VOICE
    return _now_changed(found, bound) if is_worse else (found, bound)


def _now_changed(found: Grade, bound: float | None) -> tuple[Grade, float | None]:
    """What a listener calls changed, with the figure that "changed" has: a distance of spectra, or none."""
    return "changed", bound if found in ("spectral", "changed") else None


def as_the_same_code(differences: Sequence[float], own: Sequence[float], *, sound: bool) -> bool:
    """Whether outputs differ from the reference's no more than those of the same code do, of a reference that does not repeat itself.

    `differences` are those of an arm's outputs, `own` of the reference's in other processes or at other times: the largest of
    samples (full scale 1), or of numbers that are no `sound`; infinite for another output, which, said by the same code, excuses
    nothing. The middle one of the arm's is held to twice the most that the same code differs, and the largest to ten times that.
    """
    most = max(own, default=0.0)
    if not np.isfinite(most):
        return False
    ordered = sorted(differences)
    least, rarely = (OWN_LEAST, RARELY_LEAST) if sound else (0.0, 0.0)
    middle, largest = ordered[len(ordered) // 2], ordered[-1]
    return middle <= max(OWN_TIMES * most, least) and largest <= max(RARELY_TIMES * most, rarely)


def largest_difference(before: NDArray[Any], after: NDArray[Any]) -> float:
    """The largest absolute difference of two outputs; infinite where they are not of one length, or not finite."""
    if before.shape != after.shape or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return np.inf
    return float(np.max(np.abs(before.astype(np.float64) - after), initial=0.0))


def residual_db(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Energy of the difference of samples relative to that of `before`, in dB; inputs [samples]."""
    reference = before.astype(np.float64)
    energy, residual = float(np.sum(reference**2)), float(np.sum((after - reference) ** 2))
    if residual == 0:
        return -np.inf
    return float(10 * np.log10(residual / energy)) if energy else np.inf


def log_mel_distance_db(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Root mean square difference of two log spectra in dB, over frames and bands spaced like mels; inputs [samples]."""
    first, second = _log_bands_db(before), _log_bands_db(after)
    return float(np.sqrt(np.mean((first - second) ** 2)))


def _log_bands_db(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    partial = -len(audio) % _HOP  # the last samples, too, must come to the middle of a frame, where its window is open
    padded = np.pad(audio.astype(np.float64), (_FRAME // 2, _FRAME // 2 + partial))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.unique(np.geomspace(2, power.shape[1], _BANDS + 1).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    return np.asarray(10 * np.log10(bands + 1e-8))
