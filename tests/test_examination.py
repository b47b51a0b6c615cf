"""Which outputs are compared, and what is said of the others."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import units, workload
from harness.designs import PLACEBO
from harness.errors import WorkerError
from harness.optimizations import named
from harness.optimizations.registry import Check
from harness.passes import examination
from harness.passes.listening import Heard
from harness.results import Contrast, Run
from harness.session import Session
from harness.toggling import Grade
from tests.conftest import TOGGLES, fake_scenario

pytestmark = pytest.mark.usefixtures("_own_cache")
ONE = {"texts": {"en": "hello"}}
THREE = {"texts": {"a": "one", "b": "two", "c": "three"}}
SHORT = {"budget": "1s"}


def contrast(run: Run, optimization: str) -> Contrast:
    return next(c for c in run.contrasts if (c.optimization, c.metric) == (optimization, "latency"))


def told(run: Run) -> str:
    """What is said of outputs, but for how many requests stood for all."""
    return " ".join(message for message in outputs(run) if not message.startswith("Outputs were compared of"))


def outputs(run: Run) -> list[str]:
    return [finding.message for finding in run.findings if finding.kind == "outputs"]


def compared(run: Run, **keys: Any) -> Mapping[str, Counter[str]]:
    """How often each kind of request was compared, for each arm. `keys` are those of the run's scenario."""
    strata = {made.id: made.stratum for made in workload.requests(fake_scenario(**keys))}
    return {
        arm: Counter(strata[item.request] for item in run.equivalences if item.arm == arm)
        for arm in {item.arm for item in run.equivalences}
    }


@pytest.mark.parametrize("kinds", [ONE, THREE], ids=["one kind", "three kinds"])
@pytest.mark.parametrize(("fault", "grade"), [("change_at_first", "bitwise"), ("change_later", "changed")])
def test_what_a_warm_arm_makes_is_compared_and_told_where_it_is_not_what_it_made_at_first(
    measure_fake: Callable[..., Run], kinds: Mapping[str, Any], fault: str, grade: str
) -> None:
    run = measure_fake(model={"faults": {"cached_device": fault}}, workload=kinds, measure=SHORT)
    for name in ("cached_device", "all"):
        assert contrast(run, name).equivalence == grade
        assert (contrast(run, name).verdict == "output changed") == (grade == "changed")
        assert ("is graded changed, " in contrast(run, name).reason) == (grade == "changed")
        assert (" dB apart; bitwise is required" in contrast(run, name).reason) == (grade == "changed")
    assert contrast(run, "resample_cache").equivalence == "bitwise"
    assert told(run) == "The output of cached_device, all to a request differs from the first to the same request."


def test_what_a_limit_refused_while_outputs_were_made_is_told_by_arm(measure_fake: Callable[..., Run]) -> None:
    planted = {"faults": {"cached_device": "refused"}}
    limited = measure_fake(model=planted, devices=["cuda"], measure={**SHORT, "vram_limit": "512MiB"})
    (said,) = [
        message for message in outputs(limited) if message.startswith("Allocations were refused")
    ]  # once a process
    assert "were made all the same (cached_device 1, all 1): a library" in said
    assert contrast(limited, "cached_device").equivalence == "bitwise"
    assert not any("refused" in message for message in outputs(measure_fake(model=planted, measure=SHORT)))


@pytest.mark.parametrize(("limit", "processes"), [({}, 2), ({"vram_limit": "512MiB"}, 6)], ids=["no limit", "a limit"])
def test_under_a_limit_of_memory_no_arm_finds_the_room_that_another_left(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, limit: Mapping[str, str], processes: int
) -> None:
    begun: Counter[str] = Counter()
    begin = Session.worker

    def counted(self: Session, pass_: Any, *told: Any, **more: Any) -> Any:
        begun[pass_] += 1
        return begin(self, pass_, *told, **more)

    monkeypatch.setattr(Session, "worker", counted)
    measure_fake(devices=["cuda"], measure={**SHORT, **limit})
    assert begun["equivalence"] == processes, "of five arms, and the twin always in another"


