"""The profile pass from end to end, on a call of known cost; and that no other pass knows of it."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import harness
from harness import passes, profile_run, runner, scenario
from harness.errors import NothingMeasuredError, ProfileError, UsageError, WorkerError
from harness.passes import profile as pass_of_profiles
from harness.passes.profile import Taken, Wanted, profile_pass
from harness.profile_files import Written
from harness.profile_run import arms_of, profile, wanted
from harness.profiles.index import Index, Profiled, read
from harness.results import Arm
from harness.scenario import Scenario
from tests.conftest import Quiet, fake_scenario

PACKAGE = Path(harness.__file__).parent


def planted() -> Scenario:
    """A request after does twice the work of one before."""
    return scenario.load("planted", ["optimizations.planted_work={after: {units: 20}}", "model.units=10"])


def names(*asked: str) -> list[str]:
    return [arm.name for arm in arms_of(fake_scenario(), asked)]


def test_arms_are_named_by_what_is_on_and_the_one_before_comes_first() -> None:
    assert names() == ["none", "all"]
    assert names("after") == ["none", "all"]
    assert names("before") == ["none"]
    assert names("each") == ["none", "resample_cache", "cached_device", "cached_cuda_check"]
    assert names("cached_device=on,resample_cache=on") == ["none", "resample_cache+cached_device"]
    assert names("cached_device=on", "after", "cached_device=on,resample_cache=off") == ["none", "cached_device", "all"]


def test_an_arm_in_which_one_toggle_is_on_is_that_toggles() -> None:
    (_, arm) = arms_of(fake_scenario(), ["cached_device=on"])
    assert arm.toggle == "cached_device"
    assert arm.states == {"resample_cache": False, "cached_device": True, "cached_cuda_check": False}
    (_, only) = arms_of(planted(), [])
    assert (only.name, only.toggle) == ("planted_work", "planted_work")


@pytest.mark.parametrize("asked", ["later", "cached_device", "cached_device=yes", "nothing=on", "cached_device=on,,"])
def test_an_arm_that_cannot_be_read_is_refused_with_what_is_allowed(asked: str) -> None:
    with pytest.raises(UsageError, match="toggles of this scenario: resample_cache, cached_device"):
        arms_of(fake_scenario(), [asked])


def test_toggles_that_cannot_stand_together_are_refused() -> None:
    both = fake_scenario(optimizations={"resample_cache": {"before": False, "after": True}, "cached_device": True})
    assert arms_of(both, ["after"])
    with pytest.raises(UsageError, match="allowed are py-spy, torch, memory, host-memory"):
        wanted(both, [], ["perf"], rounds=1, seconds=1.0, native=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of profiles of a planted call: operators and host memory."""
    chosen = planted()
    asked = wanted(chosen, [], ["torch", "host-memory"], rounds=1, seconds=0.0, native=False)
    _, folder = profile(chosen, tmp_path_factory.mktemp("profiled"), asked, devices=["cpu"], progress=Quiet())
    return folder


def index_of(folder: Path) -> Index:
    return read((folder / "index.json").read_bytes())


def test_twice_the_work_is_twice_the_calls_of_its_operators(made: Path) -> None:
    counts = {
        arm: {row["name"]: row["calls"] / told["requests"] for row in told["operators"]}
        for arm in ("none", "planted_work")
        for told in json.loads((made / f"cpu-{arm}-torch.operators.json").read_bytes())
    }
    assert counts["none"]["aten::gelu"] == 10
    assert counts["planted_work"]["aten::gelu"] == 20
    page = (made / "cpu-none-planted_work-torch.difference.html").read_text(encoding="utf-8")
    assert "aten::gelu" in page


def test_who_would_make_the_host_wait_is_listed_by_file_and_line(made: Path) -> None:
    page = (made / "cpu-none-planted_work-torch.difference.html").read_text(encoding="utf-8")
    assert "Tensor.cpu at harness/adapters/planted.py:" in page
    kept = json.loads((made / "cpu-planted_work-torch.operators.json").read_bytes())
    assert {row["file"] for told in kept for row in told["callers"]} == {"harness/adapters/planted.py"}


def test_every_file_of_the_index_is_there_and_nothing_is_left_over(made: Path) -> None:
    index = index_of(made)
    files = {file for known in index.profiles for file in known.files.values()}
    files |= {known.link for known in index.profiles if known.link} | {known.page for known in index.differences}
    assert {(known.kind, known.toggle) for known in index.differences} == {
        ("torch", "planted_work"),
        ("host-memory", "planted_work"),
    }
    assert all((made / file).stat().st_size > 0 for file in files)
    scripts = {f"cpu-{arm}-host-memory.speedscope.js" for arm in ("none", "planted_work")}
    assert {path.name for path in made.iterdir()} == files | scripts | {"index.json", "index.html", "speedscope"}
    assert (made / "speedscope" / "LICENSE").exists()


