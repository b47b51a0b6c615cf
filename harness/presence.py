"""Toggles that the measured code has already: their code before was put back to be measured, and none of it is a gain to be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness import units
from harness.evidence import Evidence
from harness.metrics import metric
from harness.results import TOGETHER, Contrast, Finding
from harness.rules import FROM_FIGURES
from harness.toggling import toggle_of
from harness.worker.checkout.toggles.toggle import NOT_PUT_BACK

KIND = "already present"
"""The kind of what is found here."""


def told_present(evidence: Evidence, contrasts: Iterable[Contrast]) -> list[Contrast]:
    """The contrasts, those of toggles that the code has as `already present`, with what was measured in the reason."""
    present = evidence.run.plan.already_present
    return [_told(contrast, present.get(toggle_of(contrast.optimization), "")) for contrast in contrasts]


def _told(contrast: Contrast, where: str) -> Contrast:
    """An inert one counts where the code before is not put back: both its sides are the code as it stands."""
    if where and contrast.verdict in (*FROM_FIGURES, "inconclusive"):
        return replace(contrast, verdict="already present", reason=f"{where}; {_measured(contrast)}")
    if where.endswith(NOT_PUT_BACK) and contrast.verdict == "inert":
        return replace(contrast, verdict="already present", reason=f"{where}, so that there is nothing to compare")
    return contrast


def _measured(contrast: Contrast) -> str:
    """What the code's own toggle is worth, against the code before, put back."""
    name = metric(contrast.metric).title
    said = f"against the code before, put back by a patch: {contrast.verdict}"
    if contrast.ratio is None or contrast.ratio_low is None or contrast.ratio_high is None:
        return said
    low, high = (units.signed_percent(ratio - 1) for ratio in (contrast.ratio_low, contrast.ratio_high))
    return f"{said} in {name} ({low} to {high})"


def findings(evidence: Evidence) -> Iterator[Finding]:
    """What the arms are, where some of the toggles stand in the code already."""
    present = evidence.run.plan.already_present
    named = [name for name in evidence.arms[evidence.reference].states if name in present]
    if not named:
        return
    message = (
        f"The measured code has {', '.join(named)} already. Arms without {'it' if len(named) == 1 else 'them'} have the code "
        f"before, put back by a patch where that can be done; so what {TOGETHER} gains over none is more than this code can gain."
    )
    yield Finding(kind=KIND, device=evidence.device, message=message)
