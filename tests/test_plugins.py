"""Plug-ins: what is known of them without running them, what is refused and where, and that their code runs elsewhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import adapters, compare, declaring, plugins, runner, store
from harness.declaring import answer_to, declared
from harness.errors import MeasureError, ScenarioError
from harness.optimizations import named, registry
from harness.optimizations.declared import Declared, card_of
from harness.optimizations.registry import own
from harness.scenario import Scenario
from tests.command_line import harness_command as harness
from tests.conftest import Quiet
from tests.worker import interpreters

GOOD = '''
from typing import Literal
from harness.optimizations import Check, Witness, calls, optimization, replaces as instead_of

@instead_of("mine:work", check=Check(grade="tolerance", bound=0.5, reason="it is rounded"))
def rounded(numbers):
    """Round first."""
    return float(round(sum(numbers)))

@optimization(title="Sort", sites=("mine.sort",), before=lambda context: sorted, isolation="settled",
              witness=Witness(unit="sorts", probe=lambda **_: calls("mine:work"), before="every request",
                              after=lambda *, how="fast": "none" if how == "fast" else "fewer"))
def sort(context, *, how: Literal["fast", "slow"] = "fast"):
    """Sort well."""
    return list
'''
MINE = "def work(numbers):\n    return sum(numbers)\n\ndef ask():\n    return work([0.3, 0.4])\n"
MARKED = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"
"""What leaves a mark where it was run."""


def data_of(folder: Path, **keys: Any) -> dict[str, Any]:
    return {
        "file": str(folder / "mine.yaml"), "name": "mine", "model": {"adapter": "callable", "target": "mine.py:ask"},
        "plugins": ["good.py"], "optimizations": {"rounded": True, "sort": {"after": {"how": "slow"}}},
        "measure": {"metrics": ["latency"], "budget": "1s", "workers": 2}, **keys,
    }  # fmt: skip


def refused(data: dict[str, Any]) -> ScenarioError:
    def use() -> None:
        with declared(Scenario.from_data(data)):
            pass

    with pytest.raises(ScenarioError) as caught:
        use()
    return caught.value


def test_toggles_are_found_by_reading_the_file_and_with_their_lines(user_code: Callable[..., Path]) -> None:
    folder = user_code(good=MARKED + GOOD)
    found = plugins.names([folder / "good.py"])
    assert str(found["rounded"]) == f"{folder / 'good.py'}:8"
    assert {"rounded", "sort"} <= set(found)
    assert not (folder / "good.ran").exists()
    assert "good" not in sys.modules


def test_a_scenario_is_read_without_running_its_plug_ins_and_its_toggles_names_are_checked(
    user_code: Callable[..., Path],
) -> None:
    folder = user_code(good=MARKED + GOOD, mine=MINE)
    Scenario.from_data(data_of(folder))
    error = refused(data_of(folder, optimizations={"ruonded": True}))
    assert error.key == "optimizations.ruonded"
    assert "did you mean rounded?" in error.message
    assert not (folder / "good.ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file"),
        ("x = (", r"good.py:1: not a Python file that can be read"),
        ("def rounded(): ...\n", "has no toggle: a function at its top level, decorated"),
        (GOOD.replace("def sort", "def resample_cache"), r"good.py:13: a toggle of the harness is called resample_cache already"),
        (GOOD.replace("def sort", "def rounded"), r"good.py:13: rounded is a toggle on line 6 already"),
    ],
    ids=["missing", "broken", "without a toggle", "a name of ours", "a name twice"],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_refused_by_reading_it(
    user_code: Callable[..., Path], text: str | None, said: str
) -> None:
    folder = user_code(**({} if text is None else {"good": text}))
    error = refused(data_of(folder))
    assert error.key == "plugins.0"
    assert re.search(said, error.message), error.message


def test_a_name_that_two_files_have_is_refused(user_code: Callable[..., Path]) -> None:
    folder = user_code(good=GOOD, other=GOOD)
    error = refused(data_of(folder, plugins=["good.py", "other.py"]))
    assert error.key == "plugins.1"
    assert f"rounded is a toggle of {folder / 'good.py'}:6 already" in error.message


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"optimizations": {"sort": {"after": {"hwo": "fast"}}}}, "optimizations.sort.after.hwo", "did you mean how?"),
        (
            {"optimizations": {"sort": {"after": {"how": "fats"}}}},
            "optimizations.sort.after.how",
            "sort takes how (fast or",
        ),
        ({"optimizations": {"sort": {"before": True}}}, "optimizations.sort", "before and after are the same"),
    ],
)
def test_the_states_of_a_toggle_are_checked_where_its_code_is(
    user_code: Callable[..., Path], change: dict[str, Any], key: str, said: str
) -> None:
    folder = user_code(good=GOOD, mine=MINE)
    error = refused(data_of(folder, **change))
    assert error.key == key
    assert said in error.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "\nraise ValueError('not today')\n", "good.py:17: ValueError: not today"),
        (GOOD.replace('"mine.sort"', '"frontend.mine"'), "no such site: frontend.mine"),
        (GOOD + "\nfrom nowhere import nothing\n", "No module named 'nowhere'"),
    ],
)
def test_what_a_plug_in_raises_is_told_with_its_line(user_code: Callable[..., Path], text: str, said: str) -> None:
    folder = user_code(good=text, mine=MINE)
    error = refused(data_of(folder))
    assert error.key == "plugins.0"
    assert said in error.message
    assert f"{folder / 'good.py'}:" in error.message


def test_a_toggle_of_what_is_not_there_is_named_where_the_scenario_has_it(user_code: Callable[..., Path]) -> None:
    folder = user_code(good=GOOD.replace('"mine:work"', '"mine:wrok"'), mine=MINE)
    error = refused(data_of(folder))
    assert error.key == "optimizations.rounded"
    assert "mine:wrok cannot be replaced" in error.message


def test_a_file_with_the_name_of_another_module_is_refused(user_code: Callable[..., Path]) -> None:
    folder = user_code(json=GOOD)
    error = refused(data_of(folder, plugins=["json.py"]))
    assert "json is the name of" in error.message
    assert "rename the file" in error.message


def test_a_child_that_dies_is_told_of_with_what_it_said(user_code: Callable[..., Path]) -> None:
    folder = user_code(good="import os, sys\nprint('so long', file=sys.stderr, flush=True)\nos._exit(9)\n" + GOOD)
    with (
        pytest.raises(MeasureError, match=r"ended with code 9: so long"),
        declared(Scenario.from_data(data_of(folder))),
    ):
        pass


def test_the_words_come_from_a_child_process_and_go_with_the_block(user_code: Callable[..., Path]) -> None:
    folder = user_code(good="print('hello')\n" + MARKED + GOOD, mine=MINE)
    with declared(Scenario.from_data(data_of(folder))):
        assert "good" not in sys.modules
        sort, rounded = named("sort"), named("rounded")
        assert isinstance(sort, Declared)
        assert (sort.isolation, sort.doc, sort.parameters) == ("settled", "Sort well.", {"how": "fast"})
        assert sort.witness.expected_after({"how": "slow"}) == "fewer"
        assert (rounded.check.bound, rounded.check.reason) == (0.5, "it is rounded")
        assert "sum(numbers)" in rounded.source("before")
        with pytest.raises(RuntimeError, match="run in workers alone"):
            sort.after()
    assert (folder / "good.ran").exists()
    assert "sort" not in registry()


def test_a_worker_without_this_project_takes_no_plug_ins(
    user_code: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(adapters.ADAPTERS, "fake", "tests.worker.tones_adapter")
    scenario = Scenario.from_data(data_of(user_code(good=GOOD, mine=MINE), model={"adapter": "fake"}))
    with pytest.raises(ScenarioError, match="runs without this project") as caught:
        runner.check_model(scenario)
    assert caught.value.key == "plugins"


@pytest.mark.parametrize("there", ["nowhere", "in the interpreter", "beside the scenario"])
def test_a_package_that_is_not_installed_in_the_functions_interpreter_is_named_where_that_is(
    user_code: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    folder = user_code(good=GOOD, mine=MINE)
    installed = folder / "installed"
    for site in (installed, folder) if there == "beside the scenario" else (installed,):
        info = site / "quick_things-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quick-things\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[harness.optimizations]\nfast = quick_things:fast\n")
    monkeypatch.syspath_prepend(installed)
    python = interpreters.bare(folder)
    if there == "in the interpreter":
        Path(python).write_text(f'#!/bin/sh\nPYTHONPATH="{installed}" exec "{sys.executable}" -S "$@"\n')
    model = {"adapter": "callable", "target": "mine.py:ask", "python": python}
    scenario = Scenario.from_data(data_of(folder, model=model, optimizations={"rounded": True, "fast": True}))
    if there != "nowhere":
        runner.check_model(scenario)
        return
    with pytest.raises(ScenarioError, match=f"quick-things, which brings fast, is not installed in {python}") as caught:
        runner.check_model(scenario)
    assert caught.value.key == "model.python"


def test_within_the_block_for_a_scenario_nobody_is_asked_again(
    user_code: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario.from_data(data_of(user_code(good=GOOD, mine=MINE)))
    asked: list[Any] = []
    ask = declaring._asked

    def noted(*about: Any) -> dict[str, Any]:
        asked.append(about)
        return ask(*about)

    monkeypatch.setattr(declaring, "_asked", noted)
    with declared(scenario):
        with declared(scenario):
            assert "sort" in registry()
        assert "sort" in registry()
        assert len(asked) == 1
    with declared(scenario):
        assert len(asked) == 2


def test_without_plug_ins_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declaring, "_asked", lambda *_: pytest.fail("a process was started"))
    data = {"file": "", "name": "n", "model": {"adapter": "fake"}, "optimizations": {"resample_cache": True}}
    with declared(Scenario.from_data(data)):
        pass


def test_a_card_says_all_that_is_needed_and_is_json() -> None:
    for name in own():
        card = json.loads(json.dumps(card_of(named(name))))
        again = Declared.of(card)
        toggle = named(name)
        for words in ("title", "doc", "sites", "check", "isolation", "excludes", "parameters"):
            assert getattr(again, words) == getattr(toggle, words)
        assert again.witness.expected_after({}) == toggle.witness.expected_after({})
        assert again.source("after") == toggle.source("after")


def test_the_answer_of_the_child_names_what_is_wrong_with_the_whole_scenario(user_code: Callable[..., Path]) -> None:
    folder = user_code(good=GOOD, mine=MINE)
    assert [card["name"] for card in answer_to(data_of(folder))["cards"]] == ["rounded", "sort"]
    problem = answer_to(data_of(folder, measure={"margin": -1}))["problem"]
    assert problem["key"] == ["measure", "margin"]


def test_a_run_is_judged_again_when_its_plug_in_is_gone(
    user_code: Callable[..., Path], tmp_path: Path, quiet: Quiet
) -> None:
    folder = user_code(good=GOOD, mine=MINE)
    scenario = Scenario.from_data(data_of(folder, optimizations={"rounded": True}))
    run = runner.run(scenario, tmp_path / "run", devices=["cpu"], progress=quiet)
    (found,) = (item for item in run.contrasts if item.metric == "latency")
    assert found.equivalence == "tolerance"
    assert (found.witness_before, found.witness_after) == (1.0, 0.0)
    (folder / "good.py").unlink()
    again = compare.evaluate(store.load(tmp_path / "run"))
    assert again.contrasts == run.contrasts
    assert "rounded" not in registry()


def test_validate_and_report_run_no_plug_in_and_plan_does(user_code: Callable[..., Path]) -> None:
    folder = user_code(good=MARKED + GOOD, mine=MARKED + MINE)
    lines = json.dumps({key: value for key, value in data_of(folder).items() if key != "file"})
    (folder / "mine.yaml").write_text(lines)
    assert harness("validate", "mine.yaml", cwd=folder).stdout == "mine.yaml: valid\n"
    assert not list(folder.glob("*.ran"))
    done = harness("plan", "mine.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "good.ran").exists()
