"""Run -> Page: which parts a report has and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness import units
from harness.report import breakdown, commands, kinds, least, memory, revisions, rows, sentences
from harness.report.frontiers import frontiers
from harness.report.model import Device, Facts, Incident, Listening, Page, Player, Row
from harness.report.place import named, where
from harness.report.reading import Reading, anchor
from harness.report.scales import scale_rows
from harness.report.toggles import toggle_sections
from harness.report.words import mark, say
from harness.results import TOGETHER, Run

_NOTICED = ("skipped", "stored", "planted", "scenario")
"""Findings that stand at the head of the page: what was not compared, or not alike."""
_GLOSSARY: Facts = (
    (mark("ratio"), mark("After over before. \u201c12 % faster\u201d says that it takes 12 % less time; a factor is given from twice on. Before and after are medians of all "
     "timed requests; the ratio is taken where requests stand side by side, which drift does not move: it need not be that of the medians.")),
    (mark("95 % interval"), mark("Where the true change lies, at this certainty. Verdicts rest on the interval, not on the estimate.")),
    (mark("margin"), mark("The smallest change that matters, set by the scenario. Verdicts compare the whole interval with it.")),
    (mark("faster, slower (less, more)"), mark("The whole interval lies beyond the margin.")),
    (mark("no material difference"), mark("The whole interval lies within the margin: whatever the change is, it is too small to matter.")),
    (mark("inconclusive"), mark("The interval is too wide to say either. It still bounds the change.")),
    (mark("inert"), mark("The witness did not move: the optimization was switched on and nothing happened.")),
    (mark("witness"), mark("A count of the thing that the optimization avoids. It proves that the optimization was engaged.")),
    (mark("equivalence"), mark("How far the output is the same: bitwise, within a tolerance, spectrally, in its words, or changed.")),
    (mark("placebo"), mark("A twin of the baseline, measured like any other arm. It must show no change.")),
    (mark("dose"), mark("The baseline with a known delay added. The harness must find that delay.")),
    (mark("block"), mark("Every arm once on the same request, in random order; differences are taken within a block.")),
    (mark("place"), mark("Where the code asks what an optimization changes. Timed alone it shows changes that no request can show.")),
    (mark("kind of request"), mark("One text, mode and way of delivery. Intervals by kind share the 5 % of their row over the whole workload.")),
    (mark("underrun"), mark("A player that starts at the first chunk has nothing left to play before the next chunk arrives.")),
    (mark("p50, p95, p99"), mark("Half, 95 % and 99 % of the requests took no longer than this; of fewer than 20 or 100 it is close to the longest seen. Verdicts do not rest on these.")),
)  # fmt: skip


def build(run: Run) -> Page:
    """Everything that a report of `run` says, in the order in which it is said."""
    reading = Reading(run)
    metric = reading.headline_metric()
    return Page(
        title=str(run.scenario.get("name") or run.id),
        where=where(reading),
        gate=bool(run.plan.limits),
        run_id=run.id,
        facts=_facts(run),
        notices=_notices(run),
        devices=tuple(_device(reading, name, metric) for name in reading.devices()),
        toggles=toggle_sections(reading),
        listening=tuple(_listening(reading)),
        failures=tuple(
            Incident(device=f.device, kind=say(f.kind.replace("_", " ")), about=f.arm or say("{name} pass", name=say(f.pass_)),
                     message=f.message if f.final else say("{message} (tried again)", message=f.message))
            for f in run.failures
        ),
        findings=tuple(Incident(device=f.device, kind=say(f.kind), about="", message=f.message) for f in run.findings),
        environment=tuple(_environment(run.environment)),
        command=commands.command(run),
        headline_metric=metric,
        glossary=tuple((say(name), say(text)) for name, text in _GLOSSARY),
        words=revisions.wording(run),
    )  # fmt: skip


def _device(reading: Reading, name: str, metric: str) -> Device:
    headline = rows.metric_table(reading, name, metric)
    invalid = rows.invalid_rows(reading, name, metric)
    metrics = [known for known in reading.metrics(name) if not rows.is_stage(known)]
    together = [rows.row(reading, contrast) for contrast in reading.contrasts(name, optimization=reading.whole)]
    unavailable = reading.run.unavailable.get(name, {})
    controls = rows.control_rows(reading, name)
    stages, request_s = breakdown.stages(reading, name)
    answer, placebo = sentences.answer(reading, name, headline, invalid), breakdown.placebo_band(reading, name, metric)
    within = sentences.within_limit(reading, name)
    return Device(
        name=name,
        anchor=anchor("device", name),
        answer=_joined(answer.whole, within),
        answer_lead=_sentence(answer.lead),
        answer_rest=_joined(_sentence(answer.rest), within),
        calibrated=reading.calibrated(name, metric),
        foresight=sentences.foresight(reading, name),
        uncalibrated=reading.uncalibrated(name),
        controls=controls,
        headline=headline,
        invalid=invalid,
        together=tuple(row for row in together if _has_tile(row)),
        tables=tuple(rows.metric_table(reading, name, known) for known in metrics),
        kinds=kinds.kinds_tables(reading, name, metric),
        playback=kinds.playback_rows(reading, name),
        unavailable=tuple((rows.describe(known).title, reason) for known, reason in unavailable.items()),
        stages=stages,
        request_s=request_s,
        memory=breakdown.memory_bars(reading, name),
        courses=memory.courses(reading, name),
        stage_peaks=memory.stage_peaks(reading, name),
        allocator=memory.allocator(reading, name),
        snapshots=memory.snapshots(reading, name),
        conditions=memory.conditions(reading, name),
        placebo=placebo,
        limit=least.limit(reading, name) if metric == "latency" else None,
        effects_caption=sentences.effects_caption(placebo is not None, any(c.log_known is not None for c in controls)),
        margin=_margin(reading, name, metric),
        frontiers=frontiers(reading, name),
        scales=scale_rows(reading, name),
    )


def _has_tile(row: Row) -> bool:
    return not rows.is_stage(row.metric) and row.verdict.tone != "invalid" and row.ratio is not None


def _sentence(text: str) -> str:
    """A part of an answer as a sentence of its own; "" stays ""."""
    return say("{lead}.", lead=text[:1].upper() + text[1:]) if text else ""


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _margin(reading: Reading, device: str, metric: str) -> float:
    found = [contrast.margin for contrast in reading.contrasts(device, metric)]
    return found[0] if found else reading.run.plan.margin.get(metric, 0.0)


def _model(options: Mapping[str, Any]) -> str:
    """The adapter, and what else it was told, by name."""
    said = ((key, value) for key, value in options.items() if key not in ("adapter", "python"))
    return ", ".join([
        str(options.get("adapter", "")),
        *(f"{key} {_told(key, value)}" for key, value in said if value is not False and value not in (None, "", {}, [])),
    ])  # fmt: skip


def _told(key: str, value: Any) -> str:
    """An option's value; of one that is made of others all that is told of them."""
    if isinstance(value, Mapping):
        return f"({', '.join(f'{name} {_told(name, item)}' for name, item in value.items())})"
    return named(key, value)


