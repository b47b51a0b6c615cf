"""One section for each optimization: what it is, its code on both sides, its witness, its output and its figures."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import units
from harness.optimizations import seed
from harness.report import commands, heard, rows, sentences
from harness.report.model import Badge, EquivalenceRow, Row, Toggle, ToggleOnDevice, WitnessRow
from harness.report.reading import Reading, anchor
from harness.report.words import say
from harness.results import Equivalence
from harness.toggling import State, toggle_of

_FEW = 12


def toggle_sections(reading: Reading) -> tuple[Toggle, ...]:
    """The sections in the order of the scenario."""
    return tuple(_toggle(reading, name, entry) for name, entry in reading.run.optimizations.items())


def _toggle(reading: Reading, name: str, entry: Mapping[str, Any]) -> Toggle:
    return Toggle(
        name=name,
        anchor=anchor("toggle", name),
        title=str(entry.get("title") or name),
        claim=seed.CLAIMS.get(str(entry.get("seed_section", ""))),
        claimed_in=_claimed_in(entry),
        doc=tuple(" ".join(part.split()) for part in str(entry.get("doc", "")).split("\n\n") if part.strip()),
        facts=tuple(_facts(entry, _set_to(reading, name))),
        before_source=str(entry.get("before_source", "")),
        after_source=str(entry.get("after_source", "")),
        witness_unit=str(entry.get("witness_unit", "")),
        devices=tuple(_on_device(reading, device, name) for device in reading.devices()),
        again=_again(reading, name),
    )


def _set_to(reading: Reading, name: str) -> tuple[str, ...]:
    """What the run sets a toggle to, as its scenario lists it: `every=never`. Nothing for one that is only on or off."""
    asked = reading.run.scenario.get("optimizations")
    after = (asked.get(name) or {}).get("after") if isinstance(asked, Mapping) else None
    states = after if isinstance(after, list | tuple) else [after]
    return tuple(
        ", ".join(f"{key}={value}" for key, value in state.items()) for state in states if isinstance(state, Mapping)
    )


def _facts(entry: Mapping[str, Any], set_to: Sequence[str]) -> Iterator[tuple[str, str]]:
    if str(entry.get("seed_section", "")) not in ("", *seed.CLAIMS):
        yield say("Claimed in"), _claimed_in(entry)
    sites = entry.get("sites", ())
    yield say("Sites"), sites if isinstance(sites, str) else ", ".join(str(site) for site in sites)
    yield say("Output must be"), _check(entry.get("check"))
    yield say("Isolation"), str(entry.get("isolation", "request"))
    yield from _cache(entry.get("cache"))
    parameters = entry.get("parameters")
    if isinstance(parameters, Mapping) and parameters:
        yield say("Parameters by default"), ", ".join(f"{key} = {value}" for key, value in parameters.items())
    if set_to:
        yield say("Set to"), say("; ").join(set_to)


def _cache(cache: Any) -> Iterator[tuple[str, str]]:
    """What a toggle's file says of it as a cache: nothing for one that is none, and in older runs."""
    if not isinstance(cache, Mapping):
        return
    yield say("A cache of"), str(cache.get("entry", ""))
    yield say("Its key"), str(cache.get("key", ""))
    leaves = cache.get("eviction") or cache.get("bounded")
    yield say("How it ends"), str(leaves) if leaves else say("it does not: each new key stays for good")


def _claimed_in(entry: Mapping[str, Any]) -> str:
    section = str(entry.get("seed_section", ""))
    return say("the seed document, section {section}", section=section)


def _check(check: Any) -> str:
    if not isinstance(check, Mapping):
        return say(str(check or "bitwise"))
    text = say(str(check.get("grade", "bitwise")))
    if check.get("bound"):
        text = say("{grade} up to {bound}", grade=text, bound=f"{check['bound']:g}")
    return f"{text} ({check['reason']})" if check.get("reason") else text


