"""The adapter on the public code, in its own interpreter: `nox -s seed_code`. Absent that environment, skipped, and said so."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness import runner, store
from harness.optimizations import named
from harness.optimizations.registry import Check
from harness.optimizations.witness import Counts, judge
from harness.passes import examination
from harness.results import Run
from harness.scenario import load
from tests.conftest import Quiet

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("HARNESS_SEED_CODE", "")
HOME = os.environ.get("COSYVOICE_HOME", "")
SIX = (
    "cached_cuda_check", "cached_device", "resample_cache", "precompiled_regex", "speaker_preregistration",
    "batched_cleanup",
)  # fmt: skip
LOSSES = (
    "skipped_text_head", "fused_sampling", "mask_reuse", "hop_reset", "event_wait", "frontend_threads",
    "folded_weight_norm",
)  # fmt: skip
BATCHED = "its code gives memory back on a GPU alone"

pytestmark = pytest.mark.skipif(not PYTHON, reason="HARNESS_SEED_CODE is not set: nox -s seed_code")


@pytest.fixture(scope="module", params=["cosyvoice-minicpmo", "checkout"])
def code(request: pytest.FixtureRequest) -> str:
    """The folder of the package that is installed, or of a checkout of upstream."""
    if request.param == "checkout":
        if not HOME:
            pytest.skip("COSYVOICE_HOME is not set: no checkout of upstream is at hand")
        return HOME
    question = "import importlib.util as u; print(u.find_spec('cosyvoice').submodule_search_locations[0])"
    return subprocess.run([PYTHON, "-c", question], check=True, capture_output=True, text=True).stdout.strip()


def digests(folder: str) -> dict[str, str]:
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def run_of(scenario: str, code: str, out: Path, *more: str) -> Run:
    """A run of some seconds in which nothing of the code's folder may change."""
    before = digests(code)
    settings = [f"model.python={PYTHON}", "measure.workers=2", *more]
    settings += [f"model.path={code}"] if code == HOME else []
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        f"scenarios/{scenario}.yaml",
        "--device",
        "cpu",
        "--budget",
        "5s",
    ]
    few = ("measure.workers=2",)  # each process loads the whole code
    command += ["--out", str(out), *(word for setting in (*few, *settings) for word in ("--set", setting))]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(code) == before
    (folder,) = (path for path in out.iterdir() if (path / "run.json").exists())
    return store.load(folder)


@pytest.fixture(scope="module")
def measured(code: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The six, in requests that do not stream."""
    shorter = ("workload.texts={en: See you.}", "measure.metrics=[latency]", "measure.margin=10%")
    return run_of("seed-code", code, tmp_path_factory.mktemp("results"), *shorter)


@pytest.fixture(scope="module")
def mended(code: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The losses, in requests that stream."""
    return run_of("seed-losses", code, tmp_path_factory.mktemp("results"))


def counts_of(run: Run, name: str) -> dict[str, Counts]:
    """What the witness of a toggle counted, by arm."""
    return {
        w.arm: Counts(at_bind=w.at_bind, per_request=w.per_request) for w in run.witnesses if w.optimization == name
    }


def test_every_toggle_is_engaged_and_leaves_the_output_the_same_bits(measured: Run) -> None:
    assert measured.complete
    assert not measured.failures
    for name in SIX[:-1]:
        counts = counts_of(measured, name)
        witness = named(name).witness
        assert judge(counts["none"], counts[name], witness.before, witness.expected_after({})) == ""
    graded = {item.arm: item.grade for item in measured.equivalences}
    assert set(graded) >= {"all", "placebo", *SIX[:-1]}
    assert set(graded.values()) == {"bitwise"}


def test_what_the_code_has_already_is_said_and_measured_against_the_code_before(measured: Run) -> None:
    assert set(measured.plan.already_present) == {"cached_device", "precompiled_regex"}
    refused = {name: reason for name, reason in measured.plan.not_applicable.items() if name in SIX}
    assert refused == {"batched_cleanup": BATCHED}
    verdicts = {c.optimization: c for c in measured.contrasts if c.metric == "latency" and not c.stratum}
    for name in ("cached_device", "precompiled_regex"):
        assert verdicts[name].verdict == "already present"
        assert "against the code before, put back by a patch" in verdicts[name].reason
        assert verdicts[name].ratio is not None
    for name in ("cached_cuda_check", "resample_cache", "speaker_preregistration"):
        assert verdicts[name].verdict in ("faster", "slower", "no material difference", "inconclusive")


def test_the_description_says_which_code_ran(measured: Run, code: str) -> None:
    model = measured.environment["model"]
    assert model["code"].startswith(Path(code).name if code == HOME else "cosyvoice-minicpmo 0.1.0")
    assert model["prompt"] == ("a path" if code == HOME else "samples at 16 kHz")
    assert model["packages"]["transformers"] == "4.51.3"


def test_every_loss_is_mended_by_its_witness_and_all_but_the_cut_of_chunks_leave_the_same_bits(
    mended: Run, code: str
) -> None:
    assert mended.complete
    assert not mended.failures
    kept = [] if code == HOME else ["hop_reset"]
    assert sorted(set(mended.plan.not_applicable) & set(LOSSES)) == kept
    assert not set(mended.plan.already_present) & set(LOSSES)
    for name in set(LOSSES) - {"hop_reset"}:
        counts, witness = counts_of(mended, name), named(name).witness
        assert judge(counts["none"], counts[name], witness.before, witness.expected_after({})) == "", name
    graded = {item.arm: item.grade for item in mended.equivalences}
    assert {graded[name] for name in set(LOSSES) - {"hop_reset"}} == {"bitwise"}


def test_given_tokens_are_spoken_by_the_public_code(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: Quiet
) -> None:
    """As if a toggle had drawn others: what both speak from the same ones is the same to the bit, and is what is compared."""
    toggles = sys.modules["harness.optimizations.registry"]  # the package's function of that name hides the module
    declared = replace(named("cached_cuda_check"), check=Check(grade="bitwise", other_tokens=True))
    monkeypatch.setitem(toggles._REGISTRY, "cached_cuda_check", declared)
    monkeypatch.setattr(
        examination, "_drew_others", lambda outputs, arm, base: arm == "cached_cuda_check" and base in outputs
    )
    settings = [
        f"model.python={PYTHON}", *([f"model.path={code}"] if code == HOME else []), "workload.stream=both",
        "workload.texts={en: See you.}", "optimizations={cached_cuda_check: true}", "measure.metrics=[latency]",
        "measure.margin=10%", "measure.workers=2", "measure.budget=1s",
    ]  # fmt: skip
    chosen = load(str(ROOT / "scenarios" / "seed-code.yaml"), settings)
    run = runner.run(chosen, tmp_path / "run", devices=["cpu"], progress=quiet)
    rows = [row for row in run.equivalences if row.arm == "cached_cuda_check"]
    assert [(row.grade, row.agreement, row.accepted) for row in rows] == [("bitwise", 1.0, True)] * 2
    for row in rows:
        from_tokens = tmp_path / "run" / str(row.audio_after)
        assert from_tokens.name == "cached_cuda_check-from-tokens.wav"
        assert from_tokens.read_bytes() == from_tokens.with_name("cached_cuda_check.wav").read_bytes()
