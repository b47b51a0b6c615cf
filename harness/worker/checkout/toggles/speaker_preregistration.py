"""Speakers that are registered: `add_zero_shot_spk`, and requests by `zero_shot_spk_id`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..counting import Probe, calls
from ..patches import Patch
from .toggle import Toggle

REGISTER = "add_zero_shot_spk"
SPEAKER_ID = "zero_shot_spk_id"
EXTRACTOR = "_extract_spk_embedding"


class Copies(dict):  # type: ignore[type-arg]  # of whatever the front end keeps of a speaker
    """Registered speakers, handed out as copies: the front end of some versions deletes from what it is handed."""

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return dict(found) if isinstance(found, dict) else found


class SpeakerPreregistration(Toggle):
    """After, the facade registers every known speaker while the pipeline is built, and requests name them."""

    def lacks(self) -> str:
        of = type(self.code.facade).__name__
        if not hasattr(self.code.facade, REGISTER):
            return f"{of} has no {REGISTER}, so that a speaker cannot be registered"
        method = getattr(self.code.facade, "inference_zero_shot", None)
        if method is None or SPEAKER_ID not in inspect.signature(method).parameters:
            return f"{of}.inference_zero_shot takes no {SPEAKER_ID}"
        return (
            "" if isinstance(getattr(self.code.front_end, "spk2info", None), dict) else "the front end has no spk2info"
        )

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        arm.registers = True
        arm.front_end.spk2info = Copies(arm.front_end.spk2info)
        return []

    def prepare(self, arm: Any, speakers: Sequence[Any], recordings: Any) -> None:
        if arm.registers:
            for speaker in speakers:
                arm.register(speaker, recordings)

    def probe(self, **_: Any) -> Probe:
        return calls((type(self.code.front_end), EXTRACTOR))


TOGGLE = SpeakerPreregistration
