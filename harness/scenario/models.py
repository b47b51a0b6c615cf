"""What a scenario is once it has been read: frozen pydantic models. Times are seconds, percentages fractions.

Field names carry the unit, aliases are the YAML keys. The descriptions here and in `target` and `requests` are the text
of `docs/scenarios.md` and of the JSON Schema. Which toggles there are, and what they take, is the registry's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from harness import plugins
from harness.errors import ScenarioError
from harness.metrics import EXACT, FIRST, SITE
from harness.results import NOTHING, TOGETHER
from harness.scenario.gating import Gate
from harness.scenario.keys import Keys
from harness.scenario.problems import refuse, scenario_error, unknown
from harness.scenario.quantities import Bytes, Seconds
from harness.scenario.requests import Workload
from harness.scenario.scalars import DesignName, Device, MarginOrMargins, MetricName, Name, Text, Whole, distinct
from harness.scenario.source import KeyPath, Place, Source, dotted, found, read
from harness.scenario.target import Callable, Model, Plugged, ToggleName
from harness.scenario.toggles import check_design, check_states, check_together

DEFAULT_MARGIN = 0.01
_DEFAULT_METRICS = (
    "latency", "ttfa", "chunk_gap", "rtf", "init", "energy", "peak_allocated", "peak_reserved", "driver_used",
    "fragmentation", "rss_peak",
)  # fmt: skip
_NOT_GATED = {
    SITE: "a gate measures requests, and times no place alone",
    FIRST: "a gate measures requests that are not the first of their process",
}


def _state(value: Any) -> Any:
    if not isinstance(value, bool | Mapping):
        refuse(f"found {found(value)}; allowed: true, false, or a mapping of parameters")
    return value


def _short_toggle(value: Any) -> Any:
    """`true` stands for {before: false, after: true}."""
    if value is False:
        refuse("found false; leave the toggle out, or give its states as {before: , after: }")
    return {} if value is True else value


def _states(value: Any) -> Any:
    """One state, or a list of them."""
    if not isinstance(value, list | tuple):
        return _state(value)
    if not value:
        refuse("found an empty list; allowed: one state, or a list of states that are each compared with before")
    for index, state in enumerate(value):
        if not isinstance(state, bool | Mapping):
            refuse(f"found {found(state)}; allowed: true, false, or a mapping of parameters", index)
    return tuple(value)


State = Annotated[bool | dict[str, Any], BeforeValidator(_state)]
States = Annotated[bool | dict[str, Any] | tuple[bool | dict[str, Any], ...], BeforeValidator(_states)]


class Toggle(Keys):
    """The states of an optimization that are compared: false, true, or true with parameters; after, also several."""

    before: State = Field(default=False, description="State on the side before.")
    after: States = Field(
        default=True, description="State on the side after, or a list of states, each of which is compared with before."
    )

    @property
    def afters(self) -> tuple[bool | dict[str, Any], ...]:
        """The states on the side after; the first stands where several toggles are on together."""
        return self.after if isinstance(self.after, tuple) else (self.after,)


def _options(model: Keys) -> dict[str, Any]:
    """What a model says of itself, values as they were read, by the keys of YAML; one over another's too."""
    values = {
        field.alias or name: getattr(model, name)
        for name, field in type(model).model_fields.items()
        if name != "adapter"
    }
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return _options(value) if isinstance(value, Keys) else value


