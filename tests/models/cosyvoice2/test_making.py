"""A directory that `make-checkpoint` writes: complete or absent, loadable, and the same model as random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from transformers import AutoTokenizer

from harness.adapters.cosyvoice2 import ADAPTER
from harness.errors import CheckpointError, UsageError
from harness.models.cosyvoice2 import making, model_dir, tokenizer
from harness.models.cosyvoice2.config import NANO, REDUCED, CosyVoice2Config
from harness.models.cosyvoice2.frontend import random_front_end_networks
from harness.models.cosyvoice2.onnx_networks import OnnxSpeakerEncoder, OnnxSpeechTokenizer
from harness.worker.machine import machine
from harness.worker.requests import Output, Request, Speaker
from tests.command_line import harness_command as harness
from tests.models.cosyvoice2.conftest import Record
from tests.parity.inputs import TEXTS

SEED = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "nano"
    making.make(folder, NANO, SEED, lambda _: None)
    return folder


def _ignore(samples: int) -> None:
    pass


def speak(options: dict[str, Any], work_dir: Path, request: Request) -> Output:
    target = ADAPTER.load(options, machine("cpu"), work_dir).bind({}, [request.speaker])
    return target.run(request, _ignore)


@pytest.mark.parametrize("mode", ["zero_shot", "cross_lingual"])
def test_the_directory_speaks_as_random_weights_of_its_size_and_seed(
    made: Path, tmp_path: Path, record: Record, mode: Any
) -> None:
    speaker = Speaker(id="ada", audio=record(), text="今天天气很好。", digest="ada-1")
    request = Request(id="r", mode=mode, text="你好，世界。", speaker=speaker, seed=7)
    from_directory = speak({"weights": str(made)}, tmp_path, request)
    random = speak({"weights": "random", "size": "nano", "seed": SEED}, tmp_path, request)
    assert from_directory.tokens == random.tokens
    # The embedding comes from onnxruntime here and from torch there; the last digits differ.
    assert np.abs(from_directory.audio - random.audio).max() < 1e-3 * np.abs(random.audio).max()


def test_the_description_says_what_was_loaded_and_not_where_it_lies(made: Path, tmp_path: Path) -> None:
    description = ADAPTER.load({"weights": str(made)}, machine("cpu"), tmp_path).description
    assert description["weights"] == "nano"
    assert description["made_by_make_checkpoint"] == {"size": "nano", "seed": SEED}
    assert description["length"] == "forced"
    assert description["onnx"]["speech_tokenizer"]["runs_on"] == "CPUExecutionProvider"
    assert "speech_tokenizer" not in description["dimensions"]
    assert str(made.parent) not in json.dumps(description)


@pytest.fixture(scope="module")
def unmarked(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that the public code could have written: of no size of ours by name, its weights not said to be random.

    The front end's networks are the same in `reduced` as in `nano`.
    """
    folder = tmp_path_factory.mktemp("models") / "mine"
    shutil.copytree(made, folder)
    job = making._Job(config=REDUCED, seed=SEED, folder=folder)
    making._acoustic(job)
    making._configuration(job)
    (folder / model_dir.RANDOM_MARK).unlink()
    return folder


def test_the_model_decides_where_to_stop_unless_its_weights_are_marked_as_random(
    unmarked: Path, tmp_path: Path
) -> None:
    description = ADAPTER.load({"weights": str(unmarked)}, machine("cpu"), tmp_path).description
    assert description["length"] == "model"
    assert description["size"] == "custom"
    assert "made_by_make_checkpoint" not in description
    forced = ADAPTER.load({"weights": str(unmarked), "length": "forced"}, machine("cpu"), tmp_path).description
    assert forced["length"] == "forced"


