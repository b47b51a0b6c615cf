"""Does the output still hold? Grades of agreement between two outputs, from equal bits down to changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.optimizations.registry import Check
from harness.results import Grade

TOLERANCE = 1e-4
"""Largest absolute difference of samples (full scale 1) that is still graded "tolerance"; about -80 dB."""
SPECTRAL_DB = 1.0
"""Largest log-mel distance that is still graded "spectral"."""

ORDER: tuple[Grade, ...] = ("bitwise", "tolerance", "spectral", "words", "changed")
"""Grades from best to worst."""
_FRAME, _HOP, _BANDS = 1024, 256, 40


def grade(
    before: NDArray[np.float32], after: NDArray[np.float32], tokens_before: Sequence[int], tokens_after: Sequence[int]
) -> tuple[Grade, float | None]:
    """The best grade that holds, and its figure: 0 for bitwise, a sample difference, or a distance in dB.

    Speech tokens come first: other tokens are another utterance, graded "changed" whatever the audio.
    """
    if before.shape != after.shape:
        return "changed", None
    if list(tokens_before) != list(tokens_after):
        return "changed", log_mel_distance_db(before, after)
    if before.tobytes() == after.tobytes():
        return "bitwise", 0.0
    difference = float(np.max(np.abs(before.astype(np.float64) - after)))
    if difference <= TOLERANCE:
        return "tolerance", difference
    distance = log_mel_distance_db(before, after)
    return ("spectral" if distance <= SPECTRAL_DB else "changed"), distance


def accepted(found: Grade, bound: float | None, check: Check) -> bool:
    """Whether a found grade meets the check that a toggle declares."""
    if found == "changed":
        return False
    if ORDER.index(found) < ORDER.index(check.grade):
        return True
    return found == check.grade and bound is not None and bound <= check.bound


def loosened(check: Check, own_difference: Grade) -> Check:
    """`check`, but no stricter than what the reference keeps to itself in another process (grade `own_difference`).

    Where a device does not repeat itself to the bit, no toggle can be asked to. A reference whose twin is "changed"
    excuses nothing.
    """
    limits: Mapping[Grade, float] = {"tolerance": TOLERANCE, "spectral": SPECTRAL_DB}
    if own_difference not in limits or ORDER.index(own_difference) <= ORDER.index(check.grade):
        return check
    reason = f"the reference's own difference between two processes is graded {own_difference}"
    return Check(grade=own_difference, bound=limits[own_difference], reason=reason)


def log_mel_distance_db(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Root mean square difference of two log spectra in dB, over frames and bands spaced like mels; inputs [samples]."""
    first, second = _log_bands_db(before), _log_bands_db(after)
    return float(np.sqrt(np.mean((first - second) ** 2)))


def _log_bands_db(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    padded = np.pad(audio.astype(np.float64), (0, max(0, _FRAME - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.unique(np.geomspace(2, power.shape[1], _BANDS + 1).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    return np.asarray(10 * np.log10(bands + 1e-8))
