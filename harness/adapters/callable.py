"""A function of your own, or a factory that makes one: `model: {adapter: callable, target: "my_tts.py:speak"}`.

The function gets what it has parameters for, by their names (`ARGUMENTS`); what it returns is compared (`returned`). Toggles
that replace an attribute are put in place around each request, and those with a site of their own are handed over in the
parameter `sites`. Nothing of this is about speech, unless the function is.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.answers import is_sound, length_of
from harness.adapters.calling import check_target, file_of, parameters_of, place_of, resolve, wanted
from harness.errors import UsageError, nearest
from harness.optimizations import BindContext, Probe, bind, lacking, named, original, patched, registry
from harness.optimizations.registry import own
from harness.toggling import State
from harness.worker.requests import NOBODY, Output, Request, Speaker
from harness.worker.spans import span

if TYPE_CHECKING:
    from harness.worker.machine import Machine

returned: Any = importlib.import_module(
    "harness.adapters.returned" if find_spec("numpy") is not None else "harness.adapters.plain"
)
"""What is done with answers, as the interpreter is able to: with numpy, or without."""

ARGUMENTS = (
    "text", "prompt", "prompt_audio", "prompt_rate_hz", "prompt_text", "speaker", "seed", "stream", "mode", "device", "sites",
)  # fmt: skip
"""Names of parameters that a function gets from a request, and from what is bound."""
_FOR_A_FACTORY = ("device", "sites")


class CallableModel:
    """A function that was imported; `bind` makes the arms of it."""

    def __init__(self, options: Mapping[str, Any], device: str, work_dir: Path) -> None:
        self._owner, self._name = resolve(str(options["target"]))
        self._given = dict(options.get("arguments") or {})
        self._is_factory = bool(options.get("factory")) or inspect.isclass(self._function)
        self._device = device
        self._work_dir = work_dir
        place = place_of(self._function)
        self._told = f"{options['target']} ({place})" if place else str(options["target"])
        known = _FOR_A_FACTORY if self._is_factory else ARGUMENTS
        named, further = wanted(self._function, known, self._given, self._told)
        self._wanted = (*named, *further)
        if not self._is_factory:
            self._refuse_unread(self._wanted, self._function, self._told)
        self._kept = self._given_of(named)
        self.description: Mapping[str, Any] = {
            "adapter": CallableAdapter.name, "target": options["target"], "factory": self._is_factory,
            "arguments": self._given, "kept": self._kept, "device": device,
        }  # fmt: skip
        self.unavailable = {} if self._is_factory else {"init": "a function that no factory makes has nothing to build"}

    @property
    def _function(self) -> Any:
        """The function as it is called by its name now: a toggle may replace it as a whole."""
        return getattr(self._owner, self._name)

    @property
    def source(self) -> str | None:
        """The file in which the function is named; None where there is none."""
        return file_of(str(self.description["target"]))

    @property
    def sites(self) -> frozenset[str]:
        """The sites of the function: every attribute that a toggle replaces, and what it can be handed in `sites`.

        These are the ones that its own attribute `sites` lists, or without one all that plug-ins have under names of their own.
        """
        toggles = [toggle for name, toggle in registry().items() if name not in own()]
        attributes = {site for toggle in toggles for site in toggle.sites if ":" in site}
        if "sites" not in self._wanted and not self._is_factory:
            return frozenset(attributes)
        listed = getattr(self._function, "sites", None)
        handed = {site for toggle in toggles for site in toggle.sites} if listed is None else set(listed)
        return frozenset(attributes | handed)

    def not_applicable(self) -> Mapping[str, str]:
        """Toggles of places that the function does not have."""
        return lacking(self.sites, self._told)

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> CallableTarget:
        """The function with the toggles of `states`; a factory is called, with its toggles in place."""
        replaced, sites = self._implementations(states)
        with patched(replaced):
            return CallableTarget(self._made(sites), replaced)

    def _made(self, sites: Mapping[str, Any]) -> Callable[[Request], Callable[[], Any]]:
        """The function as it is measured: made by the factory, if there is one; given a request, it is ready to be called."""
        if not self._is_factory:
            return partial(self._ready, None, self._wanted, sites)
        known = {"device": self._device, "sites": sites, **self._given}
        made = self._function(**{name: known[name] for name in self._wanted})
        if not callable(made):
            message = f"{self._told} is a factory and must return what can be called; it returned {type(made).__name__}"
            raise UsageError(message)
        spare = [name for name in self._given if name not in self._wanted]
        named, further = wanted(made, ARGUMENTS, self._given, f"what {self._told} makes", spare)
        self._kept.update(self._given_of(named))
        self._refuse_unread((*self._wanted, *named, *further), made, f"what {self._told} makes")
        return partial(self._ready, made, (*named, *further), sites)

    def _refuse_unread(self, read: Sequence[str], function: Any, told: str) -> None:
        """Refuse an argument that neither the function nor its factory takes: nothing would come of it. Raises UsageError."""
        unread = next((name for name in self._given if name not in read), None)
        if unread is None:
            return
        has = parameters_of(function)
        if has is None:
            message = f"of {told} no parameters are known, as of some code that is not Python's, so that it cannot be given {unread}"
        elif unread in has:
            message = f"{told} takes {unread} by its place alone, and arguments are given by name"
        else:
            message = f"{told} has no parameter {unread}{nearest(unread, has)}; it has {', '.join(has) or 'none'}"
        raise UsageError(message)

    def _given_of(self, named: Sequence[str]) -> dict[str, Any]:
        """What is given of parameters that a function has a name for: of what `**kwargs` takes nothing shows that it is read."""
        return {name: self._given[name] for name in named if name in self._given}

    def _implementations(self, states: Mapping[str, State]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is put in the place of attributes, and what the function is handed in `sites`."""
        bound = bind(states, self._context(), self.sites)
        on = {site for name, state in states.items() if state is not False for site in named(name).sites}
        replaced = {site: item for site, item in bound.items() if ":" in site and site in on}
        return replaced, {site: item for site, item in bound.items() if ":" not in site}

    def _ready(
        self, made: Callable[..., Any] | None, names: Sequence[str], sites: Mapping[str, Any], request: Request
    ) -> Callable[[], Any]:
        return partial(
            made or self._function,
            **{
                name: self._given[name] if name in self._given else self._argument(name, request, sites)
                for name in names
            },
        )

    def _argument(self, name: str, request: Request, sites: Mapping[str, Any]) -> Any:
        """What the function gets for the parameter `name`."""
        bound = {"device": self._device, "sites": sites}
        if name in bound:
            return bound[name]
        if name in ("text", "seed", "stream", "mode"):
            return getattr(request, name)
        by = request.speaker
        if by == NOBODY and name != "speaker":
            message = f"{self._told} asks for {name}, and the workload has no prompts: give some under workload.prompts"
            raise UsageError(message)
        if name in ("prompt_audio", "prompt_rate_hz"):
            samples, rate_hz = _recording(by.audio)
            return returned.prompt(samples) if name == "prompt_audio" else rate_hz
        return {"prompt": str(by.audio), "prompt_text": by.text, "speaker": by.id}[name]

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe:
        """The witness of a toggle, as it declares it."""
        return named(optimization).witness.probe(**parameters)

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]:
        """A call of the toggle's place with the arguments of the first that `request` makes of it, without any toggle."""
        site = named(optimization).sites[0]
        calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        _, sites = self._implementations({})
        kept = original(site) if ":" in site else sites.get(site)
        if not callable(kept):
            message = f"{site} is no function, so that there is no call of it to time alone"
            raise UsageError(message)

        def noting(*arguments: Any, **named_arguments: Any) -> Any:
            calls.append((arguments, named_arguments))
            return kept(*arguments, **named_arguments)

        with patched({site: noting} if ":" in site else {}):
            self._made(sites if ":" in site else {**sites, site: noting})(request)()
        if not calls:
            message = f"the request does not call {site}, so that there is no call of it to time alone"
            raise UsageError(message)
        arguments, named_arguments = calls[0]
        parameters = {} if isinstance(state, bool) else dict(state)
        toggle, context = named(optimization), self._context()
        implementation = toggle.before(context) if state is False else toggle.after(context, **parameters)
        return toggle.place(partial(implementation, **named_arguments), *arguments)

    def inference(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def _context(self) -> BindContext:
        return BindContext(
            device=self._device, prompt_rate_hz=0, model_rate_hz=0, store_dir=self._work_dir, model_fingerprint=""
        )


class CallableTarget:
    """An arm: calls the function, and hands its answer over."""

    def __init__(self, prepare: Callable[[Request], Callable[[], Any]], replaced: Mapping[str, Any]) -> None:
        self._prepare = prepare
        self._replaced = replaced
        self._in_place = ExitStack()

    def activate(self) -> None:
        """The arm's replacements in place, and random numbers that start anew: those that the function draws unseeded."""
        _seed()
        self._in_place.enter_context(patched(self._replaced))

    def deactivate(self) -> None:
        """What was replaced, as it was."""
        self._in_place.close()

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output:
        """Call the function with what `request` has. Of an iterator, such as a generator, every item is a chunk."""
        call = self._prepare(request)
        since_ns, in_chunks = time.time_ns(), False
        with span("call"):
            value = call()
            if isinstance(value, Iterator):
                value, in_chunks = _collected(value, on_chunk), True
            elif request.stream:
                value = _on_host(value)
                on_chunk(length_of(value))
        if inspect.isawaitable(value) or hasattr(value, "__aiter__"):
            if inspect.iscoroutine(value):
                value.close()  # or Python warns that nobody awaited it
            message = "the function is asynchronous, and calling it does no work: give one that runs it, by asyncio.run"
            raise UsageError(message)
        if request.stream and not is_sound(value):
            message = "stream: true asks for sound in chunks: let the function yield pairs (samples, rate)"
            raise UsageError(message)
        answer: Output = returned.Returned(value, since_ns, in_chunks=in_chunks)
        return answer


class CallableAdapter:
    """`model: {adapter: callable, target: "my_tts.py:speak", factory: false, arguments: {steps: 10}}`."""

    name = "callable"
    switches = ("arguments",)

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse a file that is missing, cannot be parsed, or has no such function. Runs nothing. Raises UsageError."""
        check_target(str(options["target"]))

    def load(self, options: Mapping[str, Any], machine: Machine, work_dir: Path) -> CallableModel:
        """The function, its module imported: whatever that loads is not timed. Raises UsageError."""
        self.check(options)
        return CallableModel(options, machine.device, work_dir)


def _collected(chunks: Iterator[Any], on_chunk: Callable[[int], None]) -> Any:
    """All items of an iterator, each told as it comes: one sound where all are sound of one rate, a list of them else.

    Each is copied before the next is asked for, which may come in the same memory.
    """
    items = []
    for item in map(_on_host, chunks):
        on_chunk(length_of(item))
        items.append(_copied(item))
    rates = {item[1] if is_sound(item) else None for item in items}
    return items if len(rates) != 1 or None in rates else returned.joined(items)


def _copied(item: Any) -> Any:
    try:
        return copy.deepcopy(item)
    except Exception:  # noqa: BLE001  whatever an object says that cannot be copied: then it is kept as it is
        return item


def _on_host(value: Any) -> Any:
    """What a function made, its sound on the host: on a GPU it may still be computed, and nobody can hear it."""
    return (value[0].cpu(), value[1]) if is_sound(value) and getattr(value[0], "is_cuda", False) else value


def _seed() -> None:
    """Start the random numbers of Python, numpy and torch anew, as far as they were imported."""
    random.seed(0)
    returned.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.manual_seed(0)


@lru_cache(maxsize=16)
def _recording(file: Path) -> tuple[Any, int]:
    """Samples of a recording, and its rate. Without soundfile, or numpy with which it reads, it is a WAV file that the runner
    wrote for it (`wire`).
    """
    found: tuple[Any, int] = returned.recording(file)
    return found


ADAPTER = CallableAdapter()
