"""Keep the onnxruntime session of a voice between requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from harness.optimizations.registry import optimization
from harness.optimizations.sites import BindContext, VoiceSession
from harness.optimizations.witness import Witness
from harness.worker.probes import calls


class BuiltEachTime:
    """A session for each request, given up with it."""

    def prepare(self, build: Callable[[], Any]) -> None:
        pass

    def get(self, build: Callable[[], Any]) -> Any:
        return build()


class Kept:
    """One session, built with the pipeline."""

    def __init__(self) -> None:
        self._session: Any = None

    def prepare(self, build: Callable[[], Any]) -> None:
        self._session = build()

    def get(self, build: Callable[[], Any]) -> Any:
        return self._session


def next_request(implementation: VoiceSession, build: Callable[[], Any]) -> Callable[[], Any]:
    """The place: what a request does for its session, once the pipeline is built."""
    implementation.prepare(build)
    return partial(implementation.get, build)


def build_session_each_time(context: BindContext) -> VoiceSession:
    """Load the voice's file in each request."""
    return BuiltEachTime()


@optimization(
    title="Keep the network's session",
    sites=("voice.session",),
    before=build_session_each_time,
    witness=Witness(
        unit="onnxruntime sessions built",
        probe=lambda: calls("onnxruntime:InferenceSession.__init__"),
        before="every request",
        after="none",
    ),
    isolation="settled",
    place=next_request,
)
def session_reuse(context: BindContext) -> VoiceSession:
    """Build the `InferenceSession` of a voice once, with the pipeline, instead of in each request.

    Building one reads the file, rewrites the graph and lays the weights out anew. A program that speaks one text a start
    pays for that every time; a service need not. The price is memory that stays in use, and a later first request.
    Loading and giving up a session leaves caches and the heap in another state: the toggle's requests are settled first.
    """
    return Kept()