def _on_device(reading: Reading, device: str, name: str) -> ToggleOnDevice:
    contrasts = [c for c in reading.contrasts(device) if toggle_of(c.optimization) == name]
    arms = [arm.name for arm in reading.arms.values() if arm.toggle == name] or [c.arm for c in contrasts[:1]]
    found = [row for arm in arms for row in reading.equivalences(device, arm)]
    failure = reading.failure(device, name)
    refused = reading.run.plan.refused(device).get(name, "")
    reasons = dict.fromkeys(contrast.reason for contrast in contrasts if contrast.reason)
    remark = refused or (f"{say(failure.kind.replace('_', ' '))}: {failure.message}" if failure else "; ".join(reasons))
    metric = reading.headline_metric()
    headline = [rows.row(reading, contrast) for contrast in contrasts if contrast.metric == metric]
    return ToggleOnDevice(
        device=device,
        verdicts=tuple(_verdicts(headline, remark)),
        sentence=" ".join(sentences.of_a_toggle(row, reading.calibrated(device, row.metric)) for row in headline),
        rows=tuple(rows.row(reading, c) for c in contrasts if not rows.is_stage(c.metric) and c.ratio is not None),
        stages=tuple(rows.row(reading, c) for c in contrasts if rows.is_stage(c.metric) and c.ratio is not None),
        witnesses=tuple(
            dict.fromkeys(
                WitnessRow(arm=w.arm, at_bind=units.count(w.at_bind), per_request=_per_request(w.per_request))
                for w in reading.run.witnesses
                if w.device == device and toggle_of(w.optimization) == name
            )
        ),
        equivalences=tuple(_equivalence(row) for row in found),
        remark=remark,
    )


def _per_request(counts: Sequence[int]) -> str:
    if not counts:
        return say("no request was counted")
    if len(set(counts)) == 1 and len(counts) > 1:
        return say("{count} in each of {requests}", count=units.count(counts[0]), requests=len(counts))
    shown = ", ".join(units.count(value) for value in counts[:_FEW])
    return say("{shown}, \u2026 ({count} requests)", shown=shown, count=len(counts)) if len(counts) > _FEW else shown


def _equivalence(row: Equivalence) -> EquivalenceRow:
    count = units.count(row.tokens)
    if row.agreement is not None:
        share = units.percent(row.agreement, 0)
        tokens = say("{count}, {share} as before; sound from the same ones", count=count, share=share)
    elif row.tokens:
        tokens = say("{count}, the same", count=count) if row.tokens_equal else say("{count}, differ", count=count)
    else:  # of what is no speech: its words, shapes and names
        tokens = say("none") if row.tokens_equal else say("other values")
    return EquivalenceRow(
        request=row.request,
        grade=say(row.grade),
        bound=units.DASH if row.bound is None else units.scientific(row.bound),
        required=say(row.required),
        accepted=_outcome(accepted=row.accepted),
        heard=heard.told(row) or say("not listened to"),
        tokens=tokens + (say(" (ran to the cap)") if row.hit_cap else ""),
    )


def _outcome(*, accepted: bool) -> Badge:
    if accepted:
        return Badge(text=say("accepted"), tone="good", glyph="passed")
    return Badge(text=say("output changed"), tone="bad", glyph="failed")


def _verdicts(headline: Sequence[Row], remark: str) -> Iterator[tuple[str, Badge | None]]:
    for row in headline:
        told = row.change if row.ratio is not None and row.verdict.tone != "invalid" else ""
        yield f"{row.setting} {told}".strip(), row.verdict
    if not headline and remark:
        yield say(units.NOT_MEASURED), None


def _again(reading: Reading, name: str) -> str:
    """The command that measures this optimization alone; the rest of the scenario stays as it is."""
    pairs = [pair for pair in reading.run.plan.pairs if toggle_of(pair[0]) == name]
    states = [reading.arms[after].states.get(name, True) for _, _, after in pairs if after in reading.arms]
    told = [_state(state) for state in states] or ["true"]
    after = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    command = commands.anew(reading.run)
    return f"{command} --set {shlex.quote(f'optimizations={{{name}: {{before: false, after: {after}}}}}')}"


def _state(state: State) -> str:
    """A state as a scenario writes it."""
    if isinstance(state, Mapping) and state:
        return f"{{{', '.join(f'{key}: {value}' for key, value in state.items())}}}"
    return "true" if state is not False else "false"