class Measure(Keys):
    """What is measured, how finely, and for how long."""

    metrics: Annotated[tuple[MetricName, ...], Field(min_length=1), AfterValidator(distinct)] = Field(
        default=_DEFAULT_METRICS,
        description="Metrics to compare. `stage.NAME` is the time of a stage on the host, `device.NAME` on the GPU; `site` "
        "has every optimization's own place timed alone as well, `first_request` the first request of fresh processes.",
    )
    margin: MarginOrMargins = Field(
        default=DEFAULT_MARGIN,
        description="The smallest change that matters: one for all metrics, or a mapping from metrics to percentages "
        "(1% for those it leaves out).",
    )
    budget_s: Seconds = Field(
        default=60.0,
        alias="budget",
        description="Measuring time per device, start-up not counted; less when all is decided.",
    )
    workers: Annotated[Whole, Field(ge=1, le=64)] = Field(
        default=6, description="Fresh processes that measure latency in turn."
    )
    threads: Annotated[Whole, Field(ge=1, le=256)] = Field(default=1, description="Threads of a worker.")
    memory_repeats: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=3, description="Fresh processes per arm in which memory is measured."
    )
    first_repeats: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=6,
        description="Fresh processes per arm whose init and first request are timed, with the metric `first_request`; "
        "fewer than 6 give no verdict.",
    )
    time_limit_s: Seconds = Field(
        default=60.0, alias="time_limit", description="Longest time of one request before it has hung."
    )
    vram_limit_bytes: Bytes | SkipJsonSchema[None] = Field(
        default=None,
        alias="vram_limit",
        description="The most of a GPU's memory that a worker may take, its CUDA context counted in (`4GiB`): what a "
        "smaller card would do. What does not fit is reported with its stage and by how much.",
    )
    memory_snapshot: bool = Field(
        default=False,
        description="Keep every allocation of each arm's requests on a GPU, with its place in the code.",
    )
    pin: bool = Field(
        default=False,
        description="Whether a latency worker keeps to the core that it finds least disturbed when it starts. (The pairs of "
        "processes of a gate share a core in any case.)",
    )
    words: bool = Field(
        default=False,
        description="Whether a speech recogniser listens to the outputs that are compared, and counts the words that are "
        "wrong before and after (English texts alone; needs the extra `words`, and is left out, and said so, without it).",
    )
    quality: bool = Field(
        default=False,
        description="Whether the quality of the outputs that are compared is estimated, and how like the reference's voice theirs "
        "is (of sound in any language; needs packages with weights, and is left out, and said so, without them).",
    )
    instrumentation: bool = Field(
        default=False,
        description="Measure also arms that are listened to not at all and 200 times over: what the spans themselves cost.",
    )

    def margin_of(self, metric: str) -> float:
        """The margin of `metric` as a fraction."""
        return self.margin.get(metric, DEFAULT_MARGIN) if isinstance(self.margin, dict) else self.margin

    @model_validator(mode="after")
    def _margins_of_measured(self) -> Self:
        for metric in self.margin if isinstance(self.margin, dict) else ():
            if metric not in self.metrics:
                refuse("this metric is not in measure.metrics, so that its margin has no use", "margin", metric)
        return self


CALL: Mapping[str, Any] = {"mode": "call", "texts": {"call": "builtin:en-short"}, "prompts": []}
"""The workload of a user's function where the scenario says nothing of it."""


def _plugin_files(data: Any, file: str) -> list[Path]:
    """The files under `plugins:`, as far as that is a list of texts; what else it is, is refused when it is validated."""
    given = data.get("plugins") if isinstance(data, Mapping) else None
    is_list = isinstance(given, list | tuple) and all(isinstance(item, str) and item for item in given)
    return list(plugins.files_of({"file": file, "plugins": given})) if is_list else []


