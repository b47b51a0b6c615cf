"""speedscope's files, read and written."""

from __future__ import annotations

import base64
import json
import re
from importlib.resources import files
from typing import Any

from harness.profiles.speedscope import as_script, from_profile, from_samples, samples
from harness.profiles.stacks import within_requests
from tests.profiles.made import counted, held, profile, stack


def document(*names: str, marker: str = "profiled_request") -> dict[str, Any]:
    frames = [
        {"name": name, "file": f"/x/site-packages/pkg/{name}.py", "line": 1, "col": None} for name in (marker, *names)
    ]
    return {
        "shared": {"frames": frames},
        "profiles": [{
            "type": "sampled", "name": 'Thread 1 "MainThread"', "unit": "seconds", "startValue": 0, "endValue": 0.02,
            "samples": [list(range(len(frames))), [0]], "weights": [0.01, 0.01],
        }],
    }  # fmt: skip


def test_samples_of_a_request_are_read() -> None:
    found = within_requests(samples(document("llm", "attention")))
    assert {tuple(known.name for known in found_stack): weight for found_stack, weight in found.items()} == {
        ("llm", "attention"): 1,
        (): 1,
    }


def test_documents_of_several_processes_become_one_that_says_which_is_which() -> None:
    merged = from_samples("all on cpu", [document("llm"), document("flow")])
    assert [thread["name"][:9] for thread in merged["profiles"]] == ["process 1", "process 2"]
    names = [known["name"] for known in merged["shared"]["frames"]]
    assert names == ["profiled_request", "llm", "flow"]
    assert [[names[index] for index in thread["samples"][0]] for thread in merged["profiles"]] == [
        ["profiled_request", "llm"],
        ["profiled_request", "flow"],
    ]


def test_what_was_written_is_read_again() -> None:
    weights = {stack("llm"): 3.0, stack("llm", "libgemm"): 5.0}
    written = from_profile("all", profile("all", counted(weights, 0.8)))
    assert {found for found, _ in samples(written)} == set(weights)
    assert sum(written["profiles"][0]["weights"]) == written["profiles"][0]["endValue"]
    assert from_profile("all", held("all", weights))["profiles"][0]["unit"] == "bytes"


def test_the_script_carries_the_document_and_nothing_that_could_run() -> None:
    hostile = {"name": '");alert(1);//</script>'}
    name, encoded = json.loads(
        f"[{as_script('a.json', hostile).removeprefix('speedscope.loadFileFromBase64(').rstrip()[:-1]}]"
    )
    assert name == "a.json"
    assert json.loads(base64.b64decode(encoded)) == hostile
    assert re.fullmatch(r"[A-Za-z0-9+/=]*", encoded)


def test_speedscope_is_there_whole_with_its_licences() -> None:
    names = {item.name for item in files("harness.report").joinpath("vendor", "speedscope").iterdir()}
    assert {"LICENSE", "source-code-pro.LICENSE.md", "index.html", "release.txt"} <= names
    page = files("harness.report").joinpath("vendor", "speedscope", "index.html").read_text(encoding="utf-8")
    wanted = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert wanted
    assert set(wanted) <= names
