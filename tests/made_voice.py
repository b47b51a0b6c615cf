"""A voice that is made up: an ONNX file of the interface of a real one, in a few nodes, whose sound tells its phonemes."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

IDS = {"_": [0], "^": [1], "$": [2], " ": [3], ",": [4], "a": [5], "b": [6], "c": [7]}
RATE_HZ = 22_050
SAMPLES = 64
"""Samples for each number that the network is given."""


def write(folder: Path, *, inputs: tuple[str, ...] = ("input", "input_lengths", "scales"), **said: object) -> Path:
    """Write `made.onnx` with its description, in which `said` stands in place of the usual; the path of the former."""
    takes = [
        helper.make_tensor_value_info(inputs[0], TensorProto.INT64, [1, "n"]),
        helper.make_tensor_value_info(inputs[1], TensorProto.INT64, [1]),
        helper.make_tensor_value_info(inputs[2], TensorProto.FLOAT, [3]),
    ]
    nodes = [
        helper.make_node("Cast", ["input"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["floats", "column"], ["standing"]),
        helper.make_node("Mul", ["standing", "ramp"], ["phases"]),
        helper.make_node("Sin", ["phases"], ["waves"]),
        helper.make_node("Reshape", ["waves", "flat"], ["output"]),
    ]
    constants = [
        helper.make_tensor("column", TensorProto.INT64, [3], [1, -1, 1]),
        helper.make_tensor("ramp", TensorProto.FLOAT, [1, 1, SAMPLES], [0.05 * place for place in range(SAMPLES)]),
        helper.make_tensor("flat", TensorProto.INT64, [4], [1, 1, 1, -1]),
    ]
    graph = helper.make_graph(
        nodes,
        "voice",
        takes,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "samples"])],
        constants,
    )
    file = folder / "made.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), file)
    usual = {
        "audio": {"sample_rate": RATE_HZ}, "espeak": {"voice": "en-us"}, "phoneme_id_map": IDS, "num_speakers": 1,
    }  # fmt: skip
    file.with_name("made.onnx.json").write_text(json.dumps({**usual, **said}), encoding="utf-8")
    return file
