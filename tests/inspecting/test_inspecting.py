"""The whole of an inspection: layouts, what cannot be read, what is recognised, and how it is told."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from harness import scenario
from harness.adapters import adapter
from harness.errors import UsageError
from harness.inspecting import RULES, Fact, inspect
from harness.inspecting.proposal import scenario as proposed
from harness.inspecting.source import MOST_FILES
from harness.inspecting.table import as_json, show
from tests.command_line import harness_command
from tests.inspecting.samples import code, engine, facade, front_end, written

RESAMPLING = front_end(zero_shot="return torchaudio.transforms.Resample(16000, resample_rate)(prompt_speech_16k)")


def facts(folder: Path, files: dict[str, str]) -> dict[str, Fact]:
    return {fact.about: fact for fact in inspect(written(folder, files)).facts}


@pytest.mark.parametrize("inside", ["", "backend", "backend/Cosy", "backend/Cosy/cosyvoice"])
def test_any_folder_above_or_at_the_package_will_do(inside: str, tmp_path: Path) -> None:
    written(tmp_path / "backend/Cosy", {"cli/frontend.py": RESAMPLING})
    inspection = inspect(tmp_path / inside)
    (place,) = [
        evidence.place
        for finding in inspection.findings
        if finding.id == "resample_cache"
        for evidence in finding.costs
    ]
    assert (tmp_path / inside / place.file).read_text(encoding="utf-8").splitlines()[
        place.line - 1
    ].strip() == place.code


def test_file_names_and_class_names_do_not_matter(tmp_path: Path) -> None:
    parts = {"a.py": engine(tts="yield text\ngc.collect()", name="Zeta"), "b.py": RESAMPLING, "c.py": facade()}
    for name, text in parts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert set(inspect(tmp_path).toggles) == {"resample_cache", "prebuilt_resample", "batched_cleanup"}


def test_a_service_beside_the_package_is_read_too(tmp_path: Path) -> None:
    service = code(
        "def speak(voice, text):\n    for piece in re.split('[.]', text):\n        yield from voice.inference_sft(piece, 'a')"
    )
    inspection = inspect(written(tmp_path, {"../TTS.py": service}))
    (finding,) = [finding for finding in inspection.findings if finding.id == "precompiled_regex"]
    assert [str(evidence.place) for evidence in finding.costs] == ["TTS.py:12"]


def test_inherited_methods_make_an_engine_of_a_later_generation(tmp_path: Path) -> None:
    later = engine(token2wav="mel = self.flow.inference(token)\nreturn self.hift.inference(mel, cache_source=None)")
    later += "\n\nclass Third(Speaker):\n    def token2wav(self, token, prompt_token, token_offset, finalize):\n"
    later += "        return self.hift.inference(token, finalize=finalize)\n"
    later += "\n\nclass First(Speaker):\n    def token2wav(self, token, prompt_token):\n        return token\n"
    told = [fact.found for fact in inspect(written(tmp_path, {"cli/model.py": later})).facts if fact.about == "engine"]
    assert told == ["Speaker, of CosyVoice 2", "Third, of CosyVoice 3", "First, of CosyVoice 1"]


def test_the_prompt_is_a_path_where_the_front_end_reads_recordings(tmp_path: Path) -> None:
    extracting = "def _extract_speech_token(self, speech):\n    return {audio}\n"
    taking = facts(tmp_path / "tensor", {"cli/frontend.py": front_end(more=extracting.format(audio="speech"))})
    assert taking["prompt"].found == "a tensor at 16 kHz; the caller reads the recording"
    reading = front_end(more=extracting.format(audio="load(speech)"), before="from cosyvoice.utils.files import load")
    loader = code("def load(path):\n    return torchaudio.load(path)")
    given = facts(tmp_path / "path", {"cli/frontend.py": reading, "utils/files.py": loader})
    assert given["prompt"].found == "a path; the front end reads the recording"
    assert given["prompt"].places[0].function == "Inputs._extract_speech_token"


def test_where_resample_is_built_is_told_by_function(tmp_path: Path) -> None:
    assert facts(tmp_path / "some", {"cli/frontend.py": RESAMPLING})["Resample"].found == "built in frontend_zero_shot"
    assert facts(tmp_path / "none", {})["Resample"].found == "not built in a request"


@pytest.mark.parametrize(
    ("kept", "hazards"), [("self.kept[zero_shot_spk_id]", 1), ("{**self.kept[zero_shot_spk_id]}", 0)]
)
def test_a_request_that_damages_a_registered_speaker_is_a_hazard(kept: str, hazards: int, tmp_path: Path) -> None:
    crossing = """
        def frontend_cross_lingual(self, tts_text, zero_shot_spk_id):
            inputs = self.frontend_zero_shot(tts_text, '', None, 24000, zero_shot_spk_id)
            del inputs['prompt_text']
            return inputs
    """
    registering = """
        def add_zero_shot_spk(self, prompt_text, prompt_speech_16k, zero_shot_spk_id):
            return True

        def inference_cross_lingual(self, tts_text, zero_shot_spk_id=''):
            yield tts_text
    """
    files = {
        "cli/frontend.py": front_end(zero_shot=f"inputs = {kept}\nreturn inputs", more=crossing),
        "cli/cosyvoice.py": facade(more=registering),
    }
    found = facts(tmp_path, files)
    assert (
        found["speakers"].found
        == "add_zero_shot_spk keeps features; zero_shot_spk_id of inference_cross_lingual uses them"
    )
    assert len(found["hazard"].places if "hazard" in found else ()) == hazards


def test_the_store_of_speakers_is_told(tmp_path: Path) -> None:
    storing = front_end(
        init="self.kept = torch.load(model_dir)",
        more="def frontend_sft(self, text, spk_id):\n    return self.kept[spk_id]",
    )
    assert facts(tmp_path, {"cli/frontend.py": storing})["speakers"].found.startswith("no add_zero_shot_spk")
    told = [fact.found for fact in inspect(tmp_path).facts if fact.about == "speakers"]
    assert told[0] == "self.kept holds them, read from a file"


def test_cleanups_are_listed_wherever_they_stand(tmp_path: Path) -> None:
    cleaning = engine(tts="yield text\ngc.collect()\ntorch.cuda.current_stream().synchronize()")
    assert facts(tmp_path / "some", {"cli/model.py": cleaning})["cleanup"].found == "gc.collect once, synchronize once"
    assert facts(tmp_path / "none", {})["cleanup"].found == "none"


@pytest.mark.parametrize("text", ["def later(:\n    pass\n", "match = = 3\n", "\0", "# coding: nothing-known\n"])
def test_a_file_that_does_not_parse_is_reported_and_the_rest_is_read(text: str, tmp_path: Path) -> None:
    inspection = inspect(written(tmp_path, {"utils/newer.py": text, "cli/frontend.py": RESAMPLING}))
    assert [unread.file for unread in inspection.unread] == ["cosyvoice/utils/newer.py"]
    assert inspection.unread[0].reason
    assert "resample_cache" in inspection.toggles
    assert "newer.py" in printed(inspection)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_python_counts_them(end: str, tmp_path: Path) -> None:
    text = "\x0c\n" + "SEPARATOR = '\u2028\x85'\n" + RESAMPLING
    written(tmp_path)
    (tmp_path / "cosyvoice/cli/frontend.py").write_bytes(text.replace("\n", end).encode())
    (finding,) = [finding for finding in inspect(tmp_path).findings if finding.id == "resample_cache"]
    (evidence,) = finding.costs
    assert "Resample(16000" in evidence.place.code
    assert evidence.place.line == text[: text.index("Resample(")].count("\n") + 1


def test_nothing_of_the_code_is_run(tmp_path: Path) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    inspect(written(tmp_path, {"__init__.py": trap, "cli/frontend.py": trap + front_end()}))
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_cosyvoice_says_what_was_looked_for_and_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "near.py").write_text("class Almost:\n    def tts(self, text):\n        return text\n")
    with pytest.raises(UsageError, match=r"looked in 1 Python files for a class with tts and token2wav") as caught:
        inspect(tmp_path)
    assert "the nearest is the class Almost in near.py:1, which has tts" in str(caught.value)
    (tmp_path / "near.py").write_text("print()\n")
    with pytest.raises(UsageError, match="no CosyVoice here"):
        inspect(tmp_path)


def test_a_folder_that_is_not_there_is_told_with_the_nearest_spelling(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(UsageError, match=r"did you mean .*cosyvoice"):
        inspect(tmp_path / "cosyvoise")


def test_a_folder_with_too_much_in_it_is_refused(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.py").touch()
    with pytest.raises(UsageError, match="name the folder in it that holds CosyVoice"):
        inspect(tmp_path)


def test_environments_and_hidden_folders_are_left_out(tmp_path: Path) -> None:
    for folder in (".git", "venv", "lib/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.py").write_text("not python at all")
    assert inspect(written(tmp_path)).unread == ()


def printed(inspection: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(inspection, console)  # type: ignore[arg-type]  # any inspection
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_every_finding_with_its_places_and_the_reasons(tmp_path: Path) -> None:
    inspection = inspect(
        written(tmp_path, {"cli/frontend.py": RESAMPLING, "cli/model.py": engine(init="self.w = np.hamming(8)")})
    )
    text = printed(inspection)
    for finding in inspection.findings:
        assert finding.id in text
        assert finding.state in text
    assert "cosyvoice/cli/model.py:16" in text
    assert "Measured elsewhere" not in text, "no figure of what was not found"
    assert "host_round_trips: A cross-fade on the host" in text


def test_of_an_engine_alone_nothing_is_said_of_what_a_front_end_does(tmp_path: Path) -> None:
    engine = "class Engine:\n    def tts(self, text):\n        return self.token2wav(text)\n\n    def token2wav(self, token):\n        return token\n"
    (tmp_path / "engine.py").write_text(engine, encoding="utf-8")
    found = inspect(tmp_path)
    told = {finding.id: finding.reason for finding in found.findings}
    unknown = "no front end was found here, so that what it does is not known"
    assert [told[name] for name in ("resample_cache", "prebuilt_resample", "precompiled_regex")] == [unknown] * 3
    assert "Why these cost time" not in printed(found), "nothing was found that does"


def test_json_has_all_of_it(tmp_path: Path) -> None:
    data = json.loads(json.dumps(as_json(inspect(written(tmp_path, {"cli/frontend.py": RESAMPLING})))))
    (finding,) = [finding for finding in data["findings"] if finding["id"] == "resample_cache"]
    assert data["schema_version"] == 1
    assert finding["state"] == "applies"
    assert finding["costs"][0]["place"]["file"] == "cosyvoice/cli/frontend.py"


def test_the_scenario_turns_on_what_applies_and_says_where(tmp_path: Path) -> None:
    files = {"cli/frontend.py": RESAMPLING, "cli/model.py": engine(tts="yield text\ngc.collect()")}
    text = proposed(inspect(written(tmp_path / "it's: {odd}", files)))
    assert "  resample_cache: true  # cosyvoice/cli/frontend.py:" in text
    assert "  # prebuilt_resample: true  # applies too, but cannot stand together with resample_cache" in text
    assert "  # cached_device: not applicable: neither" in text
    chosen = scenario.parse(text.encode(), "proposed.yaml")
    assert set(chosen.optimizations) == {"resample_cache", "batched_cleanup"}
    assert chosen.options()["path"] == str(tmp_path / "it's: {odd}")


def test_the_scenario_names_the_model_that_lies_in_the_checkout_and_is_accepted_as_it_is(tmp_path: Path) -> None:
    inspected = inspect(written(tmp_path, {"cli/frontend.py": RESAMPLING}))
    absent = scenario.parse(proposed(inspected).encode(), "proposed.yaml")
    with pytest.raises(UsageError, match=r"weights: .*CosyVoice2-0\.5B is no folder"):
        adapter("checkout").check(absent.options())
    model = tmp_path / "pretrained_models" / "CosyVoice2-0.5B"
    model.mkdir(parents=True)
    (model / "cosyvoice2.yaml").touch()
    chosen = scenario.parse(proposed(inspected).encode(), "proposed.yaml")
    assert chosen.options()["weights"] == str(model)
    adapter("checkout").check(chosen.options())


def test_a_loss_that_was_found_is_named_with_the_toggle_that_mends_it(tmp_path: Path) -> None:
    speaks = "while True:\n    time.sleep(0.1)\n    yield text\ngc.collect()"
    inspection = inspect(written(tmp_path, {"cli/model.py": "import time\n" + engine(tts=speaks)}))
    text = proposed(inspection)
    assert "  # event_wait: true  # cosyvoice/cli/model.py:" in text
    assert "hop_reset: true" not in text
    assert "event_wait" not in scenario.parse(text.encode(), "proposed.yaml").optimizations
    console = Console(file=io.StringIO(), width=200)
    show(inspection, console)
    assert "Mended by the toggle event_wait." in console.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO


def test_no_scenario_is_written_where_nothing_applies(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        proposed(inspect(written(tmp_path)))


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return harness_command("inspect", *arguments)


def test_the_command_prints_tables_or_json_and_writes_a_scenario_once(tmp_path: Path) -> None:
    code_, wanted = str(written(tmp_path, {"cli/frontend.py": RESAMPLING})), tmp_path / "mine.yaml"
    first = harness(code_, "--write", str(wanted))
    assert first.returncode == 0, first.stderr
    assert "resample_cache" in first.stdout
    assert "adapter: checkout" in wanted.read_text(encoding="utf-8")
    second = harness(code_, "--json", "--write", str(wanted))
    assert second.returncode == 2
    assert "this file exists" in second.stderr
    assert json.loads(harness(code_, "--json").stdout)["files"] == 4


def test_the_command_answers_2_where_there_is_no_cosyvoice(tmp_path: Path) -> None:
    done = harness(str(tmp_path))
    assert done.returncode == 2
    assert "no CosyVoice here" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_about_it_has_every_rule() -> None:
    page = Path(__file__).parents[2].joinpath("docs/inspect.md").read_text(encoding="utf-8")
    assert [rule.id for rule in RULES if f"| `{rule.id}` |" not in page] == []
