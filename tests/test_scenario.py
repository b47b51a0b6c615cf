"""A scenario is read or refused: every malformed file gets one error with its line, key path and what is allowed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import adapters, runner
from harness.errors import ScenarioError, UsageError
from harness.metrics import METRICS
from harness.models.cosyvoice2.config import SIZES
from harness.optimizations import registry
from harness.scenario import Scenario, Toggle, docs, load, parse, schema, shipped
from harness.scenario.quantities import duration_s, fraction, say_duration, say_percent
from harness.scenario.scalars import Mode
from harness.scenario.source import MAX_BYTES
from harness.scenario.target import CosyVoice2
from harness.worker import requests

DATA = Path(__file__).parent / "data"
DOCS = Path(__file__).parent.parent / "docs"
MINIMAL = b"name: minimal\nmodel: {adapter: cosyvoice2}\noptimizations: {resample_cache: true}\n"

# (file, line, key, message). TOGGLES and METRICS stand for the names that the registries have.
REFUSED = [
    (
        "adapter-missing",
        2,
        "model.adapter",
        "this key is required; allowed: callable, checkout, cosyvoice2, fake, planted, vits",
    ),
    ("anchor-bomb", 1, "a", "the anchor &a is not read; write the value out where it is needed"),
    (
        "bad-duration",
        5,
        "measure.budget",
        "found '2 minutes'; a duration is written 90s, 2m, 1m30s, 500ms, or as plain seconds",
    ),
    ("bad-label", 6, "workload.texts.a/b", "found 'a/b'; a label has letters, digits, - and _, at most 40"),
    (
        "bad-percent",
        5,
        "measure.margin.latency",
        "found '1 percent'; a percentage is written with its sign, such as 1% or 0.5%",
    ),
    (
        "before-equals-after",
        4,
        "optimizations.resample_cache",
        "before and after are the same (true), so that there is nothing to compare",
    ),
    (
        "before-equals-default",
        4,
        "optimizations.precompiled_regex",
        "before and after are the same (a mapping), so that there is nothing to compare",
    ),
    ("colon-in-text", 3, "", "not readable as YAML: mapping values are not allowed here"),
    ("custom-tag", 3, "description", "the tag !secret is not read; a scenario is plain data"),
    ("device-twice", 3, "devices.1", "'cuda' is given twice"),
    ("duplicate-key", 6, "measure.workers", "the key is given twice, first on line 5"),
    ("empty-text", 6, "workload.texts.zh", "found ''; allowed: at least 1 character"),
    ("empty", 1, "", "the file is empty; a scenario starts with `name:`"),
    ("escaped-control-character", 3, "description", "the control character U+001B is not allowed"),
    (
        "excluded-pair",
        6,
        "optimizations.prebuilt_resample",
        "prebuilt_resample cannot stand together with resample_cache; compare them in two scenarios",
    ),
    (
        "fault-of-unknown-toggle",
        4,
        "model.faults.resample_cach",
        "unknown optimization 'resample_cach'; allowed: TOGGLES; did you mean resample_cache?",
    ),
    (
        "file-as-a-key",
        4,
        "file",
        "unknown key; allowed: name, description, model, devices, plugins, workload, optimizations, design, measure, gate",
    ),
    (
        "gate-of-unknown-metric",
        5,
        "gate.latncy",
        "unknown metric 'latncy'; allowed: METRICS, stage.NAME, device.NAME; did you mean latency?",
    ),
    (
        "gate-of-other-optimization",
        6,
        "gate.optimizations.cached_devise",
        "unknown optimization of this scenario 'cached_devise'; allowed: resample_cache, cached_device, all; did you mean cached_device?",
    ),
    (
        "gate-without-any-loss",
        4,
        "gate.latency",
        "found '0%', which only peak_allocated can hold: no interval shows that nothing at all was lost",
    ),
    (
        "gate-misspelt-optimizations",
        6,
        "gate.optimisations",
        "found a mapping; allowed: a percentage, or the key optimizations; did you mean optimizations?",
    ),
    ("gate-is-a-percentage", 4, "gate", "found '2%'; allowed: a mapping of limits, such as {latency: 2%}"),
    (
        "gate-of-unmeasured-for-optimization",
        8,
        "gate.optimizations.resample_cache.ttfa",
        "this metric is not in measure.metrics, so that it cannot be gated",
    ),
    ("gate-of-unheard-words", 5, "gate.output", "words are compared by listening to them; set measure.words as well"),
    (
        "gate-output-of-no-grade",
        5,
        "gate.output",
        "found 'similar'; allowed: bitwise, tolerance, spectral, words, any",
    ),
    ("gate-of-unmeasured", 7, "gate.ttfa", "this metric is not in measure.metrics, so that it cannot be gated"),
    (
        "ill-typed-parameter",
        6,
        "optimizations.batched_cleanup.after.every",
        "found 2.5; batched_cleanup takes every (a whole number of at least 1 or request or never; default request), above (a size such as 1GiB; default none)",
    ),
    ("infinite-noise", 4, "model.noise", "'.inf' is not a finite number"),
    ("key-of-another-adapter", 4, "model.noise", "unknown key; allowed: adapter, size, weights, seed, length, steps"),
    ("leading-zero", 5, "measure.workers", "'010' can be read as two numbers; write it in decimal, or quote it"),
    ("list-at-top", 1, "", "the top level must be a mapping of keys such as `name:`; found a list"),
    (
        "margin-of-unmeasured",
        6,
        "measure.margin.ttfa",
        "this metric is not in measure.metrics, so that its margin has no use",
    ),
    ("merge-key", 5, "measure", "the merge key << is not read; write the keys out"),
    (
        "metric-never-compared",
        5,
        "measure.metrics.1",
        "stall is recorded wherever it can be and never compared; leave it out here",
    ),
    ("metric-twice", 5, "measure.metrics.1", "'latency' is given twice"),
    (
        "misspelt-key",
        6,
        "measure.budgt",
        "unknown key; allowed: metrics, margin, budget, workers, threads, memory_repeats, first_repeats, time_limit, vram_limit, memory_snapshot, pin, words, quality, instrumentation; did you mean budget?",
    ),
    (
        "misspelt-metric",
        7,
        "measure.metrics.1",
        "unknown metric 'peak_alocated'; allowed: METRICS, stage.NAME, device.NAME; did you mean peak_allocated?",
    ),
    (
        "misspelt-toggle",
        5,
        "optimizations.resample_cahce",
        "unknown optimization 'resample_cahce'; allowed: TOGGLES; did you mean resample_cache?",
    ),
    (
        "model-not-a-mapping",
        2,
        "model",
        "found 'cosyvoice2'; allowed: a mapping such as {adapter: cosyvoice2, size: nano}",
    ),
    ("name-missing", 1, "name", "this key is required"),
    ("name-not-text", 1, "name", "found 12; allowed: text"),
    (
        "name-too-long",
        1,
        "name",
        "found 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...; allowed: at most 80 characters",
    ),
    ("nan-margin", 5, "measure.margin", "'.nan' is not a finite number"),
    (
        "negative-budget",
        5,
        "measure.budget",
        "found '-5s'; a duration is written 90s, 2m, 1m30s, 500ms, or as plain seconds",
    ),
    ("negative-seconds", 5, "measure.budget", "found -5; a duration is more than zero and at most a week"),
    ("negative-seed", 5, "workload.seeds.1", "found -1; allowed: at least 0"),
    ("nested-too-deep", 3, "", "nested more than 50 levels deep"),
    ("no-devices", 3, "devices", "found an empty list; allowed: at least 1 entry"),
    ("no-speakers", 5, "workload.speakers.count", "found 0; allowed: at least 1"),
    ("not-utf8", 3, "", "the file is not UTF-8; byte 0xff cannot be read"),
    ("nul-byte", 3, "", "the control character U+0000 is not allowed in a scenario"),
    ("number-too-large", 4, "measure.workers", "the number '99999999999999999999' is too large"),
    ("only-comments", 1, "", "the file is empty; a scenario starts with `name:`"),
    (
        "parameter-of-none",
        5,
        "optimizations.resample_cache.after.size",
        "unknown parameter; resample_cache takes no parameters",
    ),
    ("percent-without-sign", 5, "measure.margin", "found 1; a percentage is written with its sign, such as 1% or 0.5%"),
    ("prompt-without-text", 7, "workload.prompts.1.text", "this key is required"),
    ("python-tag", 3, "description", "the tag !!python/object/apply:os.system is not read; a scenario is plain data"),
    ("recursive-alias", 3, "optimizations", "the anchor &o is not read; write the value out where it is needed"),
    ("repeat-above-one", 6, "workload.speakers.repeat", "found 75; allowed: at most 1"),
    ("scalar-at-top", 1, "", "the top level must be a mapping of keys such as `name:`; found 'just words'"),
    (
        "several-problems",
        4,
        "optimizations.resample_cahce",
        "unknown optimization 'resample_cahce'; allowed: TOGGLES; did you mean resample_cache? (and 2 more: measure.workers on line 6, measure.budget on line 7)",
    ),
    ("stream-yes", 5, "workload.stream", "found 'yes'; allowed: true, false, both"),
    (
        "tab-indentation",
        4,
        "",
        "not readable as YAML: while scanning for the next token found character '\\t' that cannot start any token; indent with spaces, not tabs",
    ),
    (
        "text-without-language",
        6,
        "workload.texts.first",
        "the label 'first' names no language of 'builtin:news'; write builtin:zh-news or builtin:en-news",
    ),
    (
        "toggle-false",
        4,
        "optimizations.resample_cache",
        "found false; leave the toggle out, or give its states as {before: , after: }",
    ),
    (
        "toggle-without-states",
        4,
        "optimizations.resample_cache",
        "found nothing; allowed: a mapping with the keys before, after",
    ),
    (
        "toggle-yes",
        4,
        "optimizations.resample_cache.after",
        "found 'yes'; allowed: true, false, or a mapping of parameters",
    ),
    ("too-many-requests", 4, "workload", "this makes 2,000,000 different requests; at most 10,000 are planned"),
    ("too-many-values", 3, "", "more than 20,000 values; a scenario has a few dozen"),
    ("two-documents", 4, "", "a second document starts here; a scenario file holds one"),
    (
        "unclosed-bracket",
        4,
        "",
        "not readable as YAML: while parsing a flow sequence expected ',' or ']', but got ':'; is the bracket on line 3 closed?",
    ),
    ("unclosed-quote", 3, "", "not readable as YAML: while scanning a quoted scalar found unexpected end of stream"),
    (
        "unknown-adapter",
        3,
        "model.adapter",
        "unknown adapter 'cosyvoice'; allowed: callable, checkout, cosyvoice2, fake, planted, vits; did you mean cosyvoice2?",
    ),
    (
        "unknown-design",
        4,
        "design",
        (
            "unknown design 'factorail'; allowed: one_at_a_time, leave_one_out, levels, ladder, factorial, fractional, "
            "permutations, controls; did you mean factorial?"
        ),
    ),
    (
        "factorial-of-one",
        4,
        "design",
        (
            "factorial takes 2 to 6 optimizations, not 1; design fractional has a part of the arms, and permutations samples "
            "orders"
        ),
    ),
    (
        "fraction-of-three",
        4,
        "design",
        (
            "fractional takes 4 to 15 optimizations, not 3; design factorial has few arms for so few toggles; of more, compare "
            "some in a scenario of their own"
        ),
    ),
    (
        "levels-of-nothing",
        4,
        "design",
        "levels takes one optimization with a list of states under after, not 1 with 1 state(s)",
    ),
    (
        "states-in-a-factorial",
        5,
        "optimizations.batched_cleanup.after",
        "factorial takes one state of each optimization; compare states in a scenario of design levels",
    ),
    ("unknown-device", 3, "devices.1", "found 'gpu'; allowed: cpu, cuda, cuda:1 (a GPU by its index)"),
    (
        "unknown-fault",
        4,
        "model.faults.resample_cache",
        "found 'crush'; allowed: crash, crash_once, crash_at_bind, hang, out_of_memory, error, error_in_a_crowd, error_at_place, change, change_at_first, change_later, draw, draw_only, nudge, glitch, shift, inert, refused; did you mean crash?",
    ),
    (
        "unknown-key",
        4,
        "colour",
        "unknown key; allowed: name, description, model, devices, plugins, workload, optimizations, design, measure, gate",
    ),
    (
        "unknown-mode",
        5,
        "workload.mode.1",
        "found 'zeroshot'; allowed: sft, zero_shot, cross_lingual, voice_conversion, call; did you mean zero_shot?",
    ),
    (
        "unknown-parameter",
        5,
        "optimizations.batched_cleanup.after.evry",
        "unknown parameter; batched_cleanup takes every (a whole number of at least 1 or request or never; default request), above (a size such as 1GiB; default none); did you mean every?",
    ),
    (
        "unknown-prompt",
        5,
        "workload.prompts.1",
        "unknown builtin prompt 'aishell-0123'; allowed: aishell-0121, aishell-0122; did you mean aishell-0122?",
    ),
    (
        "unknown-side",
        4,
        "optimizations.resample_cache.befor",
        "unknown key; allowed: before, after; did you mean before?",
    ),
    ("unknown-size", 4, "model.size", "found 'nono'; allowed: nano, reduced, full"),
    (
        "unknown-text",
        5,
        "workload.texts.zh",
        "unknown builtin text 'zh-newz'; allowed: zh-short, zh-dialogue, zh-news, zh-long, zh-mixed, zh-3s, zh-10s, zh-30s, en-short, en-dialogue, en-news, en-long, en-mixed, en-3s, en-10s, en-30s; did you mean zh-news?",
    ),
    ("utf16", 1, "", "the file is not UTF-8; it looks like UTF-16: save it as UTF-8"),
    ("workers-not-whole", 5, "measure.workers", "found 2.5; allowed: a whole number"),
    ("workers-true", 5, "measure.workers", "found true; allowed: a whole number"),
    ("zero-margin", 5, "measure.margin", "found '0%'; a margin is more than 0%"),
    ("concurrency-of-none", 5, "workload.concurrency.1", "found 0; allowed: at least 1"),
    ("concurrency-twice", 5, "workload.concurrency.1", "4 is given twice"),
    (
        "instrumented-at-once",
        6,
        "measure.instrumentation",
        "requests at the same moment have no spans whose cost could be shown",
    ),
    (
        "states-alike-in-name",
        5,
        "optimizations.batched_cleanup.after.1",
        "this state is given twice, first as entry 1",
    ),
    (
        "states-empty",
        5,
        "optimizations.batched_cleanup.after",
        "found an empty list; allowed: one state, or a list of states that are each compared with before",
    ),
    (
        "states-ill-typed",
        7,
        "optimizations.batched_cleanup.after.1.every",
        "found 0; batched_cleanup takes every (a whole number of at least 1 or request or never; default request), above (a size such as 1GiB; default none)",
    ),
    (
        "arguments-without-a-value",
        4,
        "optimizations.model_arguments.after.arguments",
        "found 'compiled'; model_arguments takes arguments (NAME=VALUE, several separated by a space; default fp16=true)",
    ),
    (
        "states-not-a-state",
        5,
        "optimizations.batched_cleanup.after.1",
        "found 'often'; allowed: true, false, or a mapping of parameters",
    ),
    (
        "states-twice",
        8,
        "optimizations.batched_cleanup.after.2",
        "this state is given twice, first as entry 2",
    ),
    (
        "states-unknown-parameter",
        6,
        "optimizations.batched_cleanup.after.0.evry",
        "unknown parameter; batched_cleanup takes every (a whole number of at least 1 or request or never; default request), above (a size such as 1GiB; default none); did you mean every?",
    ),
    (
        "states-with-before",
        6,
        "optimizations.batched_cleanup.after.1",
        "this state is the same as before, so that there is nothing to compare",
    ),
    (
        "repeat-too-rare",
        6,
        "workload.speakers.repeat",
        "found 0.9999; allowed: 0, 1, or a share from 0.01 to 0.99, so that both kinds are met in a run",
    ),
    (
        "reuse-and-repeat",
        7,
        "workload.speakers.reuse",
        "reuse and repeat both say how often a speaker returns; leave one of them out",
    ),
    ("reuse-without-items", 6, "workload.speakers.reuse.items", "this key is required"),
    ("reuse-of-another-law", 6, "workload.speakers.reuse.distribution", "found 'pareto'; allowed: zipf, uniform"),
    (
        "reuse-uniform-with-exponent",
        9,
        "workload.speakers.reuse.exponent",
        "a uniform popularity has no exponent; leave it out, or write distribution: zipf",
    ),
    ("reuse-exponent-not-above-zero", 9, "workload.speakers.reuse.exponent", "found 0; allowed: more than 0"),
    (
        "reuse-of-fewer-than-known",
        9,
        "workload.speakers.reuse.items",
        "found 3, and 4 speakers are known beforehand (speakers.count); allowed: at least as many",
    ),
    (
        "reuse-misses-too-rare",
        7,
        "workload.speakers.reuse",
        "99.99 % of the requests would return to a speaker; allowed: from 1 to 99 %, or all, so that both kinds are met in a run: change items, requests or speakers.count",
    ),
    (
        "reuse-misspelt-key",
        8,
        "workload.speakers.reuse.item",
        "unknown key; allowed: distribution, items, exponent, requests, seed; did you mean items?",
    ),
    ("reuse-over-too-few-requests", 9, "workload.speakers.reuse.requests", "found 1; allowed: at least 10"),
    (
        "reuse-draws-one-kind",
        12,
        "workload.speakers.reuse.seed",
        "the requests that this seed draws are all of one kind; give another",
    ),
]


@pytest.mark.parametrize(("file", "line", "key", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_malformed_scenario_is_refused_with_its_place(file: str, line: int, key: str, message: str) -> None:
    path = str(DATA / "bad-scenarios" / f"{file}.yaml")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert (caught.value.file, caught.value.line, caught.value.key) == (path, line, key)
    expected = message.replace("TOGGLES", ", ".join(sorted(registry()))).replace("METRICS", ", ".join(METRICS))
    assert caught.value.message == expected
    assert "\n" not in str(caught.value)


def test_every_malformed_file_is_tested() -> None:
    assert sorted(path.stem for path in (DATA / "bad-scenarios").iterdir()) == sorted(case[0] for case in REFUSED)


def test_defaults_are_those_of_the_contract() -> None:
    scenario = parse(MINIMAL, "minimal.yaml")
    measure = scenario.measure
    assert (measure.margin_of("latency"), measure.budget_s, measure.time_limit_s) == (0.01, 60.0, 60.0)
    assert (measure.workers, measure.threads, measure.memory_repeats) == (6, 1, 3)
    assert (scenario.devices, scenario.design) == (("cpu", "cuda"), "one_at_a_time")
    assert scenario.options() == {"size": "nano", "weights": "random", "seed": 0, "length": None, "steps": None}
    assert scenario.optimizations == {"resample_cache": Toggle(before=False, after=True)}


def test_the_fake_adapter_gets_seconds_and_its_own_keys() -> None:
    scenario = load(str(DATA / "fake.yaml"))
    assert scenario.options() == {
        "base": 0.002, "noise": 0.01, "effects": {"cached_device": -0.1}, "faults": {"resample_cache": "inert"},
        "memory": {"batched_cleanup": 1048576}, "seed": 3, "crowding": {}, "places": {}, "together": {}, "environment": {},
        "new_speaker": 0.0, "misses": {}, "entry_bytes": {}, "at_init": {}, "at_first": {}, "cold": None, "counts_misses": False,
        "costs": {}, "speech": None, "pace": 0.0, "unsteady_from": None, "unsteady_every": 1, "unsteady_by": 2**-23,
        "mute": False,
    }  # fmt: skip


def test_a_scenario_survives_run_json() -> None:
    for path in [DATA / "fake.yaml", *shipped().values()]:
        scenario = load(str(path))
        again = Scenario.from_data(json.loads(json.dumps(scenario.as_data())))
        assert again == scenario
        assert again.file == str(path.absolute())


def test_several_after_states_survive_run_json_and_one_is_the_state_itself() -> None:
    text = MINIMAL.replace(b"resample_cache: true", b"batched_cleanup: {after: [{every: 2}, {every: never}]}")
    assert text != MINIMAL
    scenario = parse(text, "several.yaml")
    assert scenario.optimizations["batched_cleanup"].afters == ({"every": 2}, {"every": "never"})
    assert Scenario.from_data(scenario.as_data()) == scenario
    assert parse(MINIMAL, "minimal.yaml").optimizations["resample_cache"].afters == (True,)


def test_a_torn_run_json_is_refused_without_a_line() -> None:
    data = parse(MINIMAL, "minimal.yaml").as_data()
    data["measure"]["workers"] = "many"
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_data(data)
    assert str(caught.value) == "minimal.yaml: measure.workers: found 'many'; allowed: a whole number"


@pytest.mark.parametrize("name", list(shipped()))
def test_shipped_scenarios_are_valid_and_say_what_they_show(name: str) -> None:
    text = shipped()[name].read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "# yaml-language-server: $schema=../docs/scenario.schema.json\n" in text
    scenario = load(name)
    assert scenario.name == name
    assert scenario.description


@pytest.mark.parametrize("name", ["seed-optimizations", "full-six"])
def test_the_six_of_the_document_are_compared(name: str) -> None:
    assert set(load(name).optimizations) == {
        "cached_cuda_check", "cached_device", "resample_cache", "precompiled_regex", "speaker_preregistration",
        "batched_cleanup",
    }  # fmt: skip


def test_a_misspelt_name_is_told_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"no scenario is called 'seed-optimisations'; did you mean seed-optimizations\?"
    ):
        load("seed-optimisations")
    with pytest.raises(
        UsageError, match=r"no scenario is called 'qqq' \(known: all-regex, .*; a file is given by its path\)"
    ):
        load("qqq")


def test_a_path_that_cannot_be_read_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(MINIMAL)
    with pytest.raises(ScenarioError, match=r"there is no such file; did you mean .*mine\.yaml\?"):
        load(str(tmp_path / "mime.yaml"))
    with pytest.raises(ScenarioError, match="this is a folder; give a scenario file in it"):
        load(str(tmp_path))
    with pytest.raises(ScenarioError, match="the file cannot be read"):
        load(f"{tmp_path}/nul\0byte.yaml")


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(ScenarioError, match="the file is larger than the 1,048,576 bytes that are read"):
        parse(b"#" * (MAX_BYTES + 1), "large.yaml")


@pytest.mark.parametrize(
    "text", [b"!" * 9999, b"k" * 900 + b": 1", b'"a\nb": 1', b"a: &" + b"x" * 9999, b"%YAML " + b"9" * 5000]
)
def test_a_message_stays_short_and_on_one_line_whatever_the_file_holds(text: bytes) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(text, "odd.yaml")
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    assert parse(b"\xef\xbb\xbf" + MINIMAL.replace(b"\n", b"\r\n"), "windows.yaml").name == "minimal"


def test_overrides_replace_values_by_path() -> None:
    scenario = load(
        str(DATA / "fake.yaml"),
        ["measure.budget=1m30s", "measure.metrics.0=rtf", "gate.stage.llm=2%", "measure.metrics.1=stage.llm",
         "measure.margin=0.5%", "optimizations.batched_cleanup={after: {every: 8}}", "workload.texts.en=hello = you"],
    )  # fmt: skip
    assert scenario.measure.budget_s == 90
    assert scenario.measure.metrics[:2] == ("rtf", "stage.llm")
    assert scenario.gate.limits == {"stage.llm": 0.02}
    assert scenario.measure.margin_of("rtf") == 0.005
    assert scenario.optimizations["batched_cleanup"].after == {"every": 8}
    assert scenario.workload.texts["en"] == "hello = you"
    assert parse(MINIMAL, "x", {"measure.workers": "2"}).measure.workers == 2


@pytest.mark.parametrize(
    ("override", "key", "message"),
    [
        ("measure.budgt=3s", "measure.budgt",
         "unknown key; allowed: metrics, margin, budget, workers, threads, memory_repeats, first_repeats, time_limit, vram_limit, memory_snapshot, pin, words, quality, instrumentation; did you mean budget?"),
        ("measure.workers=many", "measure.workers", "found 'many'; allowed: a whole number"),
        ("name.first=x", "name", "found 'minimal' here, which has no keys; set `name` as a whole"),
        ("optimizations.resample_cache.after=true", "optimizations.resample_cache",
         "found true here, which has no keys; set `optimizations.resample_cache` as a whole"),
        ("measure", "", "an override is written key=value, such as measure.budget=30s"),
        ("measure..budget=3s", "", "an override is written key=value, such as measure.budget=30s"),
        ("description=!!python/name:os x", "description", "the tag !!python/name:os is not read; a scenario is plain data"),
        ("devices=[cpu", "devices",
         "not readable as YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'; is the bracket on line 1 closed?"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_named(override: str, key: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(MINIMAL, "minimal.yaml", [override])
    assert caught.value.file == f"--set {override}"
    assert (caught.value.line, caught.value.key, caught.value.message) == (None, key, message)


TWO = MINIMAL.replace(b"true}", b"true, cached_device: true}")


@pytest.mark.parametrize(
    ("text", "gated"),
    [
        (MINIMAL + b"gate: {latency: 2%}\n", {"none": {"latency": 0.02}}),
        (TWO + b"gate: {latency: 2%}\n", {"none": {"latency": 0.02}, "all": {"latency": 0.02}}),
        (TWO + b"gate: {latency: 2%, peak_allocated: 0%, optimizations: {cached_device: {latency: 5%}, all: {rtf: 9%}}}\n",
         {"none": {"latency": 0.02, "peak_allocated": 0.0}, "all": {"latency": 0.02, "peak_allocated": 0.0, "rtf": 0.09},
          "cached_device": {"latency": 0.05, "peak_allocated": 0.0}}),
        (MINIMAL + b"measure: {margin: 3%}\n", {"none": {"latency": 0.03, "peak_allocated": 0.0}}),
        (MINIMAL + b"workload: {concurrency: [1, 2]}\nmeasure: {margin: {latency: 3%, peak_allocated: 2%}}\n",
         {"none": {"latency": 0.03, "peak_allocated": 0.02}}),
        (MINIMAL + b"measure: {metrics: [latency, rtf]}\n", {"none": {"latency": 0.01}}),
        (MINIMAL + b"measure: {metrics: [rtf, init]}\n", {"none": {"rtf": 0.01, "init": 0.01}}),
        (MINIMAL + b"gate: {optimizations: {resample_cache: {}}}\n",
         {name: {"latency": 0.01, "peak_allocated": 0.0} for name in ("none", "resample_cache")}),
    ],
    ids=["one toggle", "two toggles", "limits of toggles", "margins", "at once", "memory not measured", "latency not measured", "named"],
)  # fmt: skip
def test_what_is_gated_with_which_limits(text: bytes, gated: Any) -> None:
    assert parse(text, "x").gated() == gated


def test_limits_of_a_toggle_can_be_set_and_survive_run_json() -> None:
    scenario = parse(
        TWO, "x", ["gate.optimizations.all.stage.llm=3%", "gate.latency=2%", "measure.metrics=[latency, stage.llm]"]
    )
    assert scenario.gated() == {"none": {"latency": 0.02}, "all": {"latency": 0.02, "stage.llm": 0.03}}
    assert scenario.as_data()["gate"] == {"latency": "2%", "optimizations": {"all": {"stage.llm": "3%"}}}
    assert Scenario.from_data(scenario.as_data()) == scenario


def test_a_gate_has_a_grade_of_outputs_beside_its_limits_and_needs_no_optimization() -> None:
    plain = parse(b"name: x\nmodel: {adapter: cosyvoice2}\ngate: {latency: 2%}\n", "x")
    assert plain.gate.output == "bitwise"
    assert plain.as_data()["gate"] == {"latency": "2%"}
    assert plain.gated() == {"none": {"latency": 0.02}}
    loose = parse(b"name: x\nmodel: {adapter: cosyvoice2}\ngate: {output: spectral}\n", "x")
    assert loose.gated() == {"none": {"latency": 0.01, "peak_allocated": 0.0}}
    assert loose.as_data()["gate"] == {"output": "spectral"}
    assert Scenario.from_data(loose.as_data()).gate.output == "spectral"


def test_a_run_without_an_optimization_has_nothing_to_compare_but_its_controls() -> None:
    text = b"name: x\nmodel: {adapter: cosyvoice2}\n"
    with pytest.raises(ScenarioError, match="there is nothing to compare; list at least one"):
        runner.design_of(parse(text, "x"), "cpu")
    controls = runner.design_of(parse(text + b"design: controls\n", "x"), "cpu")
    assert [arm.role for arm in controls.arms] == ["none", "placebo", "placebo", "dose"]


def test_an_override_outside_a_list_is_refused() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(MINIMAL + b"devices: [cpu]\n", "minimal.yaml", ["devices.1=cuda"])
    assert caught.value.message == "the list has 1 entries, counted from 0; found '1'"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2m", 120), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("0.25s", 0.25), (5, 5), (2.5, 2.5)],
)
def test_durations_are_read_as_seconds(text: Any, seconds: float) -> None:
    assert duration_s(text) == seconds


@given(st.floats(1e-6, 600_000))
def test_a_duration_is_written_so_that_it_reads_the_same(seconds: float) -> None:
    assert duration_s(say_duration(seconds)) == seconds


@given(st.floats(1e-6, 0.999))
def test_a_percentage_is_written_so_that_it_reads_the_same(share: float) -> None:
    assert fraction(say_percent(share)) == share


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_a_scenario_error(text: bytes) -> None:
    assert _reads(text) in (True, False)


@given(st.lists(st.sampled_from([*"abk:[]{},-'\"\n \t&*!#|>%@\\?~0.e", "name: ", "\n  - ", "\n---\n", "<<: "])))
def test_arbitrary_yaml_raises_nothing_but_a_scenario_error(pieces: list[str]) -> None:
    assert _reads("".join(pieces).encode()) in (True, False)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DEFINITIONS = schema()["$defs"]
KEYS = ["name", "description", "model", "devices", "plugins", "workload", "optimizations", "design", "measure", "gate"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.sampled_from(["workload", "measure", "model"]), VALUES)
def test_values_of_any_type_raise_nothing_but_a_scenario_error(data: dict[str, Any], key: str, value: Any) -> None:
    data[key] = dict.fromkeys(DEFINITIONS["Workload" if key == "workload" else "Measure"]["properties"], value)
    with pytest.raises(ScenarioError):
        Scenario.from_data(data)


def _reads(text: bytes) -> bool:
    """Whether `text` is a scenario; anything but a ScenarioError escapes."""
    try:
        parse(text, "any.yaml")
    except ScenarioError:
        return False
    return True


def test_names_agree_with_the_places_that_own_them() -> None:
    assert set(get_args(Mode)) == set(get_args(requests.Mode))
    ours, _ = schema()["properties"]["model"]["oneOf"]
    assert set(ours["discriminator"]["mapping"]) == set(adapters.ADAPTERS)
    named, _ = get_args(CosyVoice2.model_fields["size"].annotation)
    assert set(get_args(named)) == set(SIZES)


def test_the_schema_names_every_toggle_with_its_parameters_and_every_metric() -> None:
    made = schema()
    toggles = made["properties"]["optimizations"]["properties"]
    assert set(toggles) == set(registry())
    for name, optimization in registry().items():
        after = toggles[name]["anyOf"][1]["properties"]["after"]["anyOf"][1]
        assert set(after["properties"]) == set(optimization.parameters)
    metric = made["$defs"]["Measure"]["properties"]["metrics"]["items"]
    assert metric["anyOf"][0]["enum"] == list(METRICS)


def test_every_key_has_a_description() -> None:
    made = schema()
    for definition in [made, *made["$defs"].values()]:
        for key, field in definition["properties"].items():
            assert field.get("description"), key


def test_the_committed_schema_and_reference_are_current() -> None:
    how = "run `python -m harness.scenario.docs docs`"
    assert (DOCS / "scenario.schema.json").read_text(encoding="utf-8") == docs.schema_text(), how
    assert (DOCS / "scenarios.md").read_text(encoding="utf-8") == docs.page(), how


def test_reading_a_scenario_imports_nothing_heavy() -> None:
    code = "import sys, harness.scenario; print([m for m in ('torch', 'pandas', 'numpy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
