"""What is said of a GPU, checked on one against PyTorch's own profiler and plain scripts. Skipped where there is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

from harness import runner, workload
from harness.adapters.cosyvoice2 import ADAPTER, CosyVoice2Model
from harness.designs import CONTROLS
from harness.results import Arm, Run
from harness.scenario import Scenario
from harness.worker import spans
from harness.worker.machine import CudaMachine
from harness.worker.measure import Bench
from harness.worker.peaks import PeakRecorder
from harness.worker.requests import Request
from harness.worker.vram import DOSE_BYTES, OOMS
from tests.conftest import Quiet

pytestmark = pytest.mark.cuda

SIZE = os.environ.get("HARNESS_GPU_TEST_SIZE", "full")
TEXTS = {"en": "Good morning."}
NONE = {"speaker_preregistration": False, "batched_cleanup": False}


def scenario(**measure: object) -> Scenario:
    return Scenario.from_data(
        {
            "file": "gpu.yaml",
            "name": "gpu",
            "model": {"adapter": "cosyvoice2", "size": SIZE},
            "devices": ["cuda"],
            "workload": {"texts": TEXTS},
            "optimizations": {"speaker_preregistration": True},
            "measure": {
                "metrics": ["latency", "peak_allocated"],
                "budget": "5s",
                "workers": 1,
                "memory_repeats": 1,
                **measure,
            },
        }
    )


@pytest.fixture(scope="module")
def device() -> CudaMachine:
    return CudaMachine("cuda:0")


@pytest.fixture(scope="module")
def model(device: CudaMachine, tmp_path_factory: pytest.TempPathFactory) -> CosyVoice2Model:
    return ADAPTER.load({"size": SIZE}, device, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def request_() -> Request:
    return workload.request(scenario(), 0)


@pytest.fixture(scope="module")
def bench(model: CosyVoice2Model, device: CudaMachine, request_: Request) -> Bench:
    made = Bench(model, device, [Arm(name="none", role="none", states=NONE)], [request_.speaker])
    made.bind("none")
    for _ in range(2):
        made.settle("none", request_)
    return made


def test_stages_add_up_to_the_request(bench: Bench, request_: Request) -> None:
    for _ in range(3):
        values = bench.time("none", request_)
        for prefix in ("stage.", "device."):
            names = [
                name.removeprefix(prefix) for name in values if name.startswith(prefix) and name != "device.latency"
            ]
            outer = sum(values[f"{prefix}{name}"] or 0.0 for name in names if "." not in name)
            whole = values["latency" if prefix == "stage." else "device.latency"] or 0.0
            assert 0.95 * whole <= outer <= 1.001 * whole, (prefix, outer, whole)


def test_the_peak_is_that_of_a_plain_script(bench: Bench, request_: Request, tmp_path: Path) -> None:
    script = f"""