def test_what_a_difference_says_is_kept_in_every_language_and_english_stands_first(made: Path) -> None:
    for known in index_of(made).differences:
        assert set(known.said) == {"zh"}
        assert known.said["zh"].sentences != known.sentences
        assert len(known.said["zh"].sentences) == len(known.sentences) > 0
        assert re.search("[\u4e00-\u9fff]", "".join(known.said["zh"].sentences))
        assert not re.search("[\u4e00-\u9fff]", "".join(known.sentences))


def test_what_is_added_later_leaves_what_is_there(made: Path) -> None:
    before = index_of(made)
    asked = wanted(planted(), ["before"], ["torch"], rounds=1, seconds=0.0, native=False)
    profile(planted(), made.parent, asked, devices=["cpu"], progress=Quiet())
    after = index_of(made)
    assert {(known.arm, known.kind) for known in after.profiles} == {
        (known.arm, known.kind) for known in before.profiles
    }
    assert after.differences == before.differences


def test_what_cannot_be_profiled_says_why_and_what_to_do_instead(tmp_path: Path) -> None:
    asked = wanted(planted(), [], ["memory"], rounds=1, seconds=0.0, native=False)
    with pytest.raises(NothingMeasuredError, match="--with host-memory"):
        profile(planted(), tmp_path, asked, devices=["cpu"], progress=Quiet())
    assert [known.kind for known in index_of(tmp_path / "profiles").refusals] == ["memory"]


def plain_arm(name: str) -> Arm:
    return Arm(name=name, role="none" if name == "none" else "toggle", states={})


