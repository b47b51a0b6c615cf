"""Random numbers of a request: the same for every arm, and of the language model apart from all others.

The public engines draw speech tokens in a thread of their own while, in streaming, the vocoder draws its noise in another:
from one generator, who draws first would decide what is said. So tokens are drawn from a generator of their own.
"""

from __future__ import annotations

import random
import sys
from typing import Any

from .patches import Patch


class Draws:
    """The generators of one request; `start` begins it."""

    def __init__(self) -> None:
        self._seed = 0
        self._generators: dict[Any, Any] = {}

    def start(self, seed: int) -> None:
        """Seed every generator that the target's code may use.

        This is within what is timed. `torch.manual_seed` keeps a traceback for later where CUDA was not initialised, which takes
        half a millisecond each time; so it seeds only what is in use.
        """
        import torch

        self._seed = seed
        self._generators.clear()
        random.seed(seed)
        torch.default_generator.manual_seed(seed)
        for name in ("cuda", "xpu"):
            kind = getattr(torch, name, None)
            if kind is not None and kind.is_initialized():
                kind.manual_seed_all(seed)
        if torch.backends.mps.is_available():
            torch.mps.manual_seed(seed)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(seed)

    def patches(self) -> list[Patch]:
        """Multinomial draws, by which tokens are sampled, from the tokens' own generator unless the caller has one."""
        import torch

        return [Patch.around(owner, "multinomial", self._from_own) for owner in (torch.Tensor, torch)]

    def _from_own(self, original: Any) -> Any:
        def multinomial(
            scores: Any, num_samples: int, replacement: bool = False, *, generator: Any = None, **more: Any  # noqa: FBT001, FBT002  torch's own signature
        ) -> Any:  # fmt: skip
            chosen = self._of(scores.device) if generator is None else generator
            return original(scores, num_samples, replacement, generator=chosen, **more)

        return multinomial

    def _of(self, device: Any) -> Any:
        if device not in self._generators:
            import torch

            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]