def _facts(run: Run) -> Facts:
    model = run.scenario.get("model")
    described = _model(model) if isinstance(model, Mapping) else str(model or "")
    measured = run.timing.get("measured_s")
    total = sum(measured.values()) if isinstance(measured, Mapping) else measured
    facts = (
        (say("Run"), run.id),
        (say("Started"), str(run.timing.get("started", ""))),
        (say("Model"), described),
        (say("Devices"), ", ".join(run.plan.devices)),
        *revisions.facts(run),
        (say("Design"), "" if run.plan.limits else str(run.scenario.get("design", "")).replace("_", " ")),
        (say("Measured for"), units.seconds(total) if isinstance(total, int | float) and total else ""),
        (say("Start-up"), _startup(run.timing.get("startup_s"))),
        (say("Of the latency pass"), _worked(run.timing.get("worked_s"))),
    )
    return tuple((name, text) for name, text in facts if text)


def _startup(value: Any) -> str:
    total = sum(value.values()) if isinstance(value, Mapping) else value
    return say("{time} (not counted)", time=units.seconds(total)) if isinstance(total, int | float) else ""


def _worked(value: Any) -> str:
    """The share of the latency pass in which the model worked, on all devices together."""
    devices = list(value.values()) if isinstance(value, Mapping) else []
    whole_s = sum(device["pass"] for device in devices)
    if not whole_s:
        return ""
    return say("the model worked {share}", share=units.percent(sum(device["model"] for device in devices) / whole_s))


def _notices(run: Run) -> tuple[str, ...]:
    notices = [finding.message for finding in run.findings if finding.kind in _NOTICED]
    if not run.complete:
        notices.append(say("This run was not finished. What was measured until then is shown."))
    if any(row.hit_cap for row in run.equivalences):
        requests = sorted({row.request for row in run.equivalences if row.hit_cap})
        notices.append(
            say("Generation ran to its longest allowed length in: {requests}.", requests=", ".join(requests))
        )
    return tuple(notices)


def _listening(reading: Reading) -> Iterator[Listening]:
    """Players by device and request: before, all together, then each toggle whose output is not the same bits."""
    whole = reading.ends()[1]
    for device in reading.devices():
        for request, here in reading.audible(device).items():
            before = next((row.audio_before for row in here if row.audio_before), None)
            players = [Player(label=say("Before"), path=before)] if before else []
            for row in here:
                if row.audio_after and (row.arm == whole or row.grade != "bitwise"):
                    name = say("all together") if row.arm == TOGETHER else row.arm
                    label = say(
                        "After: {name} ({grade})",
                        name=name,
                        grade=rows.grade(row.grade, row.figure),
                    )
                    players.append(Player(label=label, path=row.audio_after))
            if players:
                yield Listening(device=device, request=request, players=tuple(players))


def _environment(environment: Mapping[str, Any]) -> Iterator[tuple[str, Facts]]:
    plain, groups = [], []
    for key, value in environment.items():
        parts = value if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping) else [value]
        for number, part in enumerate(parts):
            name = _label(key) if len(parts) == 1 else f"{_label(key)} {number}"
            if isinstance(part, Mapping):
                groups.append((name, tuple(_flat(part))))
            else:
                plain.append((name, _value(key, part)))
    if plain:
        yield say("General"), tuple(plain)
    yield from groups


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        name = f"{prefix}{_label(str(key))}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name} / ")
        else:
            yield name, _value(str(key), value)


def _label(key: str) -> str:
    for suffix in units.SUFFIXES:
        key = key.removesuffix(suffix)
    return say(key.replace("_", " "))


def _value(key: str, value: Any) -> str:
    if value is None or value == "":
        return say("not known")
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, int | float):
        return units.suffixed(key, value)
    if isinstance(value, list | tuple):
        return ", ".join(_value(key, item) for item in value) or say("none")
    return str(value)
