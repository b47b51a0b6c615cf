"""Where the target constructs `torchaudio.transforms.Resample`, and what three sides of two toggles share of it."""

from __future__ import annotations

import sys
from typing import Any

from ..code import Code, names
from ..counting import Probe, calls
from ..patches import Patch
from ..views import sees, view

PATH = "torchaudio.transforms.Resample"
BUILT = "Resample"


class Forgetful(dict):  # type: ignore[type-arg]  # of whatever the target keeps
    """A mapping that says of every key that it is not there, and gives what was put there last."""

    def __contains__(self, key: object) -> bool:
        return False

    def get(self, key: Any, default: Any = None) -> Any:
        return default


def builds(code: Code) -> list[str]:
    """The functions that construct a resampler, as `module.function`; a front end that keeps them does so as well."""
    return sorted(
        {
            f"{function.__module__}.{function.__qualname__}"
            for function in code.functions()
            if BUILT in names(function) and sees(sys.modules[function.__module__], PATH)
        }
    )


def kept(code: Code) -> list[str]:
    """Attributes in which the front end keeps resamplers: mappings that are named after them."""
    return [
        name for name, value in vars(code.front_end).items() if isinstance(value, dict) and "resample" in name.lower()
    ]


def forgetting(code: Code, front_end: Any) -> list[Patch]:
    """Patches that put the construction of each call back into a front end that keeps its resamplers."""
    return [Patch(front_end, name, Forgetful()) for name in kept(code)]


def keeping(code: Code, resamplers: dict[Any, Any], *, more: bool) -> list[Patch]:
    """Patches through which the target's modules take resamplers from a mapping; with `more`, new ones are put there."""

    def around(original: Any) -> Any:
        def resample(orig_freq: int = 16_000, new_freq: int = 16_000, *args: Any, **kwargs: Any) -> Any:
            key = (orig_freq, new_freq, args, tuple(kwargs.items()))
            found = resamplers.get(key)
            if found is None:
                found = original(orig_freq, new_freq, *args, **kwargs)
                if more:
                    resamplers[key] = found
            return found

        return resample

    return [patch for module in code.modules for patch in view(module, PATH, around)]


def constructions(**_: Any) -> Probe:
    """Counts resamplers that are constructed, by whomever."""
    import torchaudio

    return calls((torchaudio.transforms.Resample, "__init__"))