@pytest.mark.parametrize(
    ("fault", "profiled"),
    [
        (WorkerError("not applicable: none here", kind="usage", arm="b"), ["none", "c"]),
        (ProfileError("py-spy lost its process"), ["none", "c"]),
    ],
)
def test_an_arm_that_cannot_be_profiled_leaves_the_others(
    fault: Exception, profiled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = Wanted(
        arms=tuple(map(plain_arm, ("none", "b", "c"))), kinds=("py-spy",), rounds=2, seconds=0.0, native=False
    )

    def take(_session: object, taken: Taken, *_: object) -> None:
        if taken.arm.name == "b":
            raise fault
        taken.told.append({})

    monkeypatch.setattr(pass_of_profiles, "_take", take)
    taken: list[Taken] = []
    profile_pass(SimpleNamespace(device="cpu", progress=Quiet()), asked, tmp_path, taken)  # type: ignore[arg-type]  # as much of a session as is asked
    assert [one.arm.name for one in taken if len(one.told) == 2] == profiled
    assert [(one.arm.name, one.failure) for one in taken if one.failure] == [("b", str(fault))]


def test_a_profiler_that_is_refused_at_once_is_not_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = Wanted(arms=(plain_arm("none"), plain_arm("b")), kinds=("py-spy",), rounds=2, seconds=0.0, native=False)
    tried: list[str] = []

    def take(_session: object, taken: Taken, *_: object) -> None:
        tried.append(taken.arm.name)
        message = "ptrace is not allowed here"
        raise ProfileError(message)

    monkeypatch.setattr(pass_of_profiles, "_take", take)
    profile_pass(SimpleNamespace(device="cpu", progress=Quiet()), asked, tmp_path, [])  # type: ignore[arg-type]
    assert tried == ["none"]


def test_what_was_profiled_is_kept_when_ctrl_c_comes_and_what_cannot_be_written_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def taken_until_now(_session: object, _wanted: object, _folder: object, taken: list[Taken]) -> None:
        taken += [
            Taken(arm=plain_arm("none"), kind="py-spy", told=[{}]),
            Taken(arm=plain_arm("none"), kind="host-memory", told=[{}]),
        ]
        raise KeyboardInterrupt

    def put(_device: str, kind: str, _found: object, _folder: object) -> Written:
        if kind == "host-memory":
            message = "memray is not installed here"
            raise ProfileError(message)
        files = {"sampled": "a.speedscope.json"}
        known = Profiled(device="cpu", arm="none", kind="py-spy", requests=1, processes=1, files=files)
        return Written(profiles=(known,), differences=())

    monkeypatch.setattr(profile_run, "profile_pass", taken_until_now)
    monkeypatch.setattr(profile_run, "written", put)
    asked = wanted(planted(), [], ["py-spy", "host-memory"], rounds=1, seconds=0.0, native=False)
    with pytest.raises(KeyboardInterrupt):
        profile(planted(), tmp_path, asked, devices=["cpu"], progress=Quiet())
    kept = index_of(tmp_path / "profiles")
    assert [known.kind for known in kept.profiles] == ["py-spy"]
    assert [(known.kind, known.message) for known in kept.refusals] == [("host-memory", "memray is not installed here")]


@pytest.mark.skipif(sys.platform == "win32", reason="py-spy cannot be told to stop there")
def test_py_spy_finds_the_work_of_a_worker_and_both_arms_are_one_tree(tmp_path: Path) -> None:
    asked = wanted(planted(), [], ["py-spy"], rounds=1, seconds=2.0, native=False)
    try:
        index, folder = profile(planted(), tmp_path, asked, devices=["cpu"], progress=Quiet())
    except NothingMeasuredError as error:
        if "does not let py-spy" not in str(error):
            raise
        pytest.skip(str(error))
    text = (folder / "cpu-planted_work-py-spy.collapsed.txt").read_text(encoding="utf-8")
    assert "PlantedTarget.run (harness/adapters/planted.py:" in text
    assert ";[planted_work] (harness/optimizations/planted_work.py);repeated (" in text
    assert "profiled_request" not in text
    assert index.differences[0].sentences
    page = (folder / "cpu-none-planted_work-py-spy.difference.html").read_text(encoding="utf-8")
    assert page.count(">[planted_work]</div>") == 1


def _origin(node: ast.ImportFrom, path: Path) -> str:
    """The module that something is imported from, also where it is named relatively (one folder deep)."""
    package = f"harness.{path.parent.name}" if path.parent != PACKAGE else "harness"
    return ".".join(filter(None, (package if node.level else "", node.module or "")))


def importers(module: str) -> set[str]:
    """The files of the package that import `module`, wherever in them."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [_origin(node, path), *(f"{_origin(node, path)}.{alias.name}" for alias in node.names)]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if any(name == module or name.startswith(f"{module}.") for name in named):
                found.add(str(path.relative_to(PACKAGE)))
    return found


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("harness.worker.profiling", {"worker/serving.py"}),
        ("harness.worker.synchronizations", {"worker/profiling.py"}),
        ("harness.worker.traces", {"worker/profiling.py"}),
        ("harness.pyspy", {"passes/profile.py"}),
        ("harness.passes.profile", {"profile_run.py", "profile_files.py"}),
        ("torch.profiler", {"worker/traces.py"}),
        ("memray", {"worker/profiling.py", "profiles/holders.py"}),
    ],
)
def test_profilers_are_imported_where_nothing_is_timed(module: str, allowed: set[str]) -> None:
    assert importers(module) == allowed


def test_only_the_command_profile_of_a_worker_reaches_a_profiler() -> None:
    tree = ast.parse((PACKAGE / "worker" / "serving.py").read_text(encoding="utf-8"))
    users = {
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == "profiling"
    }
    assert users == {"profile"}


def test_a_run_has_no_profile_pass() -> None:
    assert all("profile" not in measure.__name__ for measure in runner.PASSES)
    assert not hasattr(passes, "profile_pass")


def test_no_profiler_is_active_while_a_request_is_timed() -> None:
    import torch

    from harness.results import Arm
    from harness.worker.machine import CpuMachine
    from harness.worker.measure import Bench
    from harness.worker.requests import Output, Request

    seen: list[tuple[object, ...]] = []
    plain = (torch.cuda.synchronize, torch.Tensor.item, torch.cuda.Event.synchronize)

    class Watching:
        def run(self, request: Request, on_chunk: object) -> Output:
            import numpy as np

            seen.append((
                sys.getprofile(), sys.gettrace(), torch.autograd.profiler._is_profiler_enabled,
                (torch.cuda.synchronize, torch.Tensor.item, torch.cuda.Event.synchronize) == plain,
            ))  # fmt: skip
            return Output(audio=np.ones(8, dtype=np.float32), sample_rate_hz=8, tokens=())

    class Model:
        def bind(self, states: object, speakers: object) -> Watching:
            return Watching()

    chosen = planted()
    from harness import workload

    bench = Bench(Model(), CpuMachine(), [Arm(name="none", role="none", states={})], [])  # type: ignore[arg-type]  # as much of a model as timing needs
    bench.bind("none")
    bench.time("none", workload.request(chosen, 0))
    expected = (sys.getprofile(), sys.gettrace(), False, True)
    assert seen == [expected]
