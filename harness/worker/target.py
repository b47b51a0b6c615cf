"""The seam between a worker and what it measures.

    load(options, machine, work_dir) -> Model   weights in memory, once per worker; nothing here is timed
    Model.bind(states, speakers) -> Target      a pipeline over those weights with the arm's toggles; timed as `init` (see `draft`)
    Target.run(request, on_chunk) -> Output     one request, timed; `on_chunk(samples)` is called as each chunk of that many
                                                samples reaches the host

`activation` is for targets whose toggles are changes of the whole process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Protocol

from .arms import State
from .probes import Probe
from .requests import Output, Request, Speaker


class Target(Protocol):
    """A pipeline with an arm's toggles bound.

    A target may have more methods, without arguments. `held` counts what its caches hold (see below), untimed. `activate` and
    `deactivate` are called, untimed, around each of its requests, so that changes of the whole process that its arm needs (a replaced function, say) are in place while it
    runs, and at no other time. Of several targets of one arm that run at the same moment, all are activated before and
    deactivated in the reverse order after.
    """

    def run(self, request: Request, on_chunk: Callable[[int], None]) -> Output: ...


class Model(Protocol):
    """Weights in memory, and what can be built over them.

    `not_applicable` names toggles that this target cannot take, with the reason. `probe` opens the witness of a toggle
    with the given parameters; in our own interpreter the usual answer is `named(toggle).witness.probe(**parameters)`. `place`
    makes one call of a toggle's place as `request` has it, for timing it alone; such calls are made inside `inference()`,
    which is whatever a request runs in. A model may have `unavailable`: metrics that mean nothing of it, with the reason.
    """

    description: Mapping[str, Any]

    def not_applicable(self) -> Mapping[str, str]: ...

    def bind(self, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Target: ...

    def probe(self, optimization: str, parameters: Mapping[str, Any]) -> Probe: ...

    def place(self, optimization: str, state: State, request: Request) -> Callable[[], Any]: ...

    def inference(self) -> AbstractContextManager[Any]: ...


def not_applicable(model: Model, named: Iterable[str]) -> dict[str, str]:
    """Toggles that a model cannot take, with the reasons: what it says itself, and those of the `named` that it does not know.

    A model outside our own interpreter, which has the list of all toggles, has `toggles`: the names of those that it knows.
    """
    known = getattr(model, "toggles", None)
    others = {} if known is None else {name: "this adapter does not know it" for name in named if name not in known}
    return {**others, **model.not_applicable()}


def already_present(model: Model) -> dict[str, str]:
    """Toggles that a target's own code has, and where: the models of other people's code have a method that says so.

    Their `bind` puts the code before back where such a toggle is off.
    """
    said = getattr(model, "already_present", None)
    return {} if said is None else dict(said())


def draft(model: Model, states: Mapping[str, State], speakers: Sequence[Speaker]) -> Callable[[], Target]:
    """What is timed of `bind`: all of it, unless a model has a method `draft`, which does the adapter's own part of it at once."""
    said = getattr(model, "draft", None)
    drafted: Callable[[], Target] = partial(model.bind, states, speakers) if said is None else said(states, speakers)
    return drafted


def held(target: Target) -> dict[str, tuple[int, int]]:
    """What the caches of a target hold, as toggle -> (entries, bytes); nothing for a target without the method `held`."""
    said = getattr(target, "held", None)
    return {} if said is None else dict(said())


@contextmanager
def activation(targets: Sequence[Target]) -> Iterator[None]:
    """Activate those of `targets` that have the methods for it; deactivated again, the last one first, whatever happens."""
    with ExitStack() as stack:
        for target in targets:
            activate = getattr(target, "activate", None)
            if activate is not None:
                activate()
                stack.callback(target.deactivate)  # type: ignore[attr-defined]  # whoever has the one has the other
        yield


@contextmanager
def declaring(model: Model) -> Iterator[Sequence[Mapping[str, Any]]]:
    """What a model declares of the work of requests in the enclosed block, complete when it ends; nothing of most models.

    A model that does has `declaring`, a context that gives a list. Each of its items is of one part of a stage, with the
    fields of `results.PartWork`; `part` begins with the stage's name and may go on after a dot.
    """
    said = getattr(model, "declaring", None)
    if said is None:
        yield []
        return
    with said() as parts:
        yield parts
