"""The runner's side of the adapter `checkout`, and a run of it from scenario to verdicts on a small CosyVoice of our own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from harness import runner
from harness.adapters import adapter, portable
from harness.errors import HarnessError, UsageError
from harness.results import Run
from harness.scenario import Scenario
from tests.checkout.samples import written
from tests.conftest import Quiet


def options(folder: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(folder), "weights": str(folder / "weights"), **more}


def test_a_folder_with_a_cosyvoice_and_a_models_folder_are_accepted_without_importing_anything(tmp_path: Path) -> None:
    package = written(tmp_path, replaced={"import threading": "import absent_package"})
    adapter("checkout").check(options(tmp_path))
    assert not [name for name in sys.modules if name.startswith(package)]
    assert portable("checkout") is not None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"path": "{}/weights"}, "no CosyVoice here"),
        ({"path": "{}/absent"}, "there is no such folder"),
        ({"weights": "{}/absent"}, "weights: .*absent is no folder; .*make-checkpoint"),
        ({"weights": "{}"}, r"has no cosyvoice\*\.yaml"),
        ({"supply": "{}/absent.py"}, "supply: there is no file"),
    ],
)
def test_what_can_be_seen_to_be_wrong_is_refused(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    written(tmp_path)
    given = options(tmp_path, **{key: value.format(tmp_path) for key, value in changed.items()})
    with pytest.raises(UsageError, match=message):
        adapter("checkout").check(given)


@pytest.fixture
def measure(tmp_path: Path, quiet: Quiet) -> Callable[..., Run]:
    """Measures a sample in an interpreter that knows nothing of this project; the files of a run are in `tmp_path/run`."""
    recording = tmp_path / "voice.wav"
    soundfile.write(recording, np.sin(np.arange(24_000) / 20).astype(np.float32), 24_000)

    def measured(toggles: dict[str, Any], **parts: Any) -> Run:
        written(tmp_path / "code", **parts)
        model = {"adapter": "checkout", **options(tmp_path / "code"), "length": "forced", "python": sys.executable}
        scenario = Scenario.from_data(
            {
                "file": str(tmp_path / "mine.yaml"),
                "name": "mine",
                "model": model,
                "devices": ["cpu"],
                "workload": {"texts": {"en": "See you."}, "prompts": [{"audio": "voice.wav", "text": "what it says"}]},
                "optimizations": toggles,
                "measure": {"metrics": ["latency"], "budget": "1s", "workers": 2},
            }
        )
        return runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)

    return measured


def test_a_run_counts_compares_and_says_what_the_code_has_and_what_it_cannot_take(
    measure: Callable[..., Run], quiet: Quiet
) -> None:
    names = ("cached_cuda_check", "cached_device", "resample_cache", "batched_cleanup", "session_reuse")
    run = measure(dict.fromkeys(names, True))
    assert run.complete
    assert not run.failures
    assert quiet.notes[0].startswith("This runs the code that is measured, with your rights")
    found = {c.optimization: c for c in run.contrasts if c.metric == "latency"}
    assert found["session_reuse"].reason == "this adapter does not know it"
    assert found["batched_cleanup"].verdict == "not applicable"
    assert found["cached_device"].verdict == "already present"
    for name in ("cached_cuda_check", "resample_cache"):
        assert found[name].witness_before == 1
        assert (found[name].witness_after or 0) <= 1 / 3  # a resampler is built in the first of three requests
        assert found[name].equivalence == "bitwise"
    assert run.environment["model"]["facade"] == "Voice"
    assert str(Path.home()) not in str(run.environment["model"])


def test_arguments_of_the_constructor_are_compared_and_one_that_it_sets_aside_is_inert(
    tmp_path: Path, quiet: Quiet
) -> None:
    """As the public code does, which takes no compiled parts without a GPU. So small a budget decides nothing."""
    sample = {
        "def __init__(self, model_dir, fp16=False):": "def __init__(self, model_dir, fp16=False, load_jit=False):\n        load_jit = False"
    }
    written(tmp_path / "code", replaced=sample)
    soundfile.write(tmp_path / "voice.wav", np.sin(np.arange(24_000) / 20).astype(np.float32), 24_000)
    data = {
        "file": str(tmp_path / "mine.yaml"), "name": "mine", "devices": ["cpu"], "design": "levels",
        "model": {"adapter": "checkout", **options(tmp_path / "code"), "length": "forced"},
        "workload": {"texts": {"en": "See you."}, "prompts": [{"audio": "voice.wav", "text": "what it says"}]},
        "optimizations": {"model_arguments": {"after": [{"arguments": "fp16=true"}, {"arguments": "load_jit=true"}]}},
        "measure": {"metrics": ["latency"], "budget": "20ms", "workers": 1},
    }  # fmt: skip
    run = runner.run(Scenario.from_data(data), tmp_path / "run", devices=["cpu"], progress=quiet)
    assert not run.failures
    kept, aside = (
        [c for c in run.contrasts if c.optimization.endswith(f"{name}=true]")] for name in ("fp16", "load_jit")
    )
    assert {c.verdict for c in kept} <= {"inconclusive", "no material difference"}
    assert {(c.witness_before, c.witness_after, c.equivalence) for c in kept} == {(0, 1, "bitwise")}
    assert {(c.verdict, c.witness_after) for c in aside} == {("inert", 0)}


def test_what_the_target_lacks_ends_the_run_with_one_line(measure: Callable[..., Run]) -> None:
    with pytest.raises(HarnessError, match=r"Voice\.sample_rate is missing: .*known to work") as caught:
        measure({"resample_cache": True}, replaced={"self.sample_rate = 24000": "pass", "self.sample_rate": "24000"})
    assert len(str(caught.value).splitlines()) == 1


def test_an_exception_in_the_engines_thread_is_a_failure_of_its_arm_also_where_it_streams(
    measure: Callable[..., Run],
) -> None:
    with pytest.raises(HarnessError, match="no more words"):
        measure({"resample_cache": True}, replaced={"state = torch.roll": "raise ArithmeticError('no more words')  #"})