def test_without_the_mark_there_are_as_many_upsampled_blocks_as_in_the_public_code(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(made, folder)
    (folder / model_dir.RANDOM_MARK).unlink()
    with pytest.raises(CheckpointError, match=r"mine/flow.pt: \d+ missing: encoder.up_encoders.1"):
        ADAPTER.load({"weights": str(folder)}, machine("cpu"), tmp_path)


def test_a_made_directory_may_be_asked_to_stop_by_itself_and_then_runs_to_the_cap(
    made: Path, tmp_path: Path, record: Record
) -> None:
    speaker = Speaker(id="ada", audio=record(), text="今天天气很好。", digest="ada-1")
    request = Request(id="r", mode="sft", text="好。", speaker=speaker, seed=7)
    output = speak({"weights": str(made), "length": "model"}, tmp_path, request)
    assert output.hit_cap
    assert not speak({"weights": str(made)}, tmp_path, request).hit_cap


@pytest.mark.parametrize("frames", [40, 101, 352])
def test_the_graphs_compute_what_the_networks_compute(made: Path, frames: int) -> None:
    speech, speaker = random_front_end_networks(NANO, SEED)
    draw = torch.Generator().manual_seed(frames)
    log_mel, fbank = torch.randn(1, 128, frames, generator=draw), torch.randn(1, frames, 80, generator=draw)
    graph = OnnxSpeechTokenizer(made / model_dir.SPEECH_TOKENIZER_FILE, "cpu", 128)
    assert torch.equal(graph.encode(log_mel), speech.encode(log_mel))
    embedding = OnnxSpeakerEncoder(made / model_dir.SPEAKER_FILE, 80, 192).embed(fbank)
    torch.testing.assert_close(embedding, speaker.embed(fbank), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", TEXTS)
def test_text_becomes_the_tokens_that_transformers_makes_of_it(made: Path, text: str) -> None:
    """With the tokens added that the public front end adds; `nox -s parity` compares with that front end itself."""
    folder = made / model_dir.TOKENIZER_FOLDER
    theirs = AutoTokenizer.from_pretrained(str(folder))
    theirs.add_special_tokens(
        {
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "additional_special_tokens": [*tokenizer.QWEN_SPECIALS[1:], *tokenizer.SPEECH_SPECIALS],
        }
    )
    mine = tokenizer.TextTokenizer(tokenizer.from_folder(folder)).encode(text)
    assert mine == theirs(text)["input_ids"]
    assert mine == tokenizer.TextTokenizer(tokenizer.trained()).encode(text)


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty"):
        making.make(tmp_path, NANO, 0, lambda _: None)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt(title: str) -> None:
        if "ONNX" in title:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        making.make(tmp_path / "new", NANO, 0, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_refused_and_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "new.partial").mkdir()
    with pytest.raises(UsageError, match=r"new.partial is there, left by a run that was killed"):
        making.make(tmp_path / "new", NANO, 0, lambda _: None)
    assert [file.name for file in tmp_path.iterdir()] == ["new.partial"]


@pytest.mark.parametrize("config", [NANO, REDUCED], ids=lambda config: config.size)
def test_the_size_on_disk_is_foretold(made: Path, config: CosyVoice2Config) -> None:
    expected = making.expected_bytes(config)
    assert expected > 0
    if config is NANO:
        assert abs(making.size_on_disk(made) - expected) < 0.3 * expected


def graph_file(path: Path, inputs: list[Any], output_type: int) -> Path:
    """A graph of the given interface that hands on its first input."""
    output = helper.make_tensor_value_info("out", output_type, None)
    node = helper.make_node("Cast", [inputs[0].name], ["out"], to=output_type)
    model = helper.make_model(helper.make_graph([node], "g", inputs, [output]), ir_version=9,
                              opset_imports=[helper.make_opsetid("", 17)])  # fmt: skip
    onnx.save(model, path)
    return path


def test_a_graph_of_another_interface_is_refused_with_what_it_has(tmp_path: Path) -> None:
    feats = helper.make_tensor_value_info("feats", TensorProto.FLOAT, [1, 80, "T"])
    length = helper.make_tensor_value_info("length", TensorProto.INT32, [1])
    file = graph_file(tmp_path / "speech_tokenizer_v2.onnx", [feats, length], TensorProto.INT32)
    with pytest.raises(CheckpointError, match=r"has another interface: feats tensor\(float\) \[1, 80, 'T'\], length"):
        OnnxSpeechTokenizer(file, "cpu", 128)
    with pytest.raises(CheckpointError, match=r"expected inputs tensor\(float\) \[None, None, 80\]"):
        OnnxSpeakerEncoder(file, 80, 192)


def test_something_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "campplus.onnx").write_bytes(b"<html>")
    with pytest.raises(CheckpointError, match=r"campplus.onnx is not an ONNX graph that can be run"):
        OnnxSpeakerEncoder(tmp_path / "campplus.onnx", 80, 192)


def test_tokenizer_files_of_two_models_are_refused(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "CosyVoice-BlankEN"
    shutil.copytree(made / model_dir.TOKENIZER_FOLDER, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["added_tokens_decoder"] = {"9999": {"content": "<|endoftext|>", "special": True}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"the id 9999, but after vocab.json"):
        tokenizer.from_folder(folder)


def test_weights_that_do_not_fit_end_a_run_with_their_names_and_exit_code_2(
    unmarked: Path, tmp_path: Path, record: Record
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(unmarked, folder)
    tensors = torch.load(folder / "hift.pt", weights_only=True)
    torch.save({name: tensor for name, tensor in tensors.items() if name != "conv_post.bias"}, folder / "hift.pt")
    prompt = f"{{audio: {record()}, text: hello}}"
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nmodel: {adapter: cosyvoice2, weights: mine}\ndevices: [cpu]\noptimizations: {resample_cache: true}\n"
        f"workload: {{texts: {{en: hello}}, prompts: [{prompt}]}}\n",
        encoding="utf-8",
    )
    done = harness("run", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "mine/hift.pt: 1 missing: conv_post.bias" in done.stderr
    assert "Traceback" not in done.stderr
    (folder / "llm.pt").unlink()
    done = harness("run", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "mine.yaml:2: model.weights: mine lacks llm.pt" in done.stderr
