"""`workload:` in a scenario: texts, prompts, speakers, seeds. `harness.workload` makes requests of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from harness.scenario.keys import Keys
from harness.scenario.problems import refuse
from harness.scenario.quantities import Seconds
from harness.scenario.scalars import (
    BUILTIN,
    BUILTIN_PROMPTS,
    BuiltinPrompt,
    Concurrency,
    Label,
    Modes,
    Number,
    Seed,
    Seeds,
    Stream,
    Text,
    Whole,
    check_text,
    distinct,
    mapping_or_not,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.reuse import Drawn

SHORTEST_S, LONGEST_S = 1.0, 30.0
"""Shorter recordings say too little of a voice; the model's speech tokenizer takes no longer ones."""
MAX_REQUESTS = 10_000
RAREST = 0.0099
"""A run would not meet a rarer kind of request. A little under 0.01, because 1 - 0.99 is a little under 0.01."""


class Recording(Keys):
    """A recording of your own and its words."""

    audio: Text = Field(description="Path of a mono recording of 1 to 30 seconds, relative to the scenario's file.")
    text: Text = Field(description="What it says.")


def _prompt_length(value: float) -> float:
    if not SHORTEST_S <= value <= LONGEST_S:
        refuse(f"found {value:g} s; a prompt lasts {SHORTEST_S:g} to {LONGEST_S:g} s")
    return value


PromptLengths = Annotated[
    tuple[Annotated[Seconds, AfterValidator(_prompt_length)], ...], Field(min_length=1), AfterValidator(distinct)
]
Prompt = Annotated[
    Annotated[BuiltinPrompt, Tag("plain")] | Annotated[Recording, Tag("mapping")], Discriminator(mapping_or_not)
]


class Reuse(Keys):
    """By which popularity requests choose their speaker; the hit rate of a cache of speakers follows from it."""

    distribution: Literal["zipf", "uniform"] = Field(
        description="`zipf`: the speaker of rank k is asked for in proportion to k ** -exponent; `uniform`: all alike."
    )
    items: Annotated[Whole, Field(ge=1, le=1_000_000)] = Field(
        description="Speakers that are asked for in all, the most popular first; the first `count` of them are known beforehand."
    )
    exponent: Annotated[Number, Field(gt=0, le=10)] | SkipJsonSchema[None] = Field(
        default=None, description="The exponent of `zipf`, 1 without it."
    )
    requests: Annotated[Whole, Field(ge=10, le=100_000)] = Field(
        default=1000,
        description="Requests over which the hit rate is stated: as many as a process serves before it starts anew, knowing "
        "the first `count` speakers again.",
    )
    seed: Seed = Field(default=0, description="Seed of the draw.")

    @model_validator(mode="after")
    def _only_zipf_has_an_exponent(self) -> Self:
        if self.distribution == "uniform" and self.exponent is not None:
            refuse("a uniform popularity has no exponent; leave it out, or write distribution: zipf", "exponent")
        return self

    def hit_rate(self, known: int, requests: int | None = None) -> float:
        """The expected share of the first `requests` (by default of all) that find their speaker in a cache that loses none.

        `known` ones are in it at first.
        """
        from harness import reuse  # which needs numpy: scenarios are read without it

        return reuse.expected_hit_rate(self._popularity(), requests or self.requests, known)

    def drawn(self, known: int) -> Drawn:
        """The requests of one life of a process."""
        from harness import reuse

        return reuse.draw(self._popularity(), self.requests, known, self.seed)

    def _popularity(self) -> NDArray[np.float64]:
        from harness import reuse

        return reuse.popularity(self.distribution, self.items, 1.0 if self.exponent is None else self.exponent)


class Speakers(Keys):
    """How many speakers the requests have, and how often one comes back."""

    count: Annotated[Whole, Field(ge=1, le=1000)] | SkipJsonSchema[None] = Field(
        default=None,
        description="Number of speakers; without it, one for each prompt. More speakers than prompts are made from "
        "excerpts of the prompts: the same recording less half a second, cut at different places.",
    )
    repeat: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=1.0,
        description="Share of requests whose speaker was heard before; the others bring a speaker (an excerpt) that "
        "no request had. A cache of speakers is worth what it saves at this rate.",
    )
    reuse: Reuse | SkipJsonSchema[None] = Field(
        default=None,
        description="Instead of `repeat`: the popularity of speakers, from which the share follows (docs/caches.md).",
    )

    @field_validator("repeat")
    @classmethod
    def _both_kinds_come_up(cls, value: float) -> float:
        if 0 < min(value, 1 - value) < RAREST:
            refuse(f"found {value}; allowed: 0, 1, or a share from 0.01 to 0.99, so that both kinds are met in a run")
        return value

    @model_validator(mode="after")
    def _one_of_them_says_how_often(self) -> Self:
        if self.reuse is not None and self.repeat != 1:
            refuse("reuse and repeat both say how often a speaker returns; leave one of them out", "reuse")
        return self