@pytest.mark.parametrize("unsteady_from", [None, 1], ids=["steady", "unsteady"])
def test_code_that_makes_another_output_in_another_process_is_told_beside_the_toggles_that_it_is_held_against(
    measure_fake: Callable[..., Run], unsteady_from: int | None
) -> None:
    model = {"unsteady_from": unsteady_from, "unsteady_every": 1, "unsteady_by": 1.0}
    said = [
        message
        for message in outputs(measure_fake(model=model, measure=SHORT))
        if "what the code does by itself" in message
    ]
    assert len(said) == (unsteady_from is not None)


def test_where_the_reference_does_not_repeat_itself_either_no_arm_is_blamed_and_it_is_told_what_that_hides(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"faults": {"cached_device": "change_at_first"}}, design="leave_one_out", workload=THREE, measure=SHORT
    )
    assert {contrast(run, name).equivalence for name in TOGGLES} == {"bitwise"}
    assert told(run).startswith("The same request, made again in the same process, had another output (")
    assert "differs from the first" not in told(run)


def test_of_more_than_four_kinds_four_are_compared_from_all_over_and_the_others_are_named(
    measure_fake: Callable[..., Run],
) -> None:
    keys = {"workload": {**THREE, "stream": "both", "speakers": {"count": 2}}, "measure": SHORT}
    run = measure_fake(**keys)
    once = dict.fromkeys(("a zero_shot", "b zero_shot", "a zero_shot stream", "b zero_shot stream"), 1)
    assert compared(run, **keys) == dict.fromkeys((*TOGGLES, "all", "placebo"), once)
    assert told(run) == (
        "Outputs were compared for a zero_shot; a zero_shot stream; b zero_shot; b zero_shot stream. "
        "They were not for c zero_shot; c zero_shot stream."
    )
    for name in (*TOGGLES, "all"):
        of_kinds = {c.stratum: c.equivalence for c in run.contrasts if c.optimization == name and c.metric == "latency"}
        assert of_kinds.pop("") == "bitwise"
        assert of_kinds == {**dict.fromkeys(once, "bitwise"), "c zero_shot": None, "c zero_shot stream": None}
    assert outputs(run)[1].startswith(
        "Outputs were compared of 4 of 12 different requests. Of the others that are timed, "
    )


@pytest.mark.parametrize("repeat", [0.25, 0.75], ids=["most speakers are new", "most speakers are known"])
def test_a_kind_is_compared_once_and_by_a_known_speaker_whoever_else_speaks_it(
    measure_fake: Callable[..., Run], repeat: float
) -> None:
    keys = {
        "workload": {**ONE, "mode": ["zero_shot", "voice_conversion"], "speakers": {"count": 2, "repeat": repeat}},
        "measure": SHORT,
    }
    run = measure_fake(**keys)
    assert compared(run, **keys)["resample_cache"] == {"en zero_shot": 1, "voice_conversion": 1}
    assert told(run) == (
        "Outputs were compared for en zero_shot; voice_conversion. "
        "They were not for en zero_shot, new speaker; voice_conversion, new speaker."
    )


