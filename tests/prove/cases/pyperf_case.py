"""The planted call, as pyperf times it: a script that pyperf starts again for each of its processes."""

from __future__ import annotations

import pyperf

from tests.prove.call import told_call

if __name__ == "__main__":
    pyperf.Runner().bench_func("planted", told_call())