class Workload(Keys):
    """The requests: every text in every mode, by every speaker, with every seed."""

    modes: Modes = Field(
        default=("zero_shot",),
        alias="mode",
        description="One mode of inference, or a list of them; `call` is that of a function of your own.",
    )
    stream: Stream = Field(
        default=False, description="Whether audio is asked for in chunks; `both` has requests of both kinds."
    )
    texts: dict[Label, Text] = Field(
        default={"zh": "builtin:zh-short", "en": "builtin:en-short"},
        min_length=1,
        description="Texts by label: your own words, or `builtin:NAME` for one that comes with the harness. A label "
        "that is `zh` or `en`, or starts with it (`zh-news`), chooses the language of NAME.",
    )
    prompts: Annotated[tuple[Prompt, ...], AfterValidator(distinct)] = Field(
        default=(BUILTIN,),
        description="Recordings whose voice is used: `builtin` (two in Mandarin, from the package s3tokenizer), "
        f"`builtin:NAME` for one of them ({', '.join(BUILTIN_PROMPTS)}), or a recording of your own with its words. A function of your own "
        "(adapter callable) has none unless you give some.",
    )
    prompt_lengths_s: PromptLengths | SkipJsonSchema[None] = Field(
        default=None,
        alias="prompt_lengths",
        description="Lengths to which every prompt is repeated or cut, such as `[2s, 8s]`; each is a speaker of its own. The report "
        "then shows effects over the length of the prompt. For times, not for listening: a prompt is cut in the middle of a word.",
    )
    speakers: Speakers = Field(default=Speakers(), description="Speakers and how often they return.")
    seeds: Seeds = Field(default=(0,), description="Seeds of the sampling: how many, or a list of them.")
    concurrency: Concurrency = Field(
        default=(1,),
        description="Equal requests at the same moment, each in a thread and a pipeline of its own: a number, or a list of "
        "numbers that are each a kind of request.",
    )

    @field_validator("texts")
    @classmethod
    def _builtin_texts_exist(cls, value: dict[str, str]) -> dict[str, str]:
        return {label: check_text(label, text) for label, text in value.items()}

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        requests = len(self.texts) * len(self.modes) * len(self.streams) * len(self.seeds) * self.speaker_count
        requests *= len(self.concurrency)
        if requests > MAX_REQUESTS:
            refuse(f"this makes {requests:,} different requests; at most {MAX_REQUESTS:,} are planned")
        return self

    @model_validator(mode="after")
    def _speakers_are_of_prompts(self) -> Self:
        speakers = self.speakers
        if not self.prompts and (speakers.count is not None or speakers.repeat != 1 or speakers.reuse is not None):
            refuse("speakers are made from prompts, and there are none: give some under workload.prompts", "speakers")
        if not self.prompts and self.prompt_lengths_s:
            refuse("there are no prompts of these lengths: give some under workload.prompts", "prompt_lengths")
        return self

    @model_validator(mode="after")
    def _reuse_has_hits_and_misses(self) -> Self:
        found = self.speakers.reuse
        if found is None:
            return self
        if found.items < self.speaker_count:
            told = f"found {found.items}, and {self.speaker_count} speakers are known beforehand (speakers.count)"
            refuse(f"{told}; allowed: at least as many", "speakers", "reuse", "items")
        rate = found.hit_rate(self.speaker_count)
        if 0 < min(rate, 1 - rate) < RAREST:
            refuse(
                f"{math.floor(1e4 * rate) / 100:.2f} % of the requests would return to a speaker; allowed: from 1 to 99 %, or all, so that both kinds are "
                "met in a run: change items, requests or speakers.count", "speakers", "reuse",
            )  # fmt: skip
        if len(set(found.drawn(self.speaker_count).hits.tolist())) == 1 and 0 < rate < 1:
            refuse("the requests that this seed draws are all of one kind; give another", "speakers", "reuse", "seed")
        return self

    @property
    def streams(self) -> tuple[bool, ...]:
        """The kinds of requests: whole, in chunks, or both."""
        return (False, True) if self.stream == "both" else (self.stream,)

    @property
    def repeat(self) -> float:
        """The share of requests whose speaker was heard before: as stated, or as it follows from the popularity of speakers."""
        found = self.speakers.reuse
        return self.speakers.repeat if found is None else found.hit_rate(self.speaker_count)

    @property
    def speaker_count(self) -> int:
        """Speakers that requests return to."""
        own = sum(isinstance(prompt, Recording) for prompt in self.prompts)
        builtin = BUILTIN_PROMPTS if BUILTIN in self.prompts else [p for p in self.prompts if isinstance(p, str)]
        return self.speakers.count or max(1, (own + len(builtin)) * len(self.prompt_lengths_s or (0,)))
