"""What is seen of a model directory without torch: files, configuration, size."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import CheckpointError
from harness.models.cosyvoice2.config import FULL, REDUCED, SIZES
from harness.models.cosyvoice2.making import _qwen_settings
from harness.models.cosyvoice2.model_dir import RANDOM_MARK, examine
from harness.models.cosyvoice2.published_config import CONFIG_FILE, QWEN_CONFIG_FILE, read_config
from harness.models.cosyvoice2.published_yaml import yaml_text

OTHER_FILES = (
    "llm.pt", "flow.pt", "hift.pt", "campplus.onnx", "speech_tokenizer_v2.onnx", "CosyVoice-BlankEN/vocab.json",
    "CosyVoice-BlankEN/merges.txt", "CosyVoice-BlankEN/tokenizer_config.json",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of published dimensions whose weights are not looked at."""
    made = tmp_path / "CosyVoice2-0.5B"
    (made / "CosyVoice-BlankEN").mkdir(parents=True)
    for name in OTHER_FILES:
        (made / name).write_bytes(b"not looked at")
    (made / CONFIG_FILE).write_text(yaml_text(FULL), encoding="utf-8")
    (made / QWEN_CONFIG_FILE).write_text(json.dumps(_qwen_settings(FULL.llm, 0)), encoding="utf-8")
    return made


def change(folder: Path, old: str, new: str) -> None:
    file = folder / CONFIG_FILE
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_directory_of_published_dimensions_is_full_and_nobody_says_that_its_weights_are_random(folder: Path) -> None:
    directory = examine(folder)
    assert directory.config == FULL
    assert directory.made is None
    assert directory.name == "CosyVoice2-0.5B"


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_for_a_size_reads_back_as_that_size(folder: Path, size: str) -> None:
    config = SIZES[size]
    (folder / CONFIG_FILE).write_text(yaml_text(config), encoding="utf-8")
    (folder / QWEN_CONFIG_FILE).write_text(json.dumps(_qwen_settings(config.llm, 0)), encoding="utf-8")
    (folder / RANDOM_MARK).write_text(json.dumps({"size": size, "seed": 3}), encoding="utf-8")
    directory = examine(folder)
    assert directory.config == config
    assert directory.made == {"size": size, "seed": 3}


def test_other_dimensions_are_taken_as_they_stand(folder: Path) -> None:
    change(folder, "num_blocks: 6", "num_blocks: 2")
    assert read_config(folder).flow == replace(FULL.flow, blocks=2)


def test_the_training_part_of_the_published_file_changes_nothing(folder: Path) -> None:
    with (folder / CONFIG_FILE).open("a", encoding="utf-8") as file:
        file.write("seed: !apply:torch.manual_seed [1986]\nopener: !name:cosyvoice.dataset.processor.parquet_opener\n")
        file.write("pipeline: [\n    !ref <opener>,\n]\n")
    assert read_config(folder) == FULL


def test_no_tag_is_executed(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    with (folder / CONFIG_FILE).open("a", encoding="utf-8") as file:
        file.write(f"evil: !apply:os.mkdir [{mark}]\nworse: !!python/object/apply:os.mkdir [{mark}]\n")
    with pytest.raises(CheckpointError, match="is not YAML"):
        read_config(folder)
    change(folder, "worse: !!python/object/apply:", "worse: !apply:")
    assert read_config(folder) == FULL
    assert not mark.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "cosyvoice.llm.llm.Qwen2LM",
            "cosyvoice.llm.llm.CosyVoice3LM",
            r"llm\.!: found .*CosyVoice3LM.*only .*Qwen2LM",
        ),
        (
            "t_scheduler: 'cosine'",
            "t_scheduler: 'linear'",
            r"t_scheduler: found 'linear', but only 'cosine' is computed",
        ),
        ("base_channels: 512", "base_channels: wide", "hift.base_channels: found 'wide'; allowed: a whole number"),
        ("top_p: 0.8", "top_q: 0.8", "llm.sampling.top_p: this value is missing"),
        ("channels: [256]", "channels: [256, 256]", "estimator.channels: found .* a list of one number"),
        ("<chunk_size> * <token_mel_ratio>", "<chunk_size> + 25", "neither a reference nor a product"),
        ("llm_input_size: 896", "llm_input_size: 64", "llm.llm_input_size: found 64, but only 896"),
        ("sample_rate: 24000", "sample_rate: 22050", "sample_rate: found 22050, but only 24000"),
    ],
)
def test_what_our_code_does_not_compute_is_refused_with_file_and_key(
    folder: Path, old: str, new: str, message: str
) -> None:
    change(folder, old, new)
    with pytest.raises(CheckpointError, match=f"CosyVoice2-0.5B/{CONFIG_FILE}: .*{message}"):
        read_config(folder)


def test_all_missing_files_are_named_at_once(folder: Path) -> None:
    (folder / "flow.pt").unlink()
    (folder / "CosyVoice-BlankEN/merges.txt").unlink()
    with pytest.raises(CheckpointError, match=r"lacks CosyVoice-BlankEN/merges.txt, flow.pt; download"):
        examine(folder)


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no folder .*nowhere; .* harness make-checkpoint"):
        examine(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "hint"), [("cosyvoice3.yaml", "is CosyVoice3"), ("cosyvoice.yaml", "copy it to")])
def test_other_releases_are_recognised(folder: Path, name: str, hint: str) -> None:
    (folder / CONFIG_FILE).rename(folder / name)
    with pytest.raises(CheckpointError, match=hint):
        examine(folder)


def test_a_pointer_of_git_lfs_is_not_taken_for_the_file(folder: Path) -> None:
    (folder / "llm.pt").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", encoding="utf-8"
    )
    with pytest.raises(CheckpointError, match=r"CosyVoice2-0.5B/llm.pt is a Git LFS pointer.*git lfs pull"):
        examine(folder)


def test_an_empty_file_is_said_so(folder: Path) -> None:
    (folder / "campplus.onnx").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"campplus.onnx is empty"):
        examine(folder)


def test_a_size_that_contradicts_the_directory_is_refused(folder: Path) -> None:
    assert examine(folder, "full").config == FULL
    with pytest.raises(CheckpointError, match=r"size: nano contradicts CosyVoice2-0.5B, which is full"):
        examine(folder, "nano")


def test_a_mark_that_contradicts_the_configuration_is_refused(folder: Path) -> None:
    (folder / RANDOM_MARK).write_text(json.dumps({"size": REDUCED.size, "seed": 0}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"says size reduced, but .* has other dimensions \(llm, flow, vocoder\)"):
        examine(folder)


def test_the_fingerprint_follows_every_byte_of_every_file(folder: Path) -> None:
    before = examine(folder).fingerprint()
    assert examine(folder).fingerprint() == before
    (folder / "hift.pt").write_bytes(b"not looked aT")
    assert examine(folder).fingerprint() != before
