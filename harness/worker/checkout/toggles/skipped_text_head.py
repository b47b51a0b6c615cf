"""The text head of the target's language model, whose scores nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..code import methods, names
from ..counting import Probe, calls
from ..patches import Patch
from .toggle import Toggle

STATES, LAST, SCORES = "hidden_states", "last_hidden_state", "logits"
"""What a step reads of the model's outputs: with the head that of every layer, without it the last; the head's scores."""
OF_THE_HEAD = ("output_hidden_states", "labels", "logits_to_keep", "num_logits_to_keep")
"""Arguments that the layers alone do not take, or need not."""


class Step:
    """What a decoding step reads of the language model: the last layer's output, and keys and values."""

    def __init__(self, outputs: Any) -> None:
        self.last_hidden_state = outputs.last_hidden_state
        self.hidden_states = (outputs.last_hidden_state,)
        self.past_key_values = outputs.past_key_values


def without_head(causal: Any) -> Callable[..., Step]:
    """A forward of the layers alone; `causal` is a causal language model as transformers has them."""
    layers = causal.base_model

    def forward(*args: Any, **given: Any) -> Step:
        taken = {name: value for name, value in given.items() if name not in OF_THE_HEAD}
        return Step(layers(*args, **{**taken, "return_dict": True}))

    return forward


def with_head(causal: Any) -> Callable[[Any], Any]:
    """Makes of the layers' forward one that computes the scores of the text vocabulary too, and drops them."""

    def made(forward: Any) -> Any:
        def layers(*args: Any, **given: Any) -> Any:
            outputs = forward(*args, **given)
            causal.get_output_embeddings()(outputs[0])
            return outputs

        return layers

    return made


class SkippedTextHead(Toggle):
    """After, the language model's forward is that of its layers. Where the code calls the layers already, before has the head."""

    def lacks(self) -> str:
        held = self._held()
        of = type(self.code.engine.llm).__name__
        if held is None:
            return f"no part of {of} holds a causal language model with a text head"
        holder, _ = held
        if hasattr(self.code.engine.llm, "vllm"):
            return f"{of} hands its decoding to vLLM"
        if SCORES in self._read(holder):
            return f"{type(holder).__name__} reads the scores of the text head"
        return "" if self._read(holder) & {STATES, LAST} else f"{type(holder).__name__} reads no hidden state"

    def present(self) -> str:
        holder, _ = self._held()
        read = self._read(holder)
        return f"{type(holder).__name__} reads {LAST}, which the layers alone give" if STATES not in read else ""

    def before(self, arm: Any) -> list[Patch]:
        if not self.present():
            return []
        causal = self._causal()
        return [Patch.around(causal.base_model, "forward", with_head(causal))]

    def after(self, arm: Any, **_: Any) -> list[Patch]:
        causal = self._causal()
        return [] if self.present() else [Patch(causal, "forward", without_head(causal))]

    def probe(self, **_: Any) -> Probe:
        held = self._held()
        return calls() if held is None else calls((held[1].get_output_embeddings(), "forward"))

    def _causal(self) -> Any:
        return self._held()[1]

    def _held(self) -> Any:
        """The part of the language model that holds a causal one with a head, and that one; None where there is none."""
        llm = self.code.engine.llm
        for holder in llm.modules() if hasattr(llm, "modules") else ():
            for part in holder.children():
                head = getattr(part, "get_output_embeddings", lambda: None)()
                if head is not None and getattr(part, "base_model", part) is not part:
                    return holder, part
        return None

    @staticmethod
    def _read(holder: Any) -> set[str]:
        """What the methods of the part that runs the steps mention."""
        return {name for method in methods(type(holder)).values() if _runs_steps(method) for name in names(method)}


def _runs_steps(method: Any) -> bool:
    """Whether a method passes keys and values on from step to step."""
    return "past_key_values" in names(method) or "past_key_values" in str(method.__code__.co_consts)


TOGGLE = SkippedTextHead
