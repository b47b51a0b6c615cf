"""Stage spans of a target: its parts' methods, wrapped while a request runs, tell the listener where time goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from .host import span
from .patches import Patch

FRONT_END = {
    "text_normalize": ("frontend", "frontend.text"),
    "frontend_sft": ("frontend",),
    "frontend_zero_shot": ("frontend",),
    "frontend_cross_lingual": ("frontend",),
    "frontend_vc": ("frontend",),
    "_extract_text_token": ("frontend.tokenize",),
    "_extract_speech_token": ("frontend.speech_tokens",),
    "_extract_speech_feat": ("frontend.mel",),
    "_extract_spk_embedding": ("frontend.embedding",),
}
"""Method of the front end -> the stages that it is, outermost first; those that a front end lacks are not heard of."""


class Stages:
    """Makes the patches. A stage within itself (one method of the front end calls another) counts once."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def patches(self, front_end: Any, flow: Any, vocoder: Any) -> list[Patch]:
        """Spans around the methods of these parts."""
        heard = [(front_end, name, stages) for name, stages in FRONT_END.items() if hasattr(front_end, name)]
        heard += [(flow, "inference", ("flow",)), (vocoder, "inference", ("vocoder",))]
        return [Patch.around(owner, name, self._within(stages)) for owner, name, stages in heard]

    def _within(self, stages: tuple[str, ...]) -> Callable[[Any], Any]:
        def timed(method: Any) -> Any:
            @wraps(method)
            def call(*args: Any, **kwargs: Any) -> Any:
                entered = [stage for stage in stages if stage not in self._open]
                self._open.update(entered)
                try:
                    with ExitStack() as spans:
                        for stage in entered:
                            spans.enter_context(span(stage))
                        return method(*args, **kwargs)
                finally:
                    self._open.difference_update(entered)

            return call

        return timed
