"""What the processes of the profile pass gave -> files in the folder `profiles/`, and their entries in its index."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.passes.profile import Taken
from harness.profiles import holders, operators, speedscope
from harness.profiles.difference import difference
from harness.profiles.index import Differing, Kind, Profiled, Said, stem
from harness.profiles.stacks import Profile, Round, collapsed, within_requests
from harness.report import allocations
from harness.report.flames import TITLES, flames, sentences, top
from harness.report.operators import operators_page
from harness.report.operators import sentences as operator_sentences
from harness.report.operators import top as top_operators
from harness.report.profiles import speedscope_page
from harness.report.words import LANGUAGES, speaking


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Entries of the index for one kind on one device."""

    profiles: tuple[Profiled, ...]
    differences: tuple[Differing, ...]


def written(device: str, kind: Kind, found: Sequence[Taken], folder: Path) -> Written:
    """Write the files of all arms under one profiler, and of the difference of each from the first; the first is the arm before."""
    made = _traces(device, found, folder) if kind == "torch" else _stacks(device, kind, found, folder)
    return Written(profiles=tuple(made[0]), differences=tuple(made[1]))


def _stacks(device: str, kind: Kind, found: Sequence[Taken], folder: Path) -> tuple[list[Profiled], list[Differing]]:
    entries, differences = [], []
    before: Profile | None = None
    for taken in found:
        profile, files, link = _PUT[kind](device, taken, folder)
        name = stem(device, taken.arm.name, kind)
        alone = difference(None, profile)
        files["flame graph"] = _put(
            folder, f"{name}.html", flames(alone, profiler=TITLES[kind], device=device, notes=tuple(taken.notes))
        )
        entries.append(Profiled(
            device=device, arm=taken.arm.name, kind=kind, requests=profile.requests, processes=len(taken.told), files=files,
            link=link, notes=tuple(taken.notes),
        ))  # fmt: skip
        if taken.arm.role == "none":
            before = profile
        elif before is not None:
            told = difference(before, profile)
            said = _in_all_languages(partial(sentences, told), partial(top, told))
            page = flames(told, profiler=TITLES[kind], device=device, notes=tuple(taken.notes))
            differences.append(Differing(
                device=device, before=before.arm, arm=taken.arm.name, toggle=taken.arm.toggle or "", kind=kind,
                page=_put(folder, f"{stem(device, before.arm, taken.arm.name, kind)}.difference.html", page),
                sentences=said["en"].sentences, top=said["en"].top, said=_others(said),
            ))  # fmt: skip
    return entries, differences


Words = Callable[[], tuple[str, ...]]


def _in_all_languages(sentences_of: Words, top_of: Words) -> Mapping[str, Said]:
    """What is said of a difference, by language: the page of a run may speak another one than its profiles."""
    said = {}
    for code in LANGUAGES:
        with speaking(code):
            said[code] = Said(sentences=sentences_of(), top=top_of())
    return said


def _others(said: Mapping[str, Said]) -> Mapping[str, Said]:
    return {code: told for code, told in said.items() if code != "en"}