import torch
from harness import workload
from harness.adapters.cosyvoice2 import ADAPTER
from harness.worker.machine import machine
from pathlib import Path
from tests.test_gpu import scenario, NONE
request = workload.request(scenario(), 0)
model = ADAPTER.load({{"size": {SIZE!r}}}, machine("cuda:0"), Path({str(tmp_path)!r}))
target = model.bind(NONE, [request.speaker])
target.run(request, lambda *_: None)
torch.cuda.synchronize()
torch.cuda.reset_peak_memory_stats()
target.run(request, lambda *_: None)
print(torch.cuda.max_memory_allocated())
"""
    plain = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    values, _ = bench.memory("none", [request_], dose=False)
    assert values["peak_allocated"] == pytest.approx(float(plain.stdout.split()[-1]), rel=0.01)


def test_each_stage_has_a_peak_and_one_of_them_is_the_requests(bench: Bench, request_: Request) -> None:
    values, points = bench.memory("none", [request_], dose=False)
    peaks = {name: value or 0.0 for name, value in values.items() if name.startswith("peak_allocated.")}
    assert {"peak_allocated.llm", "peak_allocated.flow", "peak_allocated.vocoder"} <= set(peaks)
    assert max(peaks.values()) == values["peak_allocated"]
    assert max(peak for *_, peak in points) == values["peak_allocated"]


@pytest.mark.filterwarnings("ignore:Warning. Profiler clears events")
def test_mallocs_and_frees_are_those_of_a_profilers_trace(
    model: CosyVoice2Model, device: CudaMachine, request_: Request
) -> None:
    from torch.profiler import ProfilerActivity, profile

    target = model.bind(NONE, [request_.speaker])
    target.run(request_, lambda *_: None)
    recorder = PeakRecorder(device.memory, device.clock_ns)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as trace, spans.recording(recorder):
        target.run(request_, lambda *_: None)
        device.synchronize()
    called = Counter(event.name for event in trace.events() if event.name.startswith("cuda"))
    values = recorder.values()
    assert values["device_mallocs"] == called["cudaMalloc"] > 0, called
    assert values["device_frees"] == called["cudaFree"] > 0, called


def test_device_time_of_a_stage_holds_the_kernels_of_its_stream(
    model: CosyVoice2Model, device: CudaMachine, request_: Request
) -> None:
    """The events around the language model stand on its own stream, so that its kernels run between them."""
    from torch.profiler import ProfilerActivity, profile

    target = model.bind(NONE, [request_.speaker])
    target.run(request_, lambda *_: None)
    recorder = spans.Recorder(device.mark, device.clock_ns)
    with profile(activities=[ProfilerActivity.CUDA]) as trace, spans.recording(recorder):
        target.run(request_, lambda *_: None)
        device.synchronize()
    kernels_s = sum(event.device_time for event in trace.events() if event.device_type.name == "CUDA") / 1e6
    stages_s = sum(
        device.elapsed_s(start, end)
        for name, _, _, start, end in recorder.spans
        if "." not in name and name != "request"
    )
    assert 0 < kernels_s <= stages_s


def test_a_small_card_is_measured_or_says_what_does_not_fit(tmp_path: Path, quiet: Quiet) -> None:
    run = runner.run(scenario(vram_limit="4GiB"), tmp_path / "run", devices=["cuda"], progress=quiet)
    refused = [failure for failure in run.failures if failure.kind == "out_of_memory"]
    for failure in refused:
        assert "in stage" in failure.message
    assert refused or _peak(run) <= 4 * 2**30
    read = [trial for trial in run.trials if trial.pass_ == "memory"]
    assert read
    for trial in read:
        held, known = trial.values["process_peak"], DOSE_BYTES if trial.arm in CONTROLS else 0
        assert held is None or held <= 4 * 2**30 + known, "as the driver counts it, too"


def test_what_a_thread_brings_along_is_counted_outside_the_allocator(device: CudaMachine) -> None:
    import torch

    def multiply() -> None:
        ones = torch.ones(256, 256, device=device.device)
        (ones @ ones).sum().item()

    multiply()
    before = device.memory.count_non_torch()
    if before is None:
        pytest.skip(f"not told here: {device.memory.unavailable()}")
    threads = [threading.Thread(target=multiply) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = device.memory.count_non_torch()
    assert after is not None
    assert after - before > 2**20, "handles and workspaces of a library are each thread's own"


def _peak(run: Run) -> float:
    return max(row.after or 0.0 for row in run.contrasts if row.metric == "peak_allocated")


def test_what_cannot_fit_is_reported_with_stage_and_shortfall(tmp_path: Path, quiet: Quiet) -> None:
    from harness.errors import NothingMeasuredError

    with pytest.raises(NothingMeasuredError, match=r"in stage loading: .* without the limit .* too much") as caught:
        runner.run(scenario(vram_limit="1GiB"), tmp_path / "run", devices=["cuda"], progress=quiet)
    told = str(caught.value).replace("\u202f", " ")
    sizes_mib = [
        float(figure) * {"MiB": 1, "GiB": 1024}[unit]
        for figure, unit in re.findall(r"([0-9.]+) (MiB|GiB) (?:asked for|in use|of context)", told)[:3]
    ]
    assert sum(sizes_mib) > 0.9 * 1024, "of the moment in which memory was asked for, not of when it was free again"


def test_a_limit_leaves_as_much_beside_the_known_allocation_and_counts_what_it_refuses(device: CudaMachine) -> None:
    import torch

    def take(size_mib: int) -> None:
        torch.empty(size_mib * 2**20, dtype=torch.uint8, device=device.device)

    device.memory.release()
    device.memory.count_non_torch()
    held = torch.cuda.memory_reserved(device.device) + device.memory.context_bytes
    try:
        memory = CudaMachine("cuda:0", int(held) + 256 * 2**20).memory
        before = memory.events()[OOMS] or 0.0
        for holding in (nullcontext, memory.holding_dose):
            take(200)  # and leaves a block, as a request does, which the known allocation must not split
            with holding():
                take(200)
                with pytest.raises(torch.cuda.OutOfMemoryError):
                    take(300)
        assert memory.events()[OOMS] == before + 2
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device.device)


def test_a_language_model_in_16_bits_holds_half_as_many_bytes(device: CudaMachine, tmp_path: Path) -> None:
    import torch

    def asked_bytes() -> int:
        """What tensors asked for: the allocator's blocks for them are larger by up to 1 MiB each."""
        return int(torch.cuda.memory_stats(device.device)["requested_bytes.all.current"])

    held: dict[str, int] = {}
    for dtype in ("float32", "bfloat16"):
        before = asked_bytes()
        loaded = ADAPTER.load({"size": SIZE, "llm_dtype": dtype}, device, tmp_path / dtype)
        held[dtype] = asked_bytes() - before
        weights = loaded.description["parameters"]["llm"]
        del loaded
        device.memory.release()
    assert held["float32"] - held["bfloat16"] == pytest.approx(2 * weights, rel=0.001)
