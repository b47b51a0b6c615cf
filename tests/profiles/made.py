"""Profiles as tests make them."""

from __future__ import annotations

from collections.abc import Mapping

from harness.profiles.stacks import Frame, Profile, Round, Stack


def stack(*names: str) -> Stack:
    """Functions of a file each; those that begin with "lib" are of a library."""
    return tuple(Frame(name, "libtorch.so" if name.startswith("lib") else f"pkg/{name}.py", 1) for name in names)


def counted(weights: Mapping[Stack, float], request_s: float) -> Round:
    """A process whose requests took `request_s`."""
    return Round(weights=weights, each=request_s / sum(weights.values()))


def profile(arm: str, *rounds: Round) -> Profile:
    return Profile(arm=arm, unit="s", rounds=rounds, requests=10)


def held(arm: str, weights: Mapping[Stack, float]) -> Profile:
    return Profile(arm=arm, unit="bytes", rounds=(Round(weights=weights, each=1.0, counted=False),), requests=1)
