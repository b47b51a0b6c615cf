"""Requests of a scenario: which text, in which mode, by which speaker, with which seed, and in which block.

    requests(scenario)        every request to a known speaker, in an order whose every prefix is balanced
    speakers(scenario)        the speakers that a pipeline may be told of when it is built
    request(scenario, block)  the request of a block: a pure function of its arguments, the same in every process
    rehearsal(scenario, block)  what may run untimed before it
    replay(scenario, count)   the first requests of a life, as they come, where a popularity of speakers is stated
    strata(scenario)          the share of blocks that each stratum gets
    prompt_s(scenario)        how long the recording behind each request lasts

With `speakers: {repeat: 0.75}` every fourth block brings a speaker that no block had before, an excerpt of one of the
prompts that is not among `speakers`; its stratum ends in "new speaker". Both kinds of blocks go through the texts,
modes, speakers and seeds each in their own turn, so that neither misses any.

With `speakers: {reuse: ...}` the requests of one life of a process are drawn from the popularity of speakers. Which of them hit a
cache that loses none decides which blocks bring a new speaker, in shuffled order, so that every stretch of blocks is a
sample of the life. Blocks that hit are by the speaker who was drawn; where that is one who was met in this life first, by one who
is known, because both find their entry, and no pipeline must have a past for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, floor

import numpy as np

from harness.recordings import BUILTIN_RECORDINGS, builtin_speaker, excerpt, fault_of, of_length, seconds, speaker
from harness.results import at_once as named_at_once
from harness.scenario import Recording, Scenario
from harness.scenario.requests import Reuse
from harness.scenario.scalars import BUILTIN
from harness.scenario.texts import TEXTS
from harness.worker.requests import NOBODY, Mode, Request, Speaker

LANES = 3
"""Groups of arms that a design has at most, and warm-up; each has its own new speakers, because arms stand in several."""
WARM_UP = LANES - 1
"""The lane of warm-up, which meets new speakers only where the workload has no others."""
NEW_SPEAKER = "new speaker"
"""Ends the stratum of requests whose speaker was not heard before."""


def requests(scenario: Scenario) -> tuple[Request, ...]:
    """Every request to one of `speakers`. Raises ScenarioError for a recording that cannot be used, or UsageError."""
    return _plan(scenario).requests


def speakers(scenario: Scenario) -> tuple[Speaker, ...]:
    """The speakers that requests return to: the prompts, then excerpts of them up to `speakers.count`."""
    return _plan(scenario).speakers


def request(scenario: Scenario, block: int, lane: int = 0) -> Request:
    """The request that every arm runs in block number `block`, counted from 0.

    Blocks of the same number in another `lane` (below `LANES`) have the same request, but another new speaker.
    """
    plan = _plan(scenario)
    new_before = plan.new_speakers_before(block)
    if plan.new_speakers_before(block + 1) == new_before:
        return plan.to_known_speaker(block - new_before)
    return plan.to_new_speaker(plan.requests[new_before % len(plan.requests)], new_before, lane)


def is_new(wanted: Request) -> bool:
    """Whether a request brings a speaker that none before it had."""
    return wanted.stratum.endswith(NEW_SPEAKER)


def rehearsal(scenario: Scenario, block: int) -> Request:
    """What an arm may run untimed before the request of `block`: the same, but nothing that lets it know a new speaker."""
    wanted = request(scenario, block)
    if not is_new(wanted):
        return wanted
    return replace(_plan(scenario).requests[0], concurrency=wanted.concurrency)


def replay(scenario: Scenario, count: int) -> tuple[Request, ...]:
    """The first `count` requests that were drawn, in their order and one at a time, each by its own speaker: the shortest text.

    None where no popularity of speakers is stated.
    """
    plan, life = _plan(scenario), scenario.workload.speakers.reuse
    if life is None:
        return ()
    shortest = replace(min(plan.requests, key=lambda made: len(made.text)), concurrency=1)
    met: dict[int, Request] = {}
    made = []
    for item in life.drawn(len(plan.speakers)).items[:count].tolist():
        if item < len(plan.speakers):
            by = plan.speakers[item]
            made.append(replace(shortest, id=f"{shortest.id}-by-{by.id}", speaker=by))
        else:
            made.append(met.setdefault(item, plan.to_new_speaker(shortest, len(met), WARM_UP)))
    return tuple(made)


def concurrency(scenario: Scenario) -> dict[str, int]:
    """How many requests each stratum has at the same moment."""
    found = {made.stratum: made.concurrency for made in requests(scenario)}
    return {stratum: found[stratum.removesuffix(_new(""))] for stratum in strata(scenario)}


def most_at_once(scenario: Scenario) -> int:
    """The index of the request of which most are made at the same moment, of these of one with the longest text."""
    made = requests(scenario)
    return max(range(len(made)), key=lambda index: (made[index].concurrency, len(made[index].text)))


def strata(scenario: Scenario) -> dict[str, float]:
    """The share of blocks of each stratum in the long run; shares add up to 1."""
    plan = _plan(scenario)
    shares: dict[str, float] = {}
    for known in plan.requests:
        each = 1 / len(plan.requests)
        for stratum, share in ((known.stratum, plan.repeat), (_new(known.stratum), 1 - plan.repeat)):
            if share:
                shares[stratum] = shares.get(stratum, 0.0) + each * share
    return shares


def prompt_s(scenario: Scenario) -> dict[str, float]:
    """Seconds of the speaker's recording, for each request to a known speaker that has one."""
    found = {made.id: made.speaker for made in requests(scenario) if made.speaker is not NOBODY}
    lasts_s = {speaker: seconds(speaker.audio) for speaker in set(found.values())}
    return {name: lasts_s[speaker] for name, speaker in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """`prompts` are the recordings that were given, `speakers` those and the excerpts that requests return to.

    `kinds` are how many requests differ in more than seed and speaker. Of a stated popularity, `missed` counts the requests of a life that
    miss before each place, int64 [requests + 1], and `asked` are the known speakers of those that hit, both in shuffled order.
    """

    prompts: tuple[Speaker, ...]
    speakers: tuple[Speaker, ...]
    requests: tuple[Request, ...]
    repeat: float
    kinds: int
    at_once: int
    missed: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()

    def new_speakers_before(self, block: int) -> int:
        """How many of the blocks before `block` brought a new speaker. Rounded, so that 1 - 0.9 is a tenth."""
        if self.missed:
            lives, place = divmod(block, len(self.missed) - 1)
            return lives * self.missed[-1] + self.missed[place]
        return floor(round(block * (1 - self.repeat), 6))

    def to_known_speaker(self, number: int) -> Request:
        """The `number`th request to a known speaker: every combination in turn, or by the speakers that were drawn."""
        if not self.asked:
            return self.requests[number % len(self.requests)]
        speakers, turns = len(self.speakers), self.at_once * self.kinds
        round_, within = divmod(number, turns)
        at_once, place = divmod(within, self.kinds)
        seed = round_ % (len(self.requests) // (turns * speakers))
        turn = (self.asked[number % len(self.asked)] - place) % speakers  # as `_requests` shifts speakers
        return self.requests[((seed * speakers + turn) * self.at_once + at_once) * self.kinds + place]

    def to_new_speaker(self, known: Request, number: int, lane: int) -> Request:
        """`known`, but by the `number`th speaker of `lane` that is not among `speakers`: excerpts of each prompt in turn."""
        turn, which = divmod(number, len(self.prompts))
        taken = ceil(max(0, len(self.speakers) - len(self.prompts)) / len(self.prompts))
        new = excerpt(self.prompts[which], taken + LANES * turn + lane)
        return replace(known, id=f"{known.id}-by-{new.id}", speaker=new, stratum=_new(known.stratum))


@lru_cache(maxsize=8)
def _plan(scenario: Scenario) -> _Plan:
    prompts = tuple(_prompts(scenario)) or (NOBODY,)
    count = scenario.workload.speaker_count
    extra = [_excerpt(prompts, number) for number in range(count - len(prompts))]
    known = (*prompts[:count], *extra)
    missed, asked = _life(scenario.workload.speakers.reuse, len(known))
    return _Plan(
        prompts=prompts, speakers=known, requests=tuple(_requests(scenario, known)), repeat=scenario.workload.repeat,
        kinds=len(_kinds(scenario)), at_once=len(scenario.workload.concurrency), missed=missed, asked=asked,
    )  # fmt: skip


def _life(found: Reuse | None, known: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`missed` and `asked` of a plan, from what is drawn; nothing where no popularity is stated."""
    if found is None:
        return (), ()
    drawn = found.drawn(known)
    order = np.random.default_rng([found.seed, 1]).permutation(found.requests)
    hits, items = drawn.hits[order], drawn.items[order]
    missed = np.concatenate([[0], np.cumsum(~hits)])
    return tuple(missed.tolist()), tuple((items[hits] % known).tolist())


def _prompts(scenario: Scenario) -> list[Speaker]:
    found: dict[str, Speaker] = {}
    for index, prompt in enumerate(scenario.workload.prompts):
        if isinstance(prompt, Recording):
            own = _own_speaker(scenario, prompt, index)
            found[own.id] = own
        else:
            _, _, name = prompt.partition(":")
            for builtin in [name] if name else BUILTIN_RECORDINGS:
                found[builtin] = builtin_speaker(builtin)
    lengths_s = scenario.workload.prompt_lengths_s
    return [of_length(of, length) for of in found.values() for length in lengths_s] if lengths_s else [*found.values()]


def _own_speaker(scenario: Scenario, prompt: Recording, index: int) -> Speaker:
    audio = scenario.resolve(prompt.audio)
    if fault := fault_of(audio):
        raise scenario.error(fault, ("workload", "prompts", index, "audio"))
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", audio.stem).strip("-")[:40]
    return speaker(f"{index}-{stem}" if stem else str(index), audio, prompt.text)


def _excerpt(prompts: Sequence[Speaker], number: int) -> Speaker:
    """Excerpts take turns among the prompts."""
    turn, which = divmod(number, len(prompts))
    return excerpt(prompts[which], turn)


def _requests(scenario: Scenario, known: Sequence[Speaker]) -> list[Request]:
    """Strata in turn, and each time round the next speaker; a new seed when every stratum had every speaker.

    The speaker is shifted by the stratum's place, so that one time round already hears several.
    """
    kinds = _kinds(scenario)
    return [
        _request(kind, known, (turn + place) % len(known), seed, at_once)
        for seed in scenario.workload.seeds
        for turn in range(len(known))
        for at_once in scenario.workload.concurrency
        for place, kind in enumerate(kinds)
    ]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a stratum's requests share."""

    mode: Mode
    stream: bool
    label: str
    text: str

    @property
    def stratum(self) -> str:
        mode = "" if self.mode == "call" else self.mode
        return " ".join(filter(None, (self.label, mode, "stream" if self.stream else "")))


def _kinds(scenario: Scenario) -> list[_Kind]:
    """Voice conversion speaks a recording instead of a text, so it comes once and not for each text."""
    workload = scenario.workload
    return [
        _Kind(mode, stream, label, _words(text))
        for stream in workload.streams
        for mode in workload.modes
        for label, text in ([("", "")] if mode == "voice_conversion" else workload.texts.items())
    ]


def _words(text: str) -> str:
    return TEXTS[text.removeprefix(f"{BUILTIN}:")] if text.startswith(f"{BUILTIN}:") else text


def _request(kind: _Kind, known: Sequence[Speaker], index: int, seed: int, at_once: int) -> Request:
    """Voice conversion speaks the next speaker's recording; its own, where there is but one speaker."""
    by = known[index]
    source = known[(index + 1) % len(known)].audio if kind.mode == "voice_conversion" else None
    stratum = kind.stratum if at_once == 1 else f"{kind.stratum}, {named_at_once(at_once)}"
    name = "-".join(filter(None, (re.sub("[ ,]+", "-", stratum), by.id, f"s{seed}")))
    return Request(
        id=name, mode=kind.mode, text=kind.text, speaker=by, seed=seed, stream=kind.stream, source=source,
        stratum=stratum, concurrency=at_once,
    )  # fmt: skip


def _new(stratum: str) -> str:
    return f"{stratum}, {NEW_SPEAKER}"
