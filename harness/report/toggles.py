"""One section for each optimization: what it is, its code on both sides, its witness, its output and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness import units
from harness.report import rows
from harness.report.model import Badge, EquivalenceRow, Toggle, ToggleOnDevice, WitnessRow
from harness.report.reading import Reading, anchor
from harness.results import Equivalence, State, toggle_of

_FEW = 12


def toggle_sections(reading: Reading) -> tuple[Toggle, ...]:
    """The sections in the order of the scenario."""
    return tuple(_toggle(reading, name, entry) for name, entry in reading.run.optimizations.items())


def _toggle(reading: Reading, name: str, entry: Mapping[str, Any]) -> Toggle:
    return Toggle(
        name=name,
        anchor=anchor("toggle", name),
        title=str(entry.get("title") or name),
        doc=tuple(" ".join(part.split()) for part in str(entry.get("doc", "")).split("\n\n") if part.strip()),
        facts=tuple(_facts(entry)),
        before_source=str(entry.get("before_source", "")),
        after_source=str(entry.get("after_source", "")),
        witness_unit=str(entry.get("witness_unit", "")),
        devices=tuple(_on_device(reading, device, name) for device in reading.devices()),
        again=_again(reading, name),
    )


def _facts(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    section = str(entry.get("seed_section", ""))
    yield "Claimed in", f"the seed document, section {section}" if section else "no section of the seed document"
    sites = entry.get("sites", ())
    yield "Sites", sites if isinstance(sites, str) else ", ".join(str(site) for site in sites)
    yield "Output must be", _check(entry.get("check"))
    yield "Isolation", str(entry.get("isolation", "request"))
    parameters = entry.get("parameters")
    if isinstance(parameters, Mapping) and parameters:
        yield "Parameters", ", ".join(f"{key} = {value}" for key, value in parameters.items())


def _check(check: Any) -> str:
    if not isinstance(check, Mapping):
        return str(check or "bitwise")
    text = str(check.get("grade", "bitwise"))
    if check.get("bound"):
        text += f" up to {check['bound']:g}"
    return f"{text} ({check['reason']})" if check.get("reason") else text


def _on_device(reading: Reading, device: str, name: str) -> ToggleOnDevice:
    contrasts = [c for c in reading.contrasts(device) if toggle_of(c.optimization) == name]
    arms = [arm.name for arm in reading.arms.values() if arm.toggle == name] or [c.arm for c in contrasts[:1]]
    found = [row for arm in arms for row in reading.equivalences(device, arm)]
    failure = reading.failure(device, name)
    refused = reading.run.plan.not_applicable.get(name, "")
    reasons = dict.fromkeys(contrast.reason for contrast in contrasts if contrast.reason)
    remark = refused or (f"{failure.kind.replace('_', ' ')}: {failure.message}" if failure else "; ".join(reasons))
    return ToggleOnDevice(
        device=device,
        rows=tuple(rows.row(reading, contrast) for contrast in contrasts),
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
        return "no request was counted"
    if len(set(counts)) == 1 and len(counts) > 1:
        return f"{units.count(counts[0])} in each of {len(counts)}"
    shown = ", ".join(units.count(value) for value in counts[:_FEW])
    return f"{shown}, \u2026 ({len(counts)} requests)" if len(counts) > _FEW else shown


def _equivalence(row: Equivalence) -> EquivalenceRow:
    tokens = "the same" if row.tokens_equal else "differ"
    count = f"{units.count(row.tokens)}, {tokens}" if row.tokens else "none" if row.tokens_equal else "other values"
    return EquivalenceRow(
        request=row.request,
        grade=row.grade,
        bound=units.DASH if row.bound is None else units.scientific(row.bound),
        required=row.required,
        accepted=Badge(text="accepted", tone="good") if row.accepted else Badge(text="output changed", tone="bad"),
        words=rows.words_wrong(row) or "not listened to",
        tokens=count + (" (ran to the cap)" if row.hit_cap else ""),
    )


def _again(reading: Reading, name: str) -> str:
    """The part of the scenario that measures this optimization alone; the rest of the scenario stays as it is."""
    pairs = [pair for pair in reading.run.plan.pairs if toggle_of(pair[0]) == name]
    states = [reading.arms[after].states.get(name, True) for _, _, after in pairs if after in reading.arms]
    told = [_state(state) for state in states] or ["true"]
    after = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return f"optimizations:\n  {name}: {{before: false, after: {after}}}"


def _state(state: State) -> str:
    """A state as a scenario writes it."""
    if isinstance(state, Mapping) and state:
        return f"{{{', '.join(f'{key}: {value}' for key, value in state.items())}}}"
    return "true" if state is not False else "false"