def _put(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def _put_profile(
    device: str, taken: Taken, profile: Profile, document: Mapping[str, Any], folder: Path
) -> tuple[dict[str, str], str]:  # fmt: skip
    """The forms that other tools read: speedscope's JSON, the script that opens it, and collapsed stacks."""
    name = stem(device, taken.arm.name, taken.kind)
    _put(folder, f"{name}.speedscope.js", speedscope.as_script(f"{name}.speedscope.json", document))
    files = {
        "speedscope JSON": _put(folder, f"{name}.speedscope.json", json.dumps(document)),
        "collapsed stacks": _put(folder, f"{name}.collapsed.txt", collapsed(profile.rounds)),
    }
    return files, _put(folder, f"{name}.speedscope.html", speedscope_page(name))


Put = tuple[Profile, dict[str, str], str]


def _sampled(device: str, taken: Taken, folder: Path) -> Put:
    documents = [json.loads(path.read_bytes()) for path in taken.files]
    rounds = []
    for document, told in zip(documents, taken.told, strict=True):
        weights = within_requests(speedscope.samples(document))
        count = sum(weights.values())
        each = told["plain_s"] / count if count else 0.0
        rounds.append(Round(weights=weights, each=each))
    requests = sum(told["requests"] for told in taken.told)
    profile = Profile(arm=taken.arm.name, unit="s", rounds=tuple(rounds), requests=requests)
    title = f"{taken.arm.name} on {device}"
    files, link = _put_profile(device, taken, profile, speedscope.from_samples(title, documents), folder)
    return profile, files, link


def _host_memory(device: str, taken: Taken, folder: Path) -> Put:
    profile = holders.host(taken.arm.name, taken.files[0], taken.told[0]["requests"])
    document = speedscope.from_profile(f"{taken.arm.name} on {device}", profile)
    files, link = _put_profile(device, taken, profile, document, folder)
    return profile, {**files, "memray": _copy(device, taken, folder, ".bin")}, link


def _card_memory(device: str, taken: Taken, folder: Path) -> Put:
    summary = taken.files[0].with_suffix(".json")
    profile = holders.card(taken.arm.name, summary, taken.told[0]["requests"])
    document = speedscope.from_profile(f"{taken.arm.name} on {device}", profile)
    files, link = _put_profile(device, taken, profile, document, folder)
    page = allocations(f"{taken.arm.name} on {device}", json.loads(summary.read_bytes()))
    files["allocations"] = _put(folder, f"{stem(device, taken.arm.name, taken.kind)}.allocations.html", page)
    return profile, {**files, "allocator snapshot": _copy(device, taken, folder, ".pickle")}, link


def _copy(device: str, taken: Taken, folder: Path, suffix: str) -> str:
    name = f"{stem(device, taken.arm.name, taken.kind)}{suffix}"
    shutil.copyfile(taken.files[0], folder / name)
    return name


_PUT: Mapping[Kind, Callable[[str, Taken, Path], Put]] = {
    "py-spy": _sampled, "host-memory": _host_memory, "memory": _card_memory,
}  # fmt: skip


def _traces(device: str, found: Sequence[Taken], folder: Path) -> tuple[list[Profiled], list[Differing]]:
    entries, differences = [], []
    before: Taken | None = None
    for taken in found:
        name = stem(device, taken.arm.name, taken.kind)
        shutil.copyfile(taken.files[0], folder / f"{name}.trace.json.gz")
        files = {
            "trace": f"{name}.trace.json.gz",
            "counts": _put(
                folder, f"{name}.operators.json", json.dumps(list(map(operators.without_folders, taken.told)), indent=1)
            ),
            "operators": _put(folder, f"{name}.html", _operators(device, None, taken)),
        }
        alone = _both(None, taken)
        entries.append(Profiled(
            device=device, arm=taken.arm.name, kind="torch", processes=len(taken.told),
            requests=sum(told["requests"] for told in taken.told), files=files,
            launches=None if alone.waits_after is None else alone.launches_after, waits=alone.waits_after,
        ))  # fmt: skip
        if taken.arm.role == "none":
            before = taken
        elif before is not None:
            told = _both(before, taken)
            said = _in_all_languages(partial(operator_sentences, told), partial(top_operators, told))
            differences.append(Differing(
                device=device, before=before.arm.name, arm=taken.arm.name, toggle=taken.arm.toggle or "", kind="torch",
                page=_put(folder, f"{stem(device, before.arm.name, taken.arm.name, 'torch')}.difference.html", _operators(device, before, taken)),
                sentences=said["en"].sentences, top=said["en"].top, said=_others(said),
            ))  # fmt: skip
    return entries, differences


def _both(before: Taken | None, after: Taken) -> operators.Traced:
    first = None if before is None else (before.arm.name, before.told)
    return operators.traced(first, (after.arm.name, after.told))


def _operators(device: str, before: Taken | None, after: Taken) -> str:
    callers = operators.callers([] if before is None else before.told, after.told)
    return operators_page(_both(before, after), callers, device=device)
