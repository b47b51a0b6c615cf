"""`workload:` in a scenario: texts, prompts, speakers, seeds. `harness.workload` makes requests of them."""

from __future__ import annotations

from typing import Annotated, Self

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
    Seeds,
    Stream,
    Text,
    Whole,
    check_text,
    distinct,
    mapping_or_not,
)

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

    @field_validator("repeat")
    @classmethod
    def _both_kinds_come_up(cls, value: float) -> float:
        if 0 < min(value, 1 - value) < RAREST:
            refuse(f"found {value}; allowed: 0, 1, or a share from 0.01 to 0.99, so that both kinds are met in a run")
        return value


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
        if not self.prompts and (self.speakers.count is not None or self.speakers.repeat != 1):
            refuse("speakers are made from prompts, and there are none: give some under workload.prompts", "speakers")
        if not self.prompts and self.prompt_lengths_s:
            refuse("there are no prompts of these lengths: give some under workload.prompts", "prompt_lengths")
        return self

    @property
    def streams(self) -> tuple[bool, ...]:
        """The kinds of requests: whole, in chunks, or both."""
        return (False, True) if self.stream == "both" else (self.stream,)

    @property
    def speaker_count(self) -> int:
        """Speakers that requests return to."""
        own = sum(isinstance(prompt, Recording) for prompt in self.prompts)
        builtin = BUILTIN_PROMPTS if BUILTIN in self.prompts else [p for p in self.prompts if isinstance(p, str)]
        return self.speakers.count or max(1, (own + len(builtin)) * len(self.prompt_lengths_s or (0,)))
