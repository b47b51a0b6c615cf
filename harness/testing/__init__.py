"""What every adapter and every toggle must hold to, as tests: ours pass them, and yours can be put to them.

    from harness.testing import AdapterContract, OptimizationContract

    class TestMyAdapter(AdapterContract):
        adapter = "my_tts"                      # a name, or the object
        options = {"size": "small"}             # its keys of `model:`
        mode = "zero_shot"                      # speaks with a builtin prompt; `call` has none

    class TestMyToggle(OptimizationContract):
        optimization = "kept_kernel"
        adapter, options = "callable", {"target": "my_tts.py:speak"}

Each test says in one sentence what is not so. pytest collects the subclasses, whose names start with `Test`; a toggle must have
been imported, as `import my_toggles` does. What is not about one model alone (`parameters`, requests) can be overridden too.
"""

from __future__ import annotations

from harness.testing.adapters import AdapterContract
from harness.testing.optimizations import OptimizationContract

__all__ = ["AdapterContract", "OptimizationContract"]