def test_a_toggle_is_held_to_no_bit_that_the_reference_does_not_keep_between_processes_however_its_first_twin_fared(
    measure_fake: Callable[..., Run],
) -> None:
    """The first two processes agree by luck; of the further twins the last one does not."""
    run = measure_fake(model={"faults": {"cached_device": "nudge"}, "unsteady_from": 4}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").equivalence == "tolerance"
    assert contrast(run, "cached_device").verdict != "output changed"
    assert contrast(run, "resample_cache").equivalence == "bitwise"
    assert told(run).startswith("In 4 further processes, 25 times, the output of the same code differed by up to ")


def test_what_the_same_code_says_otherwise_now_and_then_is_not_the_doing_of_a_toggle(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    """Every second arm meets it, the first output of each further process does not."""
    model = {"unsteady_from": 0, "unsteady_every": 8, "unsteady_by": 1e-3}
    run = measure_fake(model=model, workload=ONE, measure=SHORT)
    assert [contrast(run, name).equivalence for name in TOGGLES] == ["spectral", "bitwise", "spectral"]
    assert {contrast(run, name).verdict == "output changed" for name in TOGGLES} == {False}
    assert told(run).startswith("In 2 further processes, 9 times, the output of the same code differed by up to ")
    assert {file.name for file in tmp_path.glob("run/audio/*/*/placebo*")} == {"placebo.wav"}, (
        "nobody listens to the others"
    )


def test_a_toggle_that_nudges_the_output_of_a_reference_that_repeats_itself_has_changed_it(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(model={"faults": {"cached_device": "nudge"}}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert told(run) == "In 4 further processes, 25 times, the output of the same code differed in no bit."


@pytest.mark.parametrize("unsteady_from", [None, 2], ids=["steady", "unsteady"])
def test_an_arm_speaks_again_and_is_judged_by_its_middle_output_where_the_reference_does_not_repeat_itself(
    measure_fake: Callable[..., Run], tmp_path: Path, unsteady_from: int | None
) -> None:
    """Its one output that was compared is off; on a device that repeats itself that is the toggle's doing."""
    model = {"faults": {"cached_device": "glitch"}, "unsteady_from": unsteady_from}
    run = measure_fake(model=model, workload=ONE, measure=SHORT)
    found = contrast(run, "cached_device")
    if unsteady_from is None:
        assert (found.equivalence, found.verdict) == ("spectral", "output changed")
        return
    assert found.equivalence == "tolerance"
    assert found.verdict != "output changed"
    assert told(run).endswith(" So cached_device, all spoke again 8 times, and the middle one of these outputs counts.")
    assert not list(tmp_path.glob("run/audio/*/*/cached_device-*"))


def test_an_arm_that_is_off_in_few_outputs_by_no_more_than_the_same_code_is_not_refused_and_not_called_bitwise(
    measure_fake: Callable[..., Run],
) -> None:
    model = {"faults": {"cached_device": "glitch"}, "unsteady_from": 2, "unsteady_every": 8, "unsteady_by": 1e-5}
    run = measure_fake(model=model, workload=ONE, measure=SHORT)
    found = contrast(run, "cached_device")
    assert " So cached_device, all spoke again 8 times" in told(run)
    assert found.equivalence == "spectral"
    assert found.verdict != "output changed"


def test_an_arm_that_always_makes_a_slightly_other_sound_is_refused_on_a_device_that_moves_last_bits(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(model={"faults": {"cached_device": "shift"}, "unsteady_from": 2}, workload=ONE, measure=SHORT)
    found = contrast(run, "cached_device")
    assert (found.equivalence, found.verdict) == ("spectral", "output changed")
    assert " So cached_device, all spoke again 8 times, " in told(run)
    assert contrast(run, "resample_cache").verdict != "output changed"


def test_an_arm_that_dies_when_it_is_heard_again_is_judged_by_what_it_said_and_costs_no_other_its_hearing(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    speak = examination._speak

    def die_again(session: Any, worker: Any, arm: str, checked: Any, probes: Any, rounds: Any) -> Any:
        if arm == "cached_device" and rounds != [arm]:
            message = "planted: the worker was ended"
            raise WorkerError(message, kind="crash", arm=arm)
        return speak(session, worker, arm, checked, probes, rounds)

    monkeypatch.setattr(examination, "_speak", die_again)
    model = {"faults": {"cached_device": "glitch"}, "unsteady_from": 2}
    run = measure_fake(model=model, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert contrast(run, "all").verdict != "output changed"
    assert " So all spoke again 8 times" in told(run)


def test_no_further_twin_speaks_where_nothing_hangs_on_it(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"faults": {"cached_device": "change"}, "unsteady_from": 2}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert told(run) == ""


def test_a_further_twin_that_dies_costs_no_arm(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> bool:
        message = "planted: the worker was ended"
        raise WorkerError(message, kind="crash", arm=PLACEBO)

    monkeypatch.setattr(examination, "_speak_again", die)
    run = measure_fake(model={"faults": {"cached_device": "nudge"}}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert contrast(run, "resample_cache").equivalence == "bitwise"
    assert PLACEBO in {control.name for control in run.controls if control.passed}
    assert not run.failures
    assert told(run) == ""


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (("changed", None), "was another one, which excuses nothing."),
        (("changed", 2.5), "was another one, which excuses nothing."),
        (("spectral", 0.00123), "differed by up to 0.00123 dB (spectral)."),
        (("tolerance", 2e-8), "differed by up to 2e-08 (tolerance)."),
    ],
)
def test_the_finding_of_twins_has_words_for_each_grade(own: tuple[Grade, float | None], wanted: str) -> None:
    found: list[str] = []
    session: Any = SimpleNamespace(
        ledger=SimpleNamespace(again={PLACEBO: [[], []]}),
        device="cuda:0",
        record=lambda _, **event: found.append(event["message"]),
    )
    examination._report_twins(
        session, [examination._Found(grade, figure, 0.0) for grade, figure in (("bitwise", 0.0), own)]
    )
    assert found == [f"In 3 further processes, 17 times, the output of the same code {wanted}"]


@pytest.fixture
def _draws_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toggle cached_device may draw other tokens, and change no bit of what is spoken from the same ones."""
    toggles = sys.modules["harness.optimizations.registry"]  # the package's function of that name hides the module
    declared = replace(named("cached_device"), check=Check(grade="bitwise", other_tokens=True))
    monkeypatch.setitem(toggles._REGISTRY, "cached_device", declared)


@pytest.mark.usefixtures("_draws_others")
def test_the_sound_of_an_arm_that_may_draw_other_tokens_is_compared_from_the_same_ones_and_their_share_told(
    measure_fake: Callable[..., Run], tmp_path: Path
) -> None:
    run = measure_fake(model={"faults": {"cached_device": "draw"}}, workload=ONE, measure=SHORT)
    found = contrast(run, "cached_device")
    assert (found.equivalence, found.verdict == "output changed") == ("bitwise", False)
    (row,) = [row for row in run.equivalences if row.arm == "cached_device"]
    digest = hashlib.sha256(f"hello {workload.requests(fake_scenario(workload=ONE))[0].seed}".encode()).digest()
    alike = sum(one == other for one, other in zip(digest, reversed(digest), strict=True))
    assert (row.tokens_equal, row.tokens, row.agreement) == (False, 32, alike / 32)
    assert row.audio_before is not None
    assert row.audio_after is not None
    assert [Path(file).name for file in (row.audio_before, row.audio_after)] == [
        "none-from-tokens.wav", "cached_device-from-tokens.wav",
    ]  # fmt: skip
    assert all((tmp_path / "run" / file).is_file() for file in (row.audio_before, row.audio_after))
    assert [other.agreement for other in run.equivalences if other.arm == "resample_cache"] == [None]
    share = units.percent(alike / 32, 0)
    assert told(run) == " ".join(
        f"{arm} draws other speech tokens ({share} as before), which it may: its sound was compared from the same tokens."
        for arm in ("cached_device", "all")
    )


@pytest.mark.usefixtures("_draws_others")
def test_a_toggle_that_changes_what_is_spoken_from_the_same_tokens_has_changed_the_output(
    measure_fake: Callable[..., Run],
) -> None:
    faults = {"cached_device": "draw", "resample_cache": "change"}
    run = measure_fake(model={"faults": faults}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict != "output changed"
    assert (contrast(run, "all").equivalence, contrast(run, "all").verdict) == ("changed", "output changed")


@pytest.mark.parametrize("design", ["one_at_a_time", "ladder"])
@pytest.mark.usefixtures("_draws_others")
def test_other_tokens_of_one_toggle_are_not_excused_by_another_that_may_draw_them(
    measure_fake: Callable[..., Run], design: str
) -> None:
    """cached_device may, and does not; resample_cache may not, and does."""
    run = measure_fake(
        model={"faults": {"resample_cache": "draw"}}, workload=ONE, measure=SHORT, design=design,
        optimizations={"cached_device": True, "resample_cache": True},
    )  # fmt: skip
    assert contrast(run, "cached_device").verdict != "output changed"
    changed = {row.arm for row in run.equivalences if not row.accepted}
    assert changed == ({"resample_cache", "all"} if design == "one_at_a_time" else {"all"})
    assert {row.agreement for row in run.equivalences} == {None}


@pytest.mark.usefixtures("_draws_others")
def test_a_later_step_of_a_ladder_is_compared_from_the_same_tokens_where_it_leaves_those_alone(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"faults": {"cached_device": "draw"}}, workload=ONE, measure=SHORT, design="ladder",
        optimizations={"cached_device": True, "resample_cache": True},
    )  # fmt: skip
    assert all(row.accepted for row in run.equivalences)
    assert sum(row.agreement is not None for row in run.equivalences) == 2


@pytest.mark.usefixtures("_draws_others")
def test_a_toggle_that_the_target_cannot_take_keeps_no_arm_from_being_compared_from_the_same_tokens(
    measure_fake: Callable[..., Run],
) -> None:
    run = measure_fake(
        model={"faults": {"cached_device": "draw"}}, workload=ONE, measure=SHORT,
        optimizations={"cached_device": True, "resample_cache": True, "event_wait": True},
    )  # fmt: skip
    assert "event_wait" in run.plan.not_applicable
    assert {row.arm for row in run.equivalences if row.accepted} == {
        "cached_device",
        "resample_cache",
        "all",
        "placebo",
    }


@pytest.mark.usefixtures("_draws_others")
@pytest.mark.parametrize("fault", ["draw_only", "draw_mute"])
def test_an_arm_or_a_target_that_cannot_speak_given_tokens_has_changed_its_output(
    measure_fake: Callable[..., Run], fault: str
) -> None:
    """It leaves them alone; or the reference too makes something else of them than of its own, where it draws them."""
    model = {"faults": {"cached_device": "draw_only" if fault == "draw_only" else "draw"}, "mute": fault == "draw_mute"}
    run = measure_fake(model=model, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert {row.agreement for row in run.equivalences} == {None}
    assert told(run) == ""


@pytest.mark.usefixtures("_draws_others")
@pytest.mark.parametrize(("words", "is_accepted"), [(0.0, True), (1.0, False)])
def test_what_an_arm_says_by_itself_is_listened_to_and_its_lost_words_count(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, words: float, *, is_accepted: bool
) -> None:
    def listen(session: Session, _: object) -> Heard:
        files = [output["audio"] for outputs in session.ledger.examined.values() for output in outputs]
        return Heard(words={file: words if "cached_device" in file else 0.0 for file in files}, sounds={})

    monkeypatch.setattr(examination, "listen", listen)
    run = measure_fake(model={"faults": {"cached_device": "draw"}}, workload=ONE, measure=SHORT)
    (row,) = [row for row in run.equivalences if row.arm == "cached_device"]
    assert (row.words_after, row.accepted) == (words, is_accepted)
    assert (contrast(run, "cached_device").verdict == "output changed") is not is_accepted


@pytest.mark.usefixtures("_draws_others")
def test_a_process_that_dies_of_given_tokens_costs_its_arm_alone_and_that_is_told(
    measure_fake: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    speak = examination._speak

    def die(session: Any, worker: Any, arm: str, *given: Any) -> Any:
        if arm == "cached_device" and len(given) > 3:
            message = "planted: the worker was ended"
            raise WorkerError(message, kind="crash", arm=arm)
        return speak(session, worker, arm, *given)

    monkeypatch.setattr(examination, "_speak", die)
    run = measure_fake(model={"faults": {"cached_device": "draw"}}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert contrast(run, "all").verdict != "output changed"
    assert not run.failures
    assert told(run).startswith("cached_device could not speak the reference's tokens: the process ended.")


def test_other_tokens_of_a_toggle_that_does_not_say_so_are_a_changed_output(measure_fake: Callable[..., Run]) -> None:
    run = measure_fake(model={"faults": {"cached_device": "draw"}}, workload=ONE, measure=SHORT)
    assert contrast(run, "cached_device").verdict == "output changed"
    assert {row.agreement for row in run.equivalences} == {None}


@pytest.mark.parametrize(
    ("before", "after", "share"), [([1, 2, 3, 4], [1, 2, 9, 4], 0.75), ([1, 2], [1, 2, 3, 4], 0.5), ([], [], 1.0)]
)
def test_the_agreement_of_tokens_is_of_the_places_of_the_longer(
    before: list[int], after: list[int], share: float
) -> None:
    assert examination._agreement(before, after) == share
