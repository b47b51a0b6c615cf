"""Stage spans and event counters that run through an instrumented model, near-free when nobody listens.

A model writes `with span("llm"): ...` and `count("speaker.extracted")`. Outside `recording` and `counting` they do
nothing but look at one module variable. Inside, a span costs one clock reading at either end, and on a GPU one CUDA
event as well (`Recorder.mark`), which is read after the request, never inside it.

An exception that leaves a span carries the name of the innermost one (`stage_of`), whether somebody listens or not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from threading import get_ident
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Protocol, TypeVar

_STAGE = "harness_stage"


class Listener(Protocol):
    """Is asked for a context around each stage; `Recorder` times it, `vram.PeakRecorder` reads memory there."""

    def span(self, name: str) -> AbstractContextManager[None]: ...


class Recorder:
    """Collects the spans of one request.

    `mark`, if given, is called at both ends of a span and must return at once; what it returned is kept beside the
    host times (for CUDA: a recorded event). `spans` holds (name, start_ns, end_ns, start_mark, end_mark).
    """

    def __init__(self, mark: Callable[[], Any] | None = None, clock_ns: Callable[[], int] = perf_counter_ns) -> None:
        self.mark = mark
        self.clock_ns = clock_ns
        self.spans: list[tuple[str, int, int, Any, Any]] = []

    def span(self, name: str) -> AbstractContextManager[None]:
        """A context that times itself as stage `name`."""
        return _Span(self, name)

    def totals_s(self) -> dict[str, float]:
        """Host seconds per span name, summed over the spans of that name."""
        totals: dict[str, float] = {}
        for name, start, end, _, _ in self.spans:
            totals[name] = totals.get(name, 0.0) + (end - start) / 1e9
        return totals


class Repeated:
    """Does what `recorder` does `times` times over at each stage, which shows what one time costs; keeps it once.

    The loop around it counts as well: what is found is at most too high.
    """

    def __init__(self, recorder: Recorder, times: int) -> None:
        self._recorder = recorder
        self._aside = Recorder(recorder.mark, recorder.clock_ns)
        self._times = times

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        aside = [self._aside.span(name) for _ in range(self._times - 1)]
        for one in aside:
            one.__enter__()
        with self._recorder.span(name):
            yield
        for one in aside:
            one.__exit__(None, None, None)


class _State:
    """Who listens in this process."""

    __slots__ = ("counts", "listener", "thread")

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.thread = 0
        self.counts: tuple[Counter[str], ...] = ()


_state = _State()


class _Span:
    __slots__ = ("_mark", "_name", "_recorder", "_start")

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    def __enter__(self) -> None:
        mark = self._recorder.mark
        self._mark = mark() if mark is not None else None
        self._start = self._recorder.clock_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        recorder = self._recorder
        end = recorder.clock_ns()
        end_mark = recorder.mark() if recorder.mark is not None else None
        recorder.spans.append((self._name, self._start, end, self._mark, end_mark))
        if error is not None:
            blame(error, self._name)


class _Unheard:
    """A span that nobody listens to."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            blame(error, self._name)


_unheard = lru_cache(maxsize=256)(_Unheard)


def span(name: str) -> AbstractContextManager[None]:
    """Tell the listener, if this thread has one, of the enclosed stage `name`. Stages at one depth must not overlap."""
    listener = _state.listener
    return _unheard(name) if listener is None or _state.thread != get_ident() else listener.span(name)


def blame(error: BaseException, stage: str) -> None:
    """Note `stage` as where `error` came from, unless a stage within it has been noted already."""
    if not hasattr(error, _STAGE):
        setattr(error, _STAGE, stage)


def stage_of(error: BaseException) -> str | None:
    """The innermost stage that `error` left, None if it left none."""
    stage: str | None = getattr(error, _STAGE, None)
    return stage


ListenerT = TypeVar("ListenerT", bound=Listener)


@contextmanager
def recording(listener: ListenerT) -> Iterator[ListenerT]:
    """Make `listener` hear this thread for the enclosed block, and no other thread. Recordings do not nest."""
    if _state.listener is not None:
        message = "spans.recording is already active in this process"
        raise RuntimeError(message)
    _state.listener, _state.thread = listener, get_ident()
    try:
        yield listener
    finally:
        _state.listener = None


@contextmanager
def handed_over() -> Iterator[None]:
    """Make the listener, if there is one, hear this thread for the enclosed block, while the one that it heard waits for it."""
    heard, _state.thread = _state.thread, get_ident()
    try:
        yield
    finally:
        _state.thread = heard


def count(name: str, amount: int = 1) -> None:
    """Add `amount` to the event counter `name` of everybody who counts."""
    for counts in _state.counts:
        counts[name] += amount


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Count events for the enclosed block: event name -> count. Countings nest."""
    counts: Counter[str] = Counter()
    _state.counts = (*_state.counts, counts)
    try:
        yield counts
    finally:
        _state.counts = tuple(other for other in _state.counts if other is not counts)