class Scenario(Keys):
    """Which optimizations are compared, on what, and how."""

    name: Name = Field(description="A short name, for reports and result folders.")
    description: Annotated[str, Field(max_length=5000)] = Field(
        default="", description="What the scenario shows, for readers."
    )
    model: Model = Field(description="What is measured; `adapter` says which of the following it is.")
    devices: Annotated[tuple[Device, ...], Field(min_length=1), AfterValidator(distinct)] = Field(
        default=("cpu", "cuda"),
        description="`cpu`, `cuda` (the first GPU), `cuda:1`. A device that is absent is skipped, and said so.",
    )
    plugins: Annotated[tuple[Text, ...], AfterValidator(distinct)] = Field(
        default=(),
        description="Python files with optimizations of your own, relative to the scenario's file. They are code: `run`, `plan`, "
        "`calibrate` and `gate` run them, in processes of their own; `validate` and `report` do not.",
    )
    workload: Workload = Field(default=Workload(), description="The requests that are run.")
    optimizations: dict[ToggleName, Annotated[Toggle, BeforeValidator(_short_toggle)]] = Field(
        default={},
        description="The toggles to compare, each with its states; `true` is short for off before, on after. `harness gate` "
        "needs none: it compares revisions. `harness run` needs one, but for the design `controls`.",
    )
    design: DesignName = Field(
        default="one_at_a_time",
        description="`one_at_a_time`: each toggle alone against none, and all against none. `leave_one_out`: all "
        "against all but each. `levels`: one toggle, each of its listed states against before. `ladder`: toggles are turned "
        "on one after the other, in the order in which they are listed. `factorial`: every combination of up to 6 toggles; "
        "`fractional`: a part of these (4 to 15 toggles); `permutations`: ladders in sampled orders (3 to 12 toggles): what "
        "these three say is in docs/attribution.md. `controls`: no toggle, the reference and its controls alone (`harness "
        "calibrate`).",
    )
    measure: Measure = Field(default=Measure(), description="How it is measured.")
    gate: Gate = Field(
        default=Gate(), description="For `harness gate`: the largest loss in each metric that still passes."
    )
    _file: str = PrivateAttr(default="")

    def __hash__(self) -> int:
        return hash((self.name, self.file))

    @property
    def file(self) -> str:
        """The file that the scenario came from; relative paths in it start at its folder."""
        return self._file

    def resolve(self, path: str) -> Path:
        """A path as the scenario writes it, made absolute from the folder of the scenario's file."""
        return (Path(self.file).parent / Path(path).expanduser()).absolute()

    def options(self) -> dict[str, Any]:
        """The adapter's own keys of `model:`, times in seconds, paths absolute: what `Adapter.load` takes."""
        if isinstance(self.model, Plugged):
            return dict(self.model.model_extra or {})
        options = _options(self.model)
        if isinstance(self.model, Callable):
            where, _, name = self.model.target.rpartition(":")
            if where.endswith(".py"):
                options["target"] = f"{self.resolve(where)}:{name}"
        if options.get("weights", "random") != "random":
            options["weights"] = str(self.resolve(options["weights"]))
        for name in ("path", "supply"):
            if options.get(name) is not None:
                options[name] = str(self.resolve(options[name]))
        if str(options.get("voice", "")).endswith(".onnx"):
            options["voice"] = str(self.resolve(options["voice"]))
        if options.get("python") is not None:
            options["python"] = str(self.resolve(options["python"]))
        return options

    @property
    def peaks_are_exact(self) -> bool:
        """Whether peak allocated is the same number in every repeat: of requests made alone, not of several at the same moment (decision 38)."""
        return max(self.workload.concurrency) == 1

    def gated(self) -> dict[str, dict[str, float]]:
        """What `harness gate` judges: the settings `none`, with several toggles `all`, and those that `gate.optimizations`
        names, each with the largest loss in each metric that still passes, as a fraction.
        """
        limits = self.gate.limits or self._limits_of_margins()
        together = [TOGETHER] if len(self.optimizations) > 1 else []
        settings = dict.fromkeys([NOTHING, *together, *self.gate.optimizations])
        return {name: {**limits, **self.gate.optimizations.get(name, {})} for name in settings}

    def _limits_of_margins(self) -> dict[str, float]:
        """The margin of latency, or where it is not measured those of all metrics; of what is exact, nothing may be lost.

        Peak allocated is exact of requests made alone; of several at the same moment its margin is its limit.
        """
        metrics = self.measure.metrics
        limits = {
            name: self.measure.margin_of(name)
            for name in metrics
            if name == "latency" or ("latency" not in metrics and name not in _NOT_GATED)
        }
        if EXACT not in metrics:
            return limits
        return {**limits, EXACT: 0.0 if self.peaks_are_exact else self.measure.margin_of(EXACT)}

    def as_data(self) -> dict[str, Any]:
        """Plain JSON data, for run.json: the YAML keys with every default written out, and `file`."""
        return {"file": self.file, **self.model_dump(mode="json", by_alias=True, exclude_none=True)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The scenario of `as_data`. Raises ScenarioError."""
        keys = dict(data)
        file = str(keys.pop("file", ""))
        return cls.from_source(Source(data=keys, places={(): Place(file=file, line=None)}), file)

    @classmethod
    def from_source(cls, source: Source, file: str) -> Self:
        """The scenario of YAML that was read. Raises ScenarioError about the first thing that is wrong."""
        try:
            toggles = plugins.names(_plugin_files(source.data, file))
        except plugins.PluginError as error:
            raise source.error(
                str(error), ("plugins", error.number) if error.number is not None else ("plugins",)
            ) from None
        try:
            scenario = cls.model_validate(source.data, context={"toggles": toggles})
        except ValidationError as error:
            raise scenario_error(error, source) from None
        scenario._file = file  # noqa: SLF001  its own private attribute, before anyone else sees it
        return scenario

    def error(self, message: str, path: KeyPath) -> ScenarioError:
        """An error about the value at `path` that shows only when it is used, with its line if the file still has it."""
        try:
            return read(Path(self.file).read_bytes(), self.file).error(message, path)
        except (OSError, ScenarioError):
            return ScenarioError(message, file=self.file, key=dotted(path))

    @model_validator(mode="before")
    @classmethod
    def _a_function_needs_no_prompt(cls, value: Any) -> Any:
        """A user's function is called on the CPU, once, with one short text, unless the scenario says more."""
        if not isinstance(value, dict) or not isinstance(value.get("model"), dict):
            return value
        given = value.get("workload", {})
        if value["model"].get("adapter") != plugins.CALLABLE or not isinstance(given, dict):
            return value
        return {"devices": ["cpu"], **value, "workload": {**CALL, **given}}

    @field_validator("optimizations")
    @classmethod
    def _states_make_sense(cls, value: dict[str, Toggle]) -> dict[str, Toggle]:
        for name, toggle in value.items():
            check_states(name, toggle.before, toggle.after)
        check_together(list(value))
        return value

    @model_validator(mode="after")
    def _design_fits(self) -> Self:
        check_design(self.design, {name: len(toggle.afters) for name, toggle in self.optimizations.items()})
        return self

    @model_validator(mode="after")
    def _the_workload_fits_the_model(self) -> Self:
        own = not isinstance(self.model, Plugged) and self.model.adapter != plugins.CALLABLE
        if own and "call" in self.workload.modes:
            refuse("the mode call is for the adapter callable alone", "workload", "mode")
        if own and not self.workload.prompts:
            refuse("found an empty list; allowed: at least 1 entry", "workload", "prompts")
        return self

    @model_validator(mode="after")
    def _spans_are_there_to_be_measured(self) -> Self:
        if self.measure.instrumentation and max(self.workload.concurrency) > 1:
            refuse("requests at the same moment have no spans whose cost could be shown", "measure", "instrumentation")
        return self

    @model_validator(mode="after")
    def _gate_is_measured(self) -> Self:
        for path, limits in self.gate.parts():
            for metric in limits:
                if metric not in self.measure.metrics:
                    refuse("this metric is not in measure.metrics, so that it cannot be gated", *path, metric)
                if metric in _NOT_GATED:
                    refuse(_NOT_GATED[metric], *path, metric)
        return self

    @model_validator(mode="after")
    def _gated_words_are_heard(self) -> Self:
        if self.gate.output == "words" and not self.measure.words:
            refuse("words are compared by listening to them; set measure.words as well", "gate", "output")
        return self

    @model_validator(mode="after")
    def _gated_settings_are_compared(self) -> Self:
        several = len(self.optimizations) > 1
        known = [*self.optimizations, *([TOGETHER] if several else ())]
        for name in self.gate.optimizations:
            if name not in known:
                refuse(unknown("optimization of this scenario", name, known), "gate", "optimizations", name)
        return self
