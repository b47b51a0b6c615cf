"""Call stacks: what is a request's, how files are named, and the text that other tools read."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.profiles.stacks import Frame, Round, aligned, collapsed, frame, short, within_requests
from tests.profiles.made import stack


def test_what_lies_outside_requests_is_left_out_and_what_lies_inside_is_counted_from_there() -> None:
    marker = (Frame("main", "a.py"), Frame("profiled_request", "harness/worker/profiling.py"))
    found = within_requests([((*marker, *stack("llm")), 1.0), ((*marker, *stack("llm")), 1.0), (stack("import"), 9.0)])
    assert found == {stack("llm"): 2.0}


def test_a_file_is_named_from_where_python_imports_it_and_a_library_by_its_name() -> None:
    assert short(harness.__file__) == "harness/__init__.py"
    assert short("/nowhere/known/to/python/a.py") == "to/python/a.py"
    assert short("/usr/lib/x86_64-linux-gnu/libc.so.6") == "libc.so.6"
    assert short("<frozen importlib>") == "<frozen importlib>"


def test_functions_without_a_name_do_not_differ_by_their_address() -> None:
    assert frame("0x7f3b6b44524a", "/lib/libc.so.6", 0) == frame("0x5500aa", "/usr/lib/libc.so.6", 0)


def test_a_toggles_code_before_and_after_are_one_frame_and_its_other_functions_are_not() -> None:
    place = "harness/optimizations/planted_work.py"
    before = Frame("do_own_units.<locals>.work", place, 30)
    after = Frame("planted_work.<locals>.work", place, 56)
    assert aligned(before) == aligned(after)
    assert aligned(before).name == "[planted_work]"
    for other in (Frame("repeated", place, 20), Frame("f.<locals>.g", "harness/models/a.py", 1)):
        assert aligned(other) == other


@pytest.mark.parametrize(
    ("file", "native"),
    [("a/b.py", False), ("<string>", False), ("libtorch_cpu.so", True), ("gemm.cpp", True), ("", True)],
)
def test_native_frames_are_those_of_libraries(file: str, native: bool) -> None:  # noqa: FBT001  a parameter of the test
    assert Frame("f", file).is_native is native


def test_collapsed_stacks_have_one_line_each_whatever_the_names_hold() -> None:
    odd = (Frame("a;b\nc", "x.py", 3), Frame("<script>", "y.py"))
    text = collapsed([Round(weights={odd: 2.0}, each=1.0), Round(weights={odd: 3.0, (): 1.0}, each=1.0)])
    assert text == "a:b c (x.py:3);<script> (y.py) 5\nrequest 1\n"


def test_a_function_that_calls_itself_for_ever_is_cut() -> None:
    (found,) = within_requests([((Frame("profiled_request", "p.py"), *stack(*["f"] * 5000)), 1.0)])
    assert 100 < len(found) < 500


def test_no_folder_of_this_machine_is_named() -> None:
    assert str(Path.home()) not in short(str(Path.home() / "private" / "a.py")) + short(str(Path.home() / "liba.so"))


def test_what_pytorch_wraps_around_every_module_is_left_out() -> None:
    wrapper = Frame("Module._call_impl", "torch/nn/modules/module.py", 1)
    (found,) = within_requests([((Frame("profiled_request", "p.py"), wrapper, *stack("forward"), wrapper), 1.0)])
    assert found == stack("forward")
