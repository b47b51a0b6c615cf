"""Fixed profiles as pages: flame graphs, operators, the folder that lists them, allocations."""

from __future__ import annotations

from harness.profiles.difference import difference
from harness.profiles.index import Differing, Index, Profiled, Refusal, Said
from harness.profiles.operators import Change, Traced
from harness.profiles.stacks import Stack
from harness.report import allocations
from harness.report.flames import TITLES, flames
from harness.report.operators import operators_page
from harness.report.profiles import index_page
from tests.profiles.made import counted, profile, stack

BEFORE: dict[Stack, float] = {stack("run", "llm"): 600, stack("run", "flow"): 300, stack("run", "cache"): 400}
AFTER: dict[Stack, float] = {stack("run", "llm"): 600, stack("run", "flow"): 300, stack("run", "llm", "slow"): 500}
LONG = "void at::native::vectorized_elementwise_kernel<4, at::native::AddFunctor<c10::Half>, std::array<char*, 3ul>>(int, at::native::AddFunctor<c10::Half>)"
PLACES = ("harness/models/cosyvoice2/frontend.py:161 in resample", "harness/models/cosyvoice2/flow.py:88 in solve")


def flame_graph() -> str:
    """Two arms, of which one is slower in one place and quicker in another."""
    told = difference(profile("none", counted(BEFORE, 1.3)), profile("all", counted(AFTER, 1.4)))
    return flames(told, profiler=TITLES["py-spy"], device="cpu", notes=("A remark.",))


def one_arm() -> str:
    """One arm alone."""
    return flames(difference(None, profile("all", counted(AFTER, 1.4))), profiler=TITLES["host-memory"], device="cpu")


def _changes(*names: str) -> tuple[Change, ...]:
    return tuple(
        Change(name=name, calls_before=40.0 + place, calls_after=20.0, own_before_s=0.004, own_after_s=0.003 - place / 1e3)
        for place, name in enumerate(names)
    )  # fmt: skip


def operators() -> str:
    """Two arms on a card, with names as long as they are."""
    told = Traced(
        before="none", after="all", operators=_changes("aten::mm", "aten::cat"), kernels=_changes(LONG, "gemm"), launches_before=1653,
        launches_after=900, busy_before=0.3, busy_after=0.5, waits_before=0.6, waits_after=0.4,
    )  # fmt: skip
    return operators_page(told, _changes(f"Tensor.item at {PLACES[1]}"), device="cuda:0")


def folder() -> str:
    """The page that lists what is there, and what could not be made."""
    said = Said(sentences=("all 每次请求少 100\u202fms。",), top=("cache：每次请求少 100\u202fms",))
    return index_page(Index(
        scenario="seed-optimizations", command="harness profile --run results/seed-optimizations-20261124T134000Z --arm each --with py-spy",
        started="2026-11-24T13:40:00Z",
        profiles=(
            Profiled(device="cpu", arm="none", kind="py-spy", requests=120, processes=2, link="cpu-none-py-spy.speedscope.html",
                     files={"flame graph": "cpu-none-py-spy.html", "speedscope JSON": "cpu-none-py-spy.speedscope.json", "collapsed stacks": "cpu-none-py-spy.collapsed.txt"},
                     notes=("Without native frames.",)),
            Profiled(device="cpu", arm="speaker_preregistration", kind="torch", requests=8, processes=2,
                     files={"trace": "a.trace.json.gz", "counts": "a.operators.json", "operators": "a.html"}),
        ),
        differences=(Differing(device="cpu", before="none", arm="all", toggle="", kind="py-spy", page="a.difference.html",
                               sentences=("all takes 100\u202fms less a request.",), top=("cache: 100\u202fms less a request",), said={"zh": said}),),
        refusals=(Refusal(device="cpu", arm="all", kind="host-memory", message="memray is not installed: pip install 'tts-harness[profile]'"),),
    ))  # fmt: skip


def held() -> str:
    """One arm's allocations on a card."""
    holders = [
        {"bytes": 3 * 2**20, "count": 12, "place": place, "stack": [place, "harness/worker/serving.py:10 in request"]} for place in PLACES
    ]  # fmt: skip
    return allocations("all on cuda:0", {
        "points": [(0.0, 2**30), (0.5, 2**30 + 6 * 2**20), (1.0, 2**30)], "before_bytes": 2**30, "peak_bytes": 2**30 + 6 * 2**20,
        "events": 4000, "complete": False, "holders": holders,
    })  # fmt: skip
