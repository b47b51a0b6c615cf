"""The passes over one device, each in its own worker processes, so that none perturbs another.

examination   what every arm makes of the requests, and what its witnesses count
latency       blocks of all arms, in turn, until the budget is spent
first         init and the first request, each arm in fresh processes, where it is asked for
micro         the place of each toggle alone, before and after, where it is asked for
memory        peaks of every arm, each in a fresh process
pairs         what cannot share a process: toggles that change all of it, and instead of latency the two revisions of a gate
"""

from harness.passes.cycle import first_cycle
from harness.passes.examination import examination_pass, revisions_pass
from harness.passes.first import first_pass
from harness.passes.latency import latency_pass
from harness.passes.memory import memory_pass
from harness.passes.micro import micro_pass
from harness.passes.pairs import confirmation_pass, pair_pass, process_pass

__all__ = [
    "confirmation_pass",
    "examination_pass",
    "first_cycle",
    "first_pass",
    "latency_pass",
    "memory_pass",
    "micro_pass",
    "pair_pass",
    "process_pass",
    "revisions_pass",
]
