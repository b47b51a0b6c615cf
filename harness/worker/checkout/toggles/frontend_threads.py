"""Threads of the onnxruntime sessions of the target's front end."""

from __future__ import annotations

import sys
from typing import Any

from ..counting import Probe, calls
from ..patches import Patch
from .toggle import Toggle

SESSION = "InferenceSession"


def with_threads(session: Any, threads: int) -> Any:
    """A session over the same network with the same options and providers, and so many threads, which sleep between runs.

    By default they spin for a while after a run, and would take a core from whichever arm is timed next.
    """
    old = session.get_session_options()
    options = type(old)()
    options.graph_optimization_level = old.graph_optimization_level
    options.log_severity_level = old.log_severity_level
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = old.inter_op_num_threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [(name, session.get_provider_options().get(name, {})) for name in session.get_providers()]
    return type(session)(network_of(session), sess_options=options, providers=providers)


def network_of(session: Any) -> Any:
    """What a session was made of: a file, or bytes. onnxruntime keeps it, and says it nowhere else."""
    return getattr(session, "_model_path", None) or getattr(session, "_model_bytes", None)


class FrontendThreads(Toggle):
    """After, the front end of the arm has sessions of its own with `threads` threads; before, those that the target made."""

    def lacks(self) -> str:
        of = type(self.code.front_end).__name__
        sessions = self._sessions()
        if not sessions:
            return f"{of} holds no ONNX session"
        several = [name for name, session in sessions.items() if threads_of(session) != 1]
        if len(several) == len(sessions):
            return f"{of}'s sessions leave their threads to onnxruntime, or have several"
        if any(network_of(session) is None for session in sessions.values()):
            return "this version of onnxruntime does not keep what a session was made of"
        return ""

    def after(self, arm: Any, *, threads: int = 2, **_: Any) -> list[Patch]:
        for name, session in self._sessions().items():
            if threads_of(session) == 1:
                setattr(arm.front_end, name, with_threads(session, threads))
        return []

    def probe(self, *, threads: int = 2, **_: Any) -> Probe:
        kinds = {type(session) for session in self._sessions().values()}
        places = [(kind, "run") for kind in kinds]
        return calls(*places, worth=lambda session, *_, **__: int(threads_of(session) == threads))

    def _sessions(self) -> dict[str, Any]:
        """The sessions of the front end by their attributes; those on a GPU are left alone."""
        if "onnxruntime" not in sys.modules:
            return {}
        return {
            name: value
            for name, value in vars(self.code.front_end).items()
            if type(value).__name__ == SESSION and value.get_providers() == ["CPUExecutionProvider"]
        }


def threads_of(session: Any) -> int:
    """The threads of a session that share one operation; 0 where onnxruntime chooses."""
    return int(session.get_session_options().intra_op_num_threads)


TOGGLE = FrontendThreads
