"""What every arm makes of the requests, against the reference; and what its witnesses count. Nothing is timed here.

In a gate, what the head makes of them in every setting, against what the base does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import adapters, workload
from harness.adapters.answers import nothing
from harness.adapters.files import STALE
from harness.designs import CONTROLS, PLACEBO
from harness.equivalence import (
    ORDER,
    accepted,
    as_the_same_code,
    by_sound,
    by_words,
    check_of,
    grade,
    largest_difference,
)
from harness.optimizations import named
from harness.optimizations.process import as_told, of_process, process_states, start_of
from harness.optimizations.registry import BITWISE, Check
from harness.passes.cycle import at_once, known_requests_of
from harness.passes.listening import Heard, listen
from harness.plugins import CALLABLE
from harness.processes import WorkerProcess
from harness.results import TOGETHER, Finding
from harness.session import Session
from harness.toggling import Grade, State, toggle_of
from harness.units import percent
from harness.worker.requests import NUMBERS, Request, by_segment
from harness.worker.vram import OOMS

MAX_REQUESTS = 4
"""Kinds of request, spread over those of the workload, whose outputs are compared."""
REPLAYED = 24
"""Requests of a life that are made in their order, untimed, to see how many of them hit."""
COUNTING_TAKES = 10
"""A request whose operations are counted may take so many times as long as another."""
MIN_REQUESTS = 3
"""Requests in which witnesses are counted at least: so that "once", "every request" and "every other" can be told apart."""
MORE_TWINS, ROUNDS = 3, 8
"""Where an arm would be refused for samples that are nearly the same: further processes in which the reference's twin speaks, and
how many times it, or the arm, does so in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """What is compared: `groups` of arms, each in a process of its own, arm -> the arm `against` whose output its own is held,
    and the check that it is `required` to meet. With `witnesses`, these are counted as well.
    """

    groups: Sequence[Callable[[], list[str]]]
    against: Mapping[str, str]
    required: Callable[[str], Check]
    witnesses: bool


def examination_pass(session: Session) -> None:
    """Compare every arm's output with the reference's, and the reference's with its twin's in other processes.

    Each arm is bound once and speaks the requests twice: in the first round its witnesses are counted, the output of
    the second is compared, because the timed requests of an arm are not its first. On the CPU both processes run at
    once.
    """
    reference = session.design.reference
    others = [arm.name for arm in session.design.arms if arm.name != reference]
    measured = [arm.name for arm in session.design.arms if arm.name not in CONTROLS]
    _compare(session, _Comparison(
        groups=[partial(session.alive, arms) for arms in (*_by_process(session, measured), [PLACEBO])],
        against=dict.fromkeys(others, reference), required=partial(_required, session), witnesses=True,
    ))  # fmt: skip


def _by_process(session: Session, arms: Sequence[str]) -> list[list[str]]:
    """Arms, those together that may share a process; under a limit of memory none do."""
    found: dict[str, list[str]] = {}
    for arm in arms:
        found.setdefault(arm if session.limits_memory else repr(process_states(session.states_of(arm))), []).append(arm)
    return list(found.values())


def revisions_pass(session: Session) -> None:
    """Compare what the two revisions of a gate make of the requests, setting by setting, and the base with its twin.

    Nothing is compared where the scenario says that any output will do, which is then found.
    """
    output = session.scenario.gate.output
    if output == "any":
        _find(
            session,
            "outputs",
            "Outputs were not compared (gate.output: any): a revision that does less work looks faster.",
        )
        return
    pairs, required = session.design.pairs, check_of(output)
    sides = [[before for _, before, _ in pairs], [after for _, _, after in pairs], [PLACEBO]]
    _compare(session, _Comparison(
        groups=[partial(session.alive, arms) for side in sides for arms in _by_process(session, side)],
        against={after: before for _, before, after in pairs} | {PLACEBO: session.design.reference},
        required=lambda _: required, witnesses=False,
    ))  # fmt: skip


