"""The scalar types of a scenario: names, labels, devices, metrics, seeds. Each says what is allowed when it refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, Discriminator, Field, Strict, Tag, WithJsonSchema

from harness.metrics import METRICS, SUMMARISED
from harness.scenario import texts
from harness.scenario.problems import refuse, unknown
from harness.scenario.quantities import Margin
from harness.scenario.source import found

BUILTIN = "builtin"
BUILTIN_PROMPTS = ("aishell-0121", "aishell-0122")
"""Names of the two recordings that s3tokenizer ships: utterances 121 and 122 of AISHELL-1's speaker 764."""

_DEVICE = r"^(cpu|cuda(:[0-9]{1,2})?)$"
_LABEL = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
_STAGE_METRIC = r"^(stage|device)\.[A-Za-z0-9_.]{1,60}$"
_BUILTIN_PROMPT = rf"^builtin(:({'|'.join(BUILTIN_PROMPTS)}))?$"
_MAX_SEEDS = 1000

Mode = Literal["sft", "zero_shot", "cross_lingual", "voice_conversion", "call"]
Design = Literal[
    "one_at_a_time", "leave_one_out", "levels", "ladder", "factorial", "fractional", "permutations", "controls"
]
Fault = Literal[
    "crash",
    "crash_once",
    "crash_at_bind",
    "hang",
    "out_of_memory",
    "error",
    "error_in_a_crowd",
    "error_at_place",
    "change",
    "change_at_first",
    "change_later",
    "draw",
    "draw_only",
    "nudge",
    "glitch",
    "shift",
    "inert",
    "refused",
]

Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]


def several(value: Any) -> Any:
    """A single value stands for a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse a value that is given twice."""
    for index, value in enumerate(values):
        if value in values[:index]:
            refuse(f"{found(value)} is given twice", index)
    return values


def _name(value: str) -> str:
    if not value.isprintable():
        refuse(f"found {found(value)}; a name is one line of printable characters")
    return value


def _device(value: str) -> str:
    if not re.fullmatch(_DEVICE, value):
        refuse(f"found {found(value)}; allowed: cpu, cuda, cuda:1 (a GPU by its index)")
    return "cuda" if value == "cuda:0" else value


def _label(value: str) -> str:
    if not re.fullmatch(_LABEL, value):
        refuse(f"found {found(value)}; a label has letters, digits, - and _, at most 40")
    return value


def _metric(value: str) -> str:
    if value in SUMMARISED:
        refuse(f"{value} is recorded wherever it can be and never compared; leave it out here")
    if value not in METRICS and not re.fullmatch(_STAGE_METRIC, value):
        refuse(unknown("metric", value, [*METRICS, "stage.NAME", "device.NAME"]))
    return value


def _design(value: Any) -> Any:
    known = get_args(Design)
    if value not in known:
        refuse(unknown("design", str(value), known))
    return value


def _stream(value: Any) -> Any:
    if not isinstance(value, bool) and value != "both":
        refuse(f"found {found(value)}; allowed: true, false, both")
    return value


def _seeds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if not 1 <= value <= _MAX_SEEDS:
        refuse(f"found {value}; allowed: a number of seeds from 1 to {_MAX_SEEDS}, or a list of seeds")
    return tuple(range(value))


def check_text(label: str, text: str) -> str:
    """`text` with `builtin:NAME` completed to `builtin:LANGUAGE-NAME`, the language taken from the label if need be."""
    kind, _, name = text.partition(":")
    if kind != BUILTIN:
        return text
    language = re.split("[-_]", label)[0]
    for candidate in (name, f"{language}-{name}"):
        if candidate in texts.TEXTS:
            return f"{BUILTIN}:{candidate}"
    if any(f"{known}-{name}" in texts.TEXTS for known in texts.LANGUAGES):
        choices = " or ".join(f"{BUILTIN}:{known}-{name}" for known in texts.LANGUAGES)
        refuse(f"the label {label!r} names no language of {text!r}; write {choices}", label)
    return refuse(unknown("builtin text", name if "-" in name else f"{language}-{name}", texts.TEXTS), label)


def _builtin_prompt(value: Any) -> Any:
    if not isinstance(value, str):
        refuse(f"found {found(value)}; allowed: builtin, builtin:NAME, or a mapping with the keys audio, text")
    kind, _, name = value.partition(":")
    if kind != BUILTIN:
        refuse(f"found {found(value)}; allowed: builtin, builtin:NAME; a recording of yours is {{audio: , text: }}")
    if ":" in value and name not in BUILTIN_PROMPTS:
        refuse(unknown("builtin prompt", name, BUILTIN_PROMPTS))
    return value


def mapping_or_not(value: Any) -> str:
    """The branch of a union between a mapping and something else."""
    return "mapping" if isinstance(value, Mapping | BaseModel) else "plain"


Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_name)]
Text = Annotated[str, Field(min_length=1, max_length=5000)]
Label = Annotated[
    str, AfterValidator(_label), WithJsonSchema({"type": "string", "pattern": _LABEL, "examples": ["zh", "en-long"]})
]
Device = Annotated[
    str,
    AfterValidator(_device),
    WithJsonSchema({"type": "string", "pattern": _DEVICE, "examples": ["cpu", "cuda", "cuda:1"]}),
]
MetricName = Annotated[
    str,
    AfterValidator(_metric),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(METRICS)},
                {"type": "string", "pattern": _STAGE_METRIC, "examples": ["stage.llm", "device.flow"]},
            ]
        }
    ),
]
Modes = Annotated[
    tuple[Mode, ...],
    Field(min_length=1),
    BeforeValidator(several),
    AfterValidator(distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(get_args(Mode))},
                {"type": "array", "minItems": 1, "items": {"enum": list(get_args(Mode))}},
            ]
        }
    ),
]
Stream = Annotated[bool | Literal["both"], BeforeValidator(_stream)]
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
Seeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1, max_length=_MAX_SEEDS),
    BeforeValidator(_seeds),
    AfterValidator(distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _MAX_SEEDS},
                {"type": "array", "minItems": 1, "maxItems": _MAX_SEEDS, "items": {"type": "integer", "minimum": 0}},
            ]
        }
    ),
]
AtOnce = Annotated[Whole, Field(ge=1, le=64)]
Concurrency = Annotated[
    tuple[AtOnce, ...],
    Field(min_length=1),
    BeforeValidator(several),
    AfterValidator(distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 64},
                {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": 64}},
            ]
        }
    ),
]
DesignName = Annotated[Design, BeforeValidator(_design)]
BuiltinPrompt = Annotated[
    str,
    BeforeValidator(_builtin_prompt),
    WithJsonSchema(
        {"type": "string", "pattern": _BUILTIN_PROMPT, "examples": [BUILTIN, f"{BUILTIN}:{BUILTIN_PROMPTS[0]}"]}
    ),
]
MarginOrMargins = Annotated[
    Annotated[Margin, Tag("plain")] | Annotated[dict[MetricName, Margin], Tag("mapping")],
    Discriminator(mapping_or_not),
]
