"""Stage spans: what is recorded, and that nothing is while nobody listens."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from harness.worker import spans


def recorder(mark: bool = False) -> spans.Recorder:  # noqa: FBT001, FBT002
    ticks, marks = count(0, 1_000_000_000), count()
    return spans.Recorder((lambda: next(marks)) if mark else None, lambda: next(ticks))


def test_spans_of_one_name_add_up() -> None:
    with spans.recording(recorder()) as heard:
        for _ in range(3):
            with spans.span("llm"):
                pass
    assert heard.totals_s() == {"llm": 3.0}


def test_marks_are_taken_at_both_ends() -> None:
    with spans.recording(recorder(mark=True)) as heard, spans.span("flow"):
        pass
    assert [(name, start, end) for name, _, _, start, end in heard.spans] == [("flow", 0, 1)]


def test_a_repeated_recorder_marks_each_stage_so_many_times_and_keeps_it_once() -> None:
    marks: list[int] = []
    recorder = spans.Recorder(mark=lambda: marks.append(len(marks)))
    with spans.recording(spans.Repeated(recorder, 5)), spans.span("request"), spans.span("llm"):
        pass
    assert len(marks) == 2 * 2 * 5
    assert [name for name, *_ in recorder.spans] == ["llm", "request"]


def test_nothing_is_recorded_outside_a_recording() -> None:
    heard = recorder()
    with spans.span("llm"):
        pass
    with spans.recording(heard):
        pass
    assert heard.spans == []


def test_recordings_do_not_nest_and_end_after_an_error() -> None:
    with spans.recording(recorder()), pytest.raises(RuntimeError, match="already active"), spans.recording(recorder()):
        pass
    with pytest.raises(ZeroDivisionError), spans.recording(recorder()):
        1 / 0  # noqa: B018
    with spans.recording(recorder()):
        pass


def test_a_span_that_raises_is_closed() -> None:
    with spans.recording(recorder()) as heard:
        with pytest.raises(ZeroDivisionError), spans.span("llm"):
            1 / 0  # noqa: B018
        assert [name for name, *_ in heard.spans] == ["llm"]


def test_a_listener_hears_its_own_thread_and_no_other() -> None:
    def work() -> None:
        with spans.span("elsewhere"):
            pass

    with spans.recording(spans.Recorder()) as recorder, spans.span("here"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [name for name, *_ in recorder.spans] == ["here"]
