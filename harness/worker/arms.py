"""The arms that a worker holds, as it knows them: a name, and the state of every toggle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Union

State = Union[bool, Mapping[str, Any]]
"""A toggle's state: False = before, True = after with its defaults, a mapping = after with these parameters."""

HOST_DOSE, HEAD_DOSE, DEVICE_DOSE = "host_dose", "host_dose@head", "device_dose"
UNINSTRUMENTED, SPANS_REPEATED = "uninstrumented", "spans_repeated"
"""Names of the arms that a worker treats in a way of their own: three are delayed, the second being a gate's head, to the stages of
the fourth nobody listens, and each stage of the fifth is listened to `SPAN_REPEATS` times.
"""
SPAN_REPEATS = 200


class Arm(Protocol):
    """One full assignment of the toggles. `results.Arm` says more of it, which is no business of a worker."""

    @property
    def name(self) -> str: ...

    @property
    def states(self) -> Mapping[str, State]: ...


@dataclass(frozen=True)
class NamedStates:
    """An arm as the runner sends it."""

    name: str
    states: Mapping[str, State]