def _compare(session: Session, comparison: _Comparison) -> None:
    checked = checked_requests(session)
    # A user's function may write into one file, whichever process it runs in.
    most = 1 if session.scenario.model.adapter == CALLABLE else None
    at_once(session, [partial(_examine_all, session, checked, arms, comparison) for arms in comparison.groups], most)
    if not session.ledger.graded:
        _speak_from_tokens(session, checked, comparison)
        _hear_more(session, checked, comparison)
        heard = listen(session, checked)
        agreements: dict[str, list[float]] = defaultdict(list)
        for index in checked:
            asked = workload.request(session.scenario, index)
            for arm, agreement in _grade(session, asked, heard, checked, comparison).items():
                agreements[arm].append(agreement)
        _report_unchecked(session, checked)
        _report_other_tokens(session, agreements)
        own = _own_of_all(session, checked, comparison)
        _report_other_outputs(session, own)
        _report_twins(session, own)
        session.record("graded")
        _forget(session)


def checked_requests(session: Session) -> list[int]:
    """One request of each kind of the first cycle, `MAX_REQUESTS` at most, spread over them; known speakers only.

    Kinds that differ only in how many requests are made at the same moment count as one, and so does voice conversion,
    whosever recording is spoken.
    """
    found: dict[Request, int] = {}
    alone_first = sorted(
        known_requests_of(session), key=lambda index: workload.request(session.scenario, index).concurrency
    )
    for index in alone_first:
        request = workload.request(session.scenario, index)
        kind = replace(request, id="", stratum="", concurrency=1, speaker=_NOBODY, source=None, seed=0)
        found.setdefault(kind, index)
    kinds = list(found.values())
    count = min(MAX_REQUESTS, len(kinds))
    return [kinds[place * len(kinds) // count] for place in range(count)]


_NOBODY: Any = None


def _examine_all(
    session: Session, checked: Sequence[int], arms: Callable[[], list[str]], comparison: _Comparison
) -> None:
    """Examine the arms that stay alive, until each was."""
    while missing := [arm for arm in arms() if arm not in session.ledger.examined]:
        session.guarded("equivalence", partial(_examine_some, session, checked, missing, comparison), missing[0])


def _examine_some(
    session: Session,
    checked: Sequence[int],
    missing: Sequence[str],
    comparison: _Comparison,
    _: int,
    worker: WorkerProcess,
) -> None:
    todo = session.alive(missing)  # what the target cannot take is known only now
    for done, arm in enumerate(todo):
        session.check_time()
        session.progress.update(session.device, f"examining {arm}", 0.1 * done / len(todo), None)
        _examine(session, worker, arm, checked, comparison)


def _examine(
    session: Session, worker: WorkerProcess, arm: str, checked: Sequence[int], comparison: _Comparison
) -> None:
    probes = _probes(session) if comparison.witnesses and arm != PLACEBO else []
    events, outputs = _speak(session, worker, arm, checked, probes, [arm])
    session.record(
        "examined", arm=arm, work=_work(session, worker, arm, checked), outputs=outputs,
        witnesses=[
            {key: event[key] for key in ("optimization", "at_bind", "per_request")}
            for event in events if event["event"] == "witness"
        ],
        held=[
            {key: event[key] for key in ("optimization", "entries", "size_bytes")}
            for event in events if event["event"] == "held"
        ],
        replays=_replays(session, worker, arm) if comparison.witnesses else [],
    )  # fmt: skip


def _speak(
    session: Session,
    worker: WorkerProcess,
    arm: str,
    checked: Sequence[int],
    probes: Sequence[Mapping[str, Any]],
    rounds: Sequence[str],
    tokens: Mapping[int, Sequence[Sequence[int]]] | None = None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Have `arm` speak the checked requests once, and then once for each name in `rounds`: what the worker answers, and the
    outputs of these rounds, which stand in files of that name. Requests of which there are `tokens` are spoken from these.
    """
    scenario = session.scenario
    names = [workload.request(scenario, index).id for _ in rounds for index in checked]
    folder = Path("audio") / session.device.replace(":", "-")
    files = [str(folder / request / f"{rounds[place // len(checked)]}.wav") for place, request in enumerate(names)]
    shortest = min(checked, key=lambda index: len(workload.request(scenario, index).text))
    message = {
        "do": "examine", "arm": arm, "probes": probes,
        "first": session.wire.singles([*checked, *[shortest] * (MIN_REQUESTS - len(checked))], tokens),
        "second": session.wire.singles([*checked] * len(rounds), tokens),
        "files": [str((session.journal.folder / file).absolute()) for file in files],
    }  # fmt: skip
    events = worker.ask(message, limit_s=session.limit_s)
    made = (event for event in events if event["event"] == "output")
    outputs = [
        {"request": request, "audio": _kept(file, event), "exact": event.get("exact", ""),
         "segments": event.get("segments", []), OOMS: event.get(OOMS),
         **{key: event[key] for key in ("tokens", "hit_cap", "as_first")}}
        for request, file, event in zip(names, files, made, strict=True)
    ]  # fmt: skip
    return events, outputs


@dataclass(frozen=True, slots=True)
class _Found:
    """How one output agrees with another: the grade, its figure, and the largest difference, infinite for another output."""

    grade: Grade
    figure: float | None
    difference: float

    @property
    def badness(self) -> tuple[int, float]:
        return ORDER.index(self.grade), self.figure or 0.0

    @property
    def is_near(self) -> bool:
        """Whether it is nearly the same, and not the same."""
        return self.grade in ("tolerance", "spectral")


@dataclass(frozen=True, slots=True)
class _Judged:
    """What an arm made of a request: the one of its outputs that counts, and whether they are all right by the toggle's own check,
    or no further from the reference's than those of the same code are. `sides` are the outputs compared, the reference's first, where
    they are those that both speak from the same tokens.
    """

    counts: _Found
    meets_check: bool
    as_same_code: bool = False
    sides: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None

    @property
    def is_narrowly_refused(self) -> bool:
        """Not so from the same tokens: who speaks another time may draw others."""
        return self.counts.is_near and self.sides is None and not (self.meets_check or self.as_same_code)


def _speak_from_tokens(session: Session, checked: Sequence[int], comparison: _Comparison) -> None:
    """Have arms that drew other speech tokens, and may, speak those of what they are compared with, which speaks them as well.

    Nothing is compared so where a target does not tell which of its tokens belong to which segment. An arm whose process dies of it
    is compared as it is.
    """
    made = {index: _made(session, workload.request(session.scenario, index).id)[0] for index in checked}
    lost: list[str] = []
    for base in dict.fromkeys(comparison.against.values()):
        tokens: dict[int, Sequence[Sequence[int]]] = {}
        arms = [base]
        for index, outputs in made.items():
            mine = [
                arm
                for arm, against in comparison.against.items()
                if against == base
                and _drew_others(outputs, arm, base)
                and _may_draw_others(session, outputs, arm, comparison)
            ]
            spoken = by_segment(outputs[base]["tokens"], outputs[base].get("segments", [])) if mine else []
            if spoken:
                tokens[index] = spoken
                arms += mine
        for together in _by_process(session, list(dict.fromkeys(arms))) if tokens else []:
            while todo := [arm for arm in together if arm not in {*session.ledger.from_tokens, *lost}]:
                if session.spared("equivalence", partial(_speak_them, session, tokens, todo), todo[0]) is None:
                    lost += [arm for arm in todo if arm not in session.ledger.from_tokens][:1]  # whose turn it was
    if lost:
        told = f"{', '.join(lost)} could not speak the reference's tokens: the process ended. So other tokens are another output."
        _find(session, "outputs", told)


def _speak_them(
    session: Session,
    tokens: Mapping[int, Sequence[Sequence[int]]],
    arms: Sequence[str],
    _number: int,
    worker: WorkerProcess,
) -> bool:
    for arm in arms:
        session.check_time()
        session.progress.update(session.device, f"examining {arm} from the same tokens", 0.1, None)
        outputs = _speak(session, worker, arm, list(tokens), [], [f"{arm}-from-tokens"], tokens)[1]
        session.record("from tokens", arm=arm, outputs=outputs)
    return True


def _drew_others(outputs: Mapping[str, Mapping[str, Any]], arm: str, base: str) -> bool:
    return arm in outputs and base in outputs and outputs[arm]["tokens"] != outputs[base]["tokens"]


def _may_draw_others(
    session: Session, outputs: Mapping[str, Mapping[str, Any]], arm: str, comparison: _Comparison
) -> bool:
    """Whether other tokens of `arm` can be the doing of toggles that declare them.

    Of each other toggle of the arm it has to be seen that it leaves them alone: in arms that differ in nothing else.
    """
    if not comparison.required(arm).other_tokens:
        return False
    return all(
        named(toggle).check.other_tokens or _leaves_tokens(session, outputs, toggle)
        for toggle in _differing(session, arm)
        if toggle not in session.ledger.not_applicable
    )


def _leaves_tokens(session: Session, outputs: Mapping[str, Mapping[str, Any]], toggle: str) -> bool:
    """Whether there are arms that differ in `toggle` alone, and each two of them drew the same tokens."""
    states = {item.name: item.states for item in session.design.arms if item.name in outputs}
    pairs = [
        (one, other)
        for one, other in combinations(states, 2)
        if [name for name, state in states[one].items() if state != states[other][name]] == [toggle]
    ]
    return bool(pairs) and not any(_drew_others(outputs, one, other) for one, other in pairs)


def _from_tokens(
    session: Session, request: str, made: Mapping[str, Mapping[str, Any]], arm: str, comparison: _Comparison
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """What an arm and that which it is compared with spoke from the tokens of the latter, where the arm had drawn others, and may.

    None where one of them did not, or could not: those tokens are then not the ones that it tells, or the reference sounds otherwise from
    them than it does by itself.
    """
    base = comparison.against[arm]
    if not (_drew_others(made, arm, base) and _may_draw_others(session, made, arm, comparison)):
        return None
    spoken = [
        output
        for name in (base, arm)
        for output in session.ledger.from_tokens.get(name, [])
        if output["request"] == request and output["tokens"] == made[base]["tokens"]
    ]
    if len(spoken) != len((base, arm)):
        return None
    by_itself = _compared(session, made[base], spoken[0], BITWISE)
    return None if by_itself.grade == "changed" else (spoken[0], spoken[1])


def _agreement(before: Sequence[int], after: Sequence[int]) -> float:
    """The share of places, of the longer of two utterances, at which both have the same token."""
    longest = max(len(before), len(after))
    return sum(one == other for one, other in zip(before, after, strict=False)) / longest if longest else 1.0


def _hear_more(session: Session, checked: Sequence[int], comparison: _Comparison) -> None:
    """See how well the reference repeats itself, where an arm would be refused for samples that are nearly the same.

    One twin may do so by luck. Where an order of sums or the choice of a kernel is left to the device, the same code differs from
    process to process, and from one time to the next; how much is seen only in many. Once it is known to, the arm speaks
    again too, whose one output may be one of few that differ; and so does in a gate what it is compared with, whose may be.
    """
    heard = session.ledger.again
    lost: set[str] = set()
    for number in range(2, 2 + MORE_TWINS):
        if not _narrowly_refused(session, checked, comparison):
            return
        is_alive = len(heard.get(PLACEBO, [])) >= number - 1 or _hear_again(session, checked, [PLACEBO], number)
        if not _repeats(session, checked, comparison):
            refused = _narrowly_refused(session, checked, comparison)
            bases = [comparison.against[arm] for arm in refused]
            for arms in (bases, refused):
                while todo := [
                    arm for arm in dict.fromkeys(arms) if arm not in {*heard, *lost, session.design.reference}
                ]:
                    todo, *_ = _by_process(session, todo)
                    if not _hear_again(session, checked, todo, number):
                        lost.update([arm for arm in todo if arm not in heard][:1])  # whose turn it was
        if not is_alive:
            return


def _hear_again(session: Session, checked: Sequence[int], arms: Sequence[str], number: int) -> bool:
    """Have arms of one side speak in another process; whether that one lived. They are named after its number."""
    return session.spared("equivalence", partial(_speak_again, session, checked, arms, number), arms[0]) is not None


def _speak_again(
    session: Session, checked: Sequence[int], arms: Sequence[str], number: int, _: int, worker: WorkerProcess
) -> bool:
    for arm in arms:
        session.check_time()
        session.progress.update(session.device, f"examining {arm} again", 0.1, None)
        rounds = [f"{arm}-{number}-{time}" for time in range(1, 1 + ROUNDS)]
        session.record("again", arm=arm, outputs=_speak(session, worker, arm, checked, [], rounds)[1])
    return True


def _narrowly_refused(session: Session, checked: Sequence[int], comparison: _Comparison) -> list[str]:
    """Arms that say the same in samples that differ a little, and by more than their check and the same code allow."""
    return list(dict.fromkeys(
        arm
        for request in _names(session, checked)
        for arm, judged in _judge(session, request, checked, comparison).items()
        if judged.is_narrowly_refused
    ))  # fmt: skip


def _names(session: Session, checked: Sequence[int]) -> list[str]:
    return [workload.request(session.scenario, index).id for index in checked]


def _own(session: Session, request: str, against: str, comparison: _Comparison) -> list[_Found]:
    """How the same code differs from itself: the reference from its twins, and where it was heard again, `against` from its first output."""
    ledger, required = session.ledger, comparison.required(PLACEBO)
    made, _ = _made(session, request)
    pairs = [(comparison.against[PLACEBO], [ledger.examined.get(PLACEBO, []), *ledger.again.get(PLACEBO, [])])]
    if against != comparison.against[PLACEBO]:
        pairs.append((against, ledger.again.get(against, [])))
    return [
        _compared(session, made[first], output, required)
        for first, heard in pairs if first in made
        for outputs in heard
        for output in outputs if output["request"] == request
    ]  # fmt: skip


def _own_of_all(session: Session, checked: Sequence[int], comparison: _Comparison) -> list[_Found]:
    """The same for every request, of the reference and its twins."""
    reference = comparison.against[PLACEBO]
    return [one for request in _names(session, checked) for one in _own(session, request, reference, comparison)]


def _repeats(session: Session, checked: Sequence[int], comparison: _Comparison) -> bool:
    """Whether no request is known in which the reference makes nearly the same, and not the same."""
    return not any(one.is_near for one in _own_of_all(session, checked, comparison))


def _report_other_tokens(session: Session, agreements: Mapping[str, Sequence[float]]) -> None:
    """Say whose sound was compared from the same tokens, and at which share of places it drew the same ones."""
    for arm, found in agreements.items():
        told = " to ".join(dict.fromkeys((percent(min(found), 0), percent(max(found), 0))))
        message = f"{arm} draws other speech tokens ({told} as before), which it may: its sound was compared from the same tokens."
        _find(session, "outputs", message)


def _report_other_outputs(session: Session, own: Sequence[_Found]) -> None:
    """Say of code that makes another output in another process that it does: nothing excuses it, but no toggle is to blame."""
    if any(one.grade == "changed" for one in own):
        told = (
            "The same code, asked the same in another process, made another output: what a toggle changes cannot be told from what the code does by "
            "itself. Let it draw from a seed, and keep nothing between requests that changes what it makes."
        )
        _find(session, "outputs", told)


def _report_twins(session: Session, own: Sequence[_Found]) -> None:
    """Say how far apart outputs of the same code were, where it spoke several times."""
    further = len(session.ledger.again.get(PLACEBO, []))
    if not further:
        return
    worst = max(own, key=lambda one: one.badness)
    unit = " dB" if worst.grade == "spectral" else ""
    without_figure = {"bitwise": "differed in no bit", "changed": "was another one, which excuses nothing"}
    told = without_figure.get(worst.grade) or f"differed by up to {worst.figure:.3g}{unit} ({worst.grade})"
    message = f"In {1 + further} further processes, {1 + ROUNDS * further} times, the output of the same code {told}."
    if spoken := [arm for arm in session.ledger.again if arm != PLACEBO]:
        message += f" So {', '.join(spoken)} spoke again {ROUNDS} times, and the middle one of these outputs counts."
    _find(session, "outputs", message)


def _forget(session: Session) -> None:
    """Delete what was said again, whose figures are known: nobody listens to it."""
    for output in (output for heard in session.ledger.again.values() for outputs in heard for output in outputs):
        (session.journal.folder / output["audio"]).unlink(missing_ok=True)


def _replays(session: Session, worker: WorkerProcess, arm: str) -> list[dict[str, Any]]:
    """What the witnesses of caches of speakers on `arm` count in the first requests of a life, where a popularity is stated.

    A request in which nothing was counted is a hit only by a witness that counts misses: that is declared to, and did.
    """
    life = session.scenario.workload.speakers.reuse
    mine = [name for name, _, after in session.design.pairs if after == arm and name != TOGETHER]
    kept = [
        name for name in mine if (cache := named(toggle_of(name)).cache) is not None and cache.misses == "new speaker"
    ]
    states = {item.name: item.states for item in session.design.arms}[arm]
    if life is None or not kept or (state := states[toggle_of(kept[0])]) is False:
        return []
    count, known = min(REPLAYED, life.requests), session.scenario.workload.speaker_count
    told = {
        "optimization": kept[0], "requests": count, "hits": None, "drawn": int(life.drawn(known).hits[:count].sum()),
        "expected": count * life.hit_rate(known, count),
    }  # fmt: skip
    if not named(toggle_of(kept[0])).witness.is_of_misses(state if isinstance(state, Mapping) else {}):
        return [told]
    message = {
        "do": "examine", "arm": arm, "probes": [probe for probe in _probes(session) if probe["name"] == kept[0]],
        "first": session.wire.replay(count), "second": [], "files": [],
    }  # fmt: skip
    events = worker.ask(message, limit_s=session.limit_s)
    (counted,) = (event["per_request"] for event in events if event["event"] == "witness")
    return [{**told, "hits": counted.count(0) if any(counted) else None}]


def _work(session: Session, worker: WorkerProcess, arm: str, checked: Sequence[int]) -> list[dict[str, Any]]:
    """What the stages do in those requests, of the arms without toggles and with all, where the model says so of itself."""
    role = {item.name: item.role for item in session.design.arms}[arm]
    if role not in ("none", "all") or session.sides or not adapters.declares_work(session.scenario.model.adapter):
        return []
    message = {"do": "work", "arm": arm, "requests": session.wire.singles(checked)}
    found = []
    for event in worker.ask(message, limit_s=COUNTING_TAKES * session.limit_s):
        kind = event.pop("event")
        if kind == "work":
            found.append(event)
        elif kind == "uncounted":
            _find(session, "limits", f"What the stages of {arm} do could not be counted: {event['message']}.")
    return found


def _kept(file: str, event: Mapping[str, Any]) -> str:
    """Where the worker put an output: sound where it was asked to, numbers beside it."""
    return file if event.get("is_sound", True) else str(Path(file).with_suffix(NUMBERS))


def _probes(session: Session) -> list[dict[str, Any]]:
    """What each toggle's witness is counted with; of a toggle with several states, the parameters of each."""
    states = {item.name: item.states for item in session.design.arms}
    return [
        {
            "name": name,
            "toggle": toggle_of(name),
            "parameters": dict(state) if isinstance(state := states[after][toggle_of(name)], Mapping) else {},
            **_held_by_process(toggle_of(name), state),
        }
        for name, _, after in session.design.pairs
        if name != TOGETHER
    ]


def _held_by_process(toggle: str, state: State) -> dict[str, Any]:
    """Of a toggle that changes its whole process, what says whether a process is so; the target knows nothing of it."""
    holds = start_of(toggle, state=True if state is False else state).holds if of_process([toggle]) else None
    return {} if holds is None else {"holds": as_told(holds)}


def _grade(
    session: Session, asked: Request, heard: Heard, checked: Sequence[int], comparison: _Comparison
) -> dict[str, float]:
    """Grade what every living arm made of a request, against what the arm did that it is compared with.

    Where it was listened to, an arm that is understood worse than that one, sounds worse or like somebody else is not
    accepted, whatever else holds. Returns for arms that were compared from the same tokens how many of these they had drawn.
    """
    request = asked.id
    agreements = {}
    made, rates_hz = _made(session, request)
    for arm, judged in _judge(session, request, checked, comparison).items():
        drawn, drawn_before = made[arm], made[comparison.against[arm]]
        reference, output = judged.sides or (drawn_before, drawn)
        check = comparison.required(arm)
        rate_before_hz = rates_hz[comparison.against[arm]]
        ears = heard.between(drawn_before["audio"], drawn["audio"])  # what each says by itself
        words = (ears["words_before"], ears["words_after"]) if rate_before_hz == rates_hz[arm] else (None, None)
        # which make no other rate the same sound
        if judged.sides is not None:
            agreements[arm] = _agreement(drawn_before["tokens"], drawn["tokens"])
        by_ear = by_words(judged.counts.grade, judged.counts.figure, check, *words)
        found, bound = by_sound(*by_ear, ears["quality_before"], ears["quality_after"], ears["voice"])
        by_own = judged.as_same_code and found == judged.counts.grade
        by_check = accepted(found, bound, check) and (judged.meets_check or found != judged.counts.grade)
        session.record(
            "equivalence", arm=arm, request=request, stratum=asked.stratum if asked.concurrency == 1 else "", grade=found, bound=bound,
            accepted=by_check or by_own, required=found if by_own and not by_check else check.grade, **ears,
            tokens_equal=_exactly(drawn) == _exactly(drawn_before), tokens=len(drawn["tokens"]), hit_cap=drawn["hit_cap"],
            agreement=agreements.get(arm),
            audio_before=reference["audio"] if is_sound(reference) else None,
            audio_after=output["audio"] if is_sound(output) else None, rate_before_hz=rate_before_hz,
            rate_after_hz=rates_hz[arm],
        )  # fmt: skip
    return agreements


def _made(session: Session, request: str) -> tuple[dict[str, Mapping[str, Any]], dict[str, int]]:
    """What every living arm made of `request`, and at which rate."""
    made = {
        arm: output
        for arm in session.alive(list(session.ledger.examined))
        for output in session.ledger.examined[arm]
        if output["request"] == request
    }
    return made, {arm: rate_of(session.journal.folder / output["audio"]) for arm, output in made.items()}


def _judge(session: Session, request: str, checked: Sequence[int], comparison: _Comparison) -> dict[str, _Judged]:
    """Per arm how what it made of `request` agrees with what the arm did that it is compared with."""
    made, _ = _made(session, request)
    repeats = _repeats(session, checked, comparison)
    own: dict[str, list[float]] = {}
    judged = {}
    for arm, before in comparison.against.items():
        if arm not in made or before not in made:
            continue
        check = comparison.required(arm)
        if (sides := _from_tokens(session, request, made, arm, comparison)) is not None:
            compared = _compared(session, *sides, check)
            judged[arm] = _Judged(compared, accepted(compared.grade, compared.figure, check), sides=sides)
            continue
        again = (output for outputs in session.ledger.again.get(arm, []) for output in outputs)
        spoken = [made[arm], *(output for output in again if output["request"] == request)]
        found = sorted(
            (_compared(session, made[before], output, check) for output in spoken), key=lambda one: one.badness
        )
        # One that is another output is the arm's; else the middle one counts, unless it is the reference's and others are not.
        middle = found[len(found) // 2]
        counts = middle if middle.is_near and found[-1].grade != "changed" else found[-1]
        if before not in own:
            own[before] = [one.difference for one in _own(session, request, before, comparison)]
        is_sounding = is_sound(made[arm]) and is_sound(made[before])
        judged[arm] = _Judged(
            counts, all(accepted(one.grade, one.figure, check) for one in found),
            counts.is_near and not repeats
            and as_the_same_code([one.difference for one in found], own[before], sound=is_sounding),
        )  # fmt: skip
    return judged


def _compared(session: Session, before: Mapping[str, Any], after: Mapping[str, Any], check: Check) -> _Found:
    folder = session.journal.folder
    files = folder / before["audio"], folder / after["audio"]
    read = read_output(files[0]), read_output(files[1])
    found, figure = grade(
        *read, _exactly(before), _exactly(after), check,
        sound=is_sound(before) and is_sound(after), rates_hz=(rate_of(files[0]), rate_of(files[1])),
    )  # fmt: skip
    return _Found(found, figure, np.inf if found == "changed" else largest_difference(*read))


def _required(session: Session, arm: str) -> Check:
    """The weakest check among the toggles in which `arm` differs from the reference: what the arm must meet."""
    checks = [named(toggle).check for toggle in _differing(session, arm)]
    weakest = max(checks, key=lambda check: ORDER.index(check.grade), default=BITWISE)
    return replace(weakest, other_tokens=any(check.other_tokens for check in checks))


def _differing(session: Session, arm: str) -> list[str]:
    """The toggles in which `arm` differs from the reference."""
    reference = session.states_of(session.design.reference)
    return [toggle for toggle, state in session.states_of(arm).items() if state != reference[toggle]]


def _report_unchecked(session: Session, checked: Sequence[int]) -> None:
    """Say which kinds of request were not compared, and which arms do not repeat themselves though the reference does."""
    scenario = session.scenario
    seen = {workload.request(scenario, index).stratum for index in checked}
    left_out = [stratum for stratum in workload.strata(scenario) if stratum not in seen]
    if left_out:
        told = f"Outputs were compared for {'; '.join(sorted(seen))}. They were not for {'; '.join(left_out)}."
        _find(session, "outputs", told)
    different = len({request.id for request in workload.requests(scenario)})
    if different > len(checked):
        told = (
            f"Outputs were compared of {len(checked)} of {different} different requests. Of the others that are timed, the number "
            "of tokens and the length of the audio are compared."
        )
        _find(session, "outputs", told)
    if max(scenario.workload.concurrency) > 1:
        _find(session, "outputs", "Outputs were compared of one request at a time, not of requests at the same moment.")
    examined, again = session.ledger.examined, session.ledger.again.get(PLACEBO, [])
    reference = examined.get(session.design.reference, [])
    if reference and all(output.get("exact") == nothing() for output in reference):
        told = "The function returned nothing, so that no output was compared; let it return what it makes."
        _find(session, "outputs", told)
    _report_empty(session, reference)
    _report_stale(session, examined)
    changing = [arm for arm, outputs in examined.items() if not all(out["as_first"] for out in outputs)]
    same_code = [*reference, *(output for outputs in again for output in outputs)]
    names = ", ".join(changing)
    if changing and all(output["as_first"] for output in same_code):
        _find(session, "outputs", f"The output of {names} to a request differs from the first to the same request.")
    elif changing and not again:
        _find(session, "outputs", (
            f"The same request, made again in the same process, had another output ({names}): the code keeps something between requests, draws "
            "without a seed, or runs on a device that does not repeat itself. That may be taken for what a toggle changes, or hide it."
        ))  # fmt: skip
    rounds = [
        *examined.items(),
        *session.ledger.from_tokens.items(),
        *((arm, outputs) for arm, heard in session.ledger.again.items() for outputs in heard),
    ]
    refused: dict[str, float] = defaultdict(float)
    for arm, outputs in rounds:
        refused[arm] += sum(output.get(OOMS) or 0.0 for output in outputs)
    if any(refused.values()):
        told = ", ".join(f"{arm} {count:g}" for arm, count in refused.items() if count)
        _find(session, "outputs", (
            f"Allocations were refused while outputs were made that were compared, and these were made all the same ({told}): a library "
            "that can do with less memory, as cuDNN can, then takes another algorithm, whose sound may differ in its last bits."
        ))  # fmt: skip


def _report_empty(session: Session, outputs: Sequence[Mapping[str, Any]]) -> None:
    """Say of outputs of the reference that there is nothing in them to compare, or nothing that anybody wants."""
    found: dict[str, list[str]] = defaultdict(list)
    for output in outputs:
        numbers = read_output(session.journal.folder / output["audio"])
        finite = np.isfinite(numbers)
        if is_sound(output) and not numbers.size:
            found["is sound of no length"].append(output["request"])
        elif is_sound(output) and not finite.all():
            found["is sound with samples that are not finite"].append(output["request"])
        elif numbers.size and not finite.any():
            found["has no finite number in it"].append(output["request"])
        elif is_sound(output) and not numbers.any():
            found["is silence"].append(output["request"])
    for what, requests in found.items():
        told = f"The output of {session.design.reference} {what} ({', '.join(requests)}): that an arm makes the same says little."
        _find(session, "outputs", told)


def _report_stale(session: Session, examined: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Say which arms returned files that they did not write: what is in them may be another request's, or another arm's."""
    stale = [
        arm for arm, outputs in examined.items() if any(str(out.get("exact", "")).startswith(STALE) for out in outputs)
    ]
    if stale:
        told = (
            f"Some arms returned a file that was there before the request and that it did not write ({', '.join(stale)}). It is compared, "
            "and beside one that was written it is another output: it may be what another request or arm has left."
        )
        _find(session, "outputs", told)


def _find(session: Session, kind: str, message: str) -> None:
    session.record("finding", **asdict(Finding(kind=kind, device=session.device, message=message)))


def is_sound(output: Mapping[str, Any]) -> bool:
    """Whether an output of a worker is sound, or numbers of any meaning."""
    return not str(output["audio"]).endswith(NUMBERS)


def _exactly(output: Mapping[str, Any]) -> list[Any]:
    """What of an output is the same or not: its tokens, and in what kind of value its numbers stand."""
    return [*output["tokens"], output.get("exact", ""), is_sound(output)]


def read_output(path: Path) -> NDArray[Any]:
    """Samples of a WAV file, float32 [samples], or the numbers of a NUMBERS file, float64 [numbers]; exactly as written."""
    import soundfile

    if path.suffix == NUMBERS:
        return np.asarray(np.load(path, allow_pickle=False))
    audio, _ = soundfile.read(path, dtype="float32")
    return np.asarray(audio)


def rate_of(path: Path) -> int:
    """Samples a second of a WAV file; 0 of a NUMBERS file."""
    import soundfile

    return 0 if path.suffix == NUMBERS else int(soundfile.info(str(path)).samplerate)
