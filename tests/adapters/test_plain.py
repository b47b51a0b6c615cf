"""What a function returned where there is no numpy: compared as elsewhere, and written so that numpy reads it."""

from __future__ import annotations

import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from harness.adapters import returned
from harness.adapters.answers import is_sound
from harness.adapters.plain import Returned, as_numpy_file, joined, samples_of
from harness.errors import UsageError

VALUES = [
    1, 1.5, True, None, "words", b"bytes", [1, [2.5, "x"]], {"a": 1, "b": [2]}, (1, 2), 2 + 3j, 2**80, float("inf"),
    array("d", [0.1, 0.2]), array("q", [2**62 + 1]), array("u", "ab"), [],
]  # fmt: skip


def flattened(value: Any) -> tuple[Any, str]:
    found = Returned(value)
    return found.audio, found.exact


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_is_itself_and_has_the_numbers_that_numpy_finds_in_it(value: Any) -> None:
    numbers, digest = flattened(value)
    again, digest_again = flattened(value)
    assert (numbers.tobytes(), digest) == (again.tobytes(), digest_again)
    if not isinstance(value, array):
        assert numbers.tolist() == returned.Returned(value).audio.tolist()


TENSORS = [
    torch.arange(6).reshape(2, 3), torch.ones(2, 3) / 3, torch.ones(2, dtype=torch.bfloat16) / 3, torch.arange(3) * (1 + 2j),
    torch.tensor([True, False]), torch.tensor([2**62 + 1]), torch.tensor(1.5), torch.zeros(0), torch.ones(2, requires_grad=True),
]  # fmt: skip


@pytest.mark.parametrize("tensor", TENSORS, ids=str)
def test_a_tensor_has_the_numbers_that_numpy_finds_in_it(tensor: torch.Tensor) -> None:
    numbers, digest = flattened({"mel": [tensor]})
    assert numbers.tolist() == returned.Returned({"mel": [tensor]}).audio.tolist()
    assert digest == flattened({"mel": [tensor.clone()]})[1]
    assert digest != flattened({"mel": [tensor.reshape(1, *tensor.shape)]})[1]


ALONE = """
import sys
sys.modules["numpy"] = None
import torch
from harness.adapters.callable import returned
sound = returned.Returned((torch.tensor([[0.0, 0.5]]), 24_000))
print(returned.__name__, sound.audio.tolist(), sound.sample_rate_hz, returned.Returned({"mel": torch.ones(2, 2)}).audio.tolist())
"""


def test_tensors_are_read_where_there_is_torch_and_no_numpy() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[0] == "harness.adapters.plain [0.0, 0.5] 24000 [1.0, 1.0, 1.0, 1.0]", done.stderr


def test_other_words_keys_and_kinds_of_numbers_are_another_output() -> None:
    values = [{"a": 1}, {"b": 1}, [1], [1.0], [True], [1, None], ["1"], array("f", [1]), array("d", [1]), 2**80, 2**81]
    assert len({flattened(value)[1] for value in values}) == len(values)


def test_what_cannot_be_compared_is_refused_by_its_place() -> None:
    with pytest.raises(UsageError, match=r"\['a'\]\[1\] is of type object"):
        flattened({"a": [1, object()]})


def test_numbers_are_written_as_numpy_reads_them(tmp_path: Path) -> None:
    for count in (0, 1, 12_345):
        numbers = array("d", (index / 7 for index in range(count)))
        (tmp_path / "numbers.npy").write_bytes(as_numpy_file(numbers))
        assert np.load(tmp_path / "numbers.npy", allow_pickle=False).tolist() == numbers.tolist()
    Returned([1, 2.5]).write(tmp_path / "answer.wav")
    assert np.load(tmp_path / "answer.npy").tolist() == [1.0, 2.5]
    assert not (tmp_path / "answer.wav").exists()


def test_sound_is_a_pair_of_an_array_and_a_rate(tmp_path: Path) -> None:
    whole = array("h", [0, 16_384, -32_768])
    assert is_sound((whole, 16_000))
    others: list[Any] = [[whole, 16_000], (whole, 16_000.0), (whole, 1), ([0.5], 16_000), whole]
    assert not any(is_sound(value) for value in others)
    output = Returned((whole, 16_000))
    output.write(tmp_path / "sound.wav")
    samples, rate_hz = soundfile.read(tmp_path / "sound.wav", dtype="float32")
    assert (samples.tolist(), rate_hz, output.audio_s) == ([0.0, 0.5, -1.0], 16_000, 3 / 16_000)
    assert joined([(whole, 16_000), (samples_of(whole), 16_000)]) == (array("f", [0, 0.5, -1, 0, 0.5, -1]), 16_000)


def test_what_is_kept_stays_when_the_function_writes_into_its_memory_again() -> None:
    memory = array("f", [0.5, 0.25])
    kept = Returned((memory, 16_000)).kept()
    memory[0] = 0.0
    assert kept.audio.tolist() == [0.5, 0.25]
