"""Two revisions of a real repository, checked out side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from harness.errors import MeasureError, UsageError
from harness.revisions import Checkout, Revision, dependencies, refuse_hidden_changes, with_interpreters


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    """Write files, each named without its .txt, commit, and return the commit."""
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--message", "change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commit(folder, code="one")
    commit(folder, code="two")
    return folder


def test_revisions_lie_in_folders_of_their_own_that_go_with_the_gate(repository: Path) -> None:
    with Checkout(repository) as checkout:
        base, head = checkout.revision("HEAD~1"), checkout.tree(dirty=False)
        assert [(side.folder / "code.txt").read_text() for side in (base, head)] == ["one", "two"]
        assert base.told == f"HEAD~1 ({git(repository, 'rev-parse', 'HEAD~1')[:10]})"
    assert not base.folder.exists()
    assert not head.folder.exists()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_worktrees_of_others_stay_also_where_their_folder_is_elsewhere_just_now(
    repository: Path, tmp_path: Path
) -> None:
    mine, away = tmp_path / "mine", tmp_path / "away"
    git(repository, "worktree", "add", "--quiet", "--detach", str(mine))
    mine.rename(away)
    with Checkout(repository) as checkout:
        checkout.revision("HEAD~1")
    away.rename(mine)
    assert git(mine, "rev-parse", "HEAD") == git(repository, "rev-parse", "HEAD")


def test_an_environment_is_built_in_the_folder_of_its_revision_and_without_questions(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Paths in its requirements are from there, and pip installs no folder that is no package."""
    (repository / "requirements.txt").write_text("./libs/foo\n")
    git(repository, "add", "-A")
    git(repository, "commit", "--quiet", "--message", "needs")
    ran: list[tuple[list[str], dict[str, Any]]] = []

    def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        if "pip" not in command and "venv" not in command:
            return real(command, **how)
        ran.append((command, how))
        Path(command[-1]).mkdir(parents=True, exist_ok=True) if "venv" in command else None
        return subprocess.CompletedProcess(command, 0, "", "")

    real = subprocess.run
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(subprocess, "run", run)
    with Checkout(repository) as checkout:
        base, head = with_interpreters(checkout.revision("HEAD~1"), checkout.tree(dirty=False), lambda _: None)
        assert base.python != head.python
        (install,) = [(command, how) for command, how in ran if str(head.folder / "requirements.txt") in command]
        assert install[1]["cwd"] == head.folder
        assert install[1]["stdin"] == subprocess.DEVNULL
        assert "--no-input" in install[0]
        assert str(head.folder) not in install[0]


@pytest.fixture
def with_submodule(repository: Path, tmp_path: Path) -> Path:
    """The repository, whose last two commits want two versions of a submodule, in which there is one more."""
    inner, library = tmp_path / "inner", tmp_path / "library"
    for folder in (inner, library):
        folder.mkdir()
        git(folder, "init", "--quiet")
        commit(folder, code="first")
    added = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
    git(library, *added, str(inner), "deeper")
    commit(library, code="first of library")
    git(repository, *added, str(library), "lib")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive")
    commit(repository, code="with the first")
    commit(repository / "lib", code="second of library")
    commit(repository, code="with the second")
    return repository


def test_submodules_are_checked_out_as_each_revision_wants_them_and_go_with_the_gate(with_submodule: Path) -> None:
    with Checkout(with_submodule) as checkout:
        sides = checkout.revision("HEAD~1"), checkout.revision("HEAD")
        refuse_hidden_changes(*sides, checkout.top)
        found = [(side.folder / "lib" / "code.txt").read_text() for side in sides]
        assert found == ["first of library", "second of library"]
        assert {(side.folder / "lib" / "deeper" / "code.txt").read_text() for side in sides} == {"first"}
        before = checkout.revision("HEAD~2")
        assert not (before.folder / "lib").exists()
    assert not sides[0].folder.exists()
    for folder in (with_submodule, with_submodule / "lib", with_submodule / "lib" / "deeper"):
        assert len(git(folder, "worktree", "list").splitlines()) == 1
    assert git(with_submodule, "status", "--porcelain") == ""


def test_a_submodule_that_differs_and_is_not_there_is_refused(with_submodule: Path) -> None:
    git(with_submodule, "submodule", "--quiet", "deinit", "--force", "lib")
    with Checkout(with_submodule) as checkout:
        base, head = checkout.revision("HEAD~1"), checkout.revision("HEAD")
        with pytest.raises(UsageError, match=r"the submodule lib differs .* git submodule update --init --recursive"):
            refuse_hidden_changes(base, head, checkout.top)
        refuse_hidden_changes(head, head, checkout.top)
    assert len(git(with_submodule, "worktree", "list").splitlines()) == 1


def test_so_is_one_in_a_submodule(with_submodule: Path) -> None:
    library = with_submodule / "lib"
    commit(library / "deeper", code="second")
    commit(library, code="wants the second")
    commit(with_submodule, code="wants that")
    git(library, "submodule", "--quiet", "deinit", "--force", "deeper")
    with Checkout(with_submodule) as checkout:
        sides = checkout.revision("HEAD~1"), checkout.revision("HEAD")
        with pytest.raises(UsageError, match="the submodule lib/deeper differs"):
            refuse_hidden_changes(*sides, checkout.top)


def test_a_commit_of_a_submodule_that_nobody_fetched_is_told(with_submodule: Path) -> None:
    git(with_submodule, "update-index", "--cacheinfo", f"160000,{'1' * 40},lib")
    git(with_submodule, "commit", "--quiet", "--message", "wants what is not there")
    with Checkout(with_submodule) as checkout, pytest.raises(MeasureError, match="the submodule lib of HEAD out"):
        checkout.revision("HEAD")
    assert len(git(with_submodule, "worktree", "list").splitlines()) == 1


def test_a_name_that_is_no_revision_is_refused(repository: Path) -> None:
    with Checkout(repository) as checkout, pytest.raises(UsageError, match="there is no revision 'nowhere'"):
        checkout.revision("nowhere")
    git(repository, "branch", "nearby")
    with Checkout(repository) as checkout, pytest.raises(UsageError, match=r"; did you mean nearby\?$"):
        checkout.revision("nearbye")


def test_a_folder_outside_a_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a git repository"):
        Checkout(tmp_path)


def test_in_a_shallow_clone_the_remedy_is_named(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "1", repository.as_uri(), "shallow")
    with Checkout(tmp_path / "shallow") as checkout, pytest.raises(UsageError, match=r"shallow.*fetch-depth: 0"):
        checkout.revision(git(repository, "rev-parse", "HEAD~1"))


def test_uncommitted_changes_are_measured_only_where_it_is_asked_for(repository: Path) -> None:
    (repository / "code.txt").write_text("three")
    with Checkout(repository) as checkout:
        with pytest.raises(UsageError, match=r"uncommitted changes.*code\.txt.*--dirty"):
            checkout.tree(dirty=False)
        found = checkout.tree(dirty=True)
        assert (found.folder / "code.txt").read_text() == "three"
        assert found.told.endswith("with uncommitted changes)")
    assert repository.exists()


def test_an_error_names_the_revision_and_not_where_it_was_checked_out(repository: Path) -> None:
    with Checkout(repository) as checkout:
        damaged = UsageError(f"{checkout.revision('HEAD~1').folder / 'models' / 'weights.pt'} is damaged")
        with pytest.raises(UsageError, match=r"^HEAD~1:models/weights\.pt is damaged$"), checkout.naming_revisions():
            raise damaged


def test_an_error_in_the_working_tree_names_the_path_in_it(repository: Path) -> None:
    (repository / "code.txt").write_text("three")
    with Checkout(repository) as checkout:
        damaged = UsageError(f"{checkout.tree(dirty=True).folder / 'code.txt'} is damaged")
        with pytest.raises(UsageError, match=r"^code\.txt is damaged$"), checkout.naming_revisions():
            raise damaged


PROJECT = '[project]\nname = "x"\nversion = "{}"\ndependencies = [{}]\n'


def test_only_what_a_revision_depends_on_makes_it_differ(tmp_path: Path) -> None:
    same = [PROJECT.format("1", ""), PROJECT.format("2", "")]
    found = []
    for number, text in enumerate([*same, PROJECT.format("1", '"numpy"')]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "pyproject.toml").write_text(text)
        found.append(dependencies(folder))
    assert found[0] == found[1] != found[2]
    (tmp_path / "0" / "requirements-gpu.txt").write_text("torch\n")
    assert dependencies(tmp_path / "0") != found[0]


def sides(tmp_path: Path, base: str, head: str) -> tuple[Revision, Revision]:
    made = []
    for name, text in (("base", base), ("head", head)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text(text)
        made.append(Revision(name=name, commit="0" * 40, folder=folder))
    return made[0], made[1]


def test_revisions_that_depend_on_the_same_share_this_interpreter(tmp_path: Path) -> None:
    base, head = sides(tmp_path, PROJECT.format("1", ""), PROJECT.format("2", ""))
    assert with_interpreters(base, head, print) == (base, head)


def test_a_gate_that_waits_for_the_environment_of_another_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    base, head = sides(tmp_path, PROJECT.format("1", ""), PROJECT.format("1", '"something"'))
    for side in (base, head):
        folder = tmp_path / "tts-harness" / "environments" / dependencies(side.folder)[:16]
        folder.mkdir(parents=True)
        (folder / "installed").touch()
    held = FileLock(f"{folder}.lock")
    held.acquire()
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if "waiting" in text:
            held.release()

    with_interpreters(base, head, tell)
    assert told[1:] == [f"another gate builds the environment in {folder}: waiting for it"]


def test_a_revision_that_does_not_build_is_told_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base, head = sides(tmp_path, PROJECT.format("1", ""), PROJECT.format("1", '"no such requirement !"'))
    broken = head.folder / "pyproject.toml"
    broken.write_text(
        broken.read_text() + '[build-system]\nrequires = []\nbuild-backend = "nowhere"\nbackend-path = ["."]\n'
    )
    told: list[str] = []
    with pytest.raises(MeasureError, match="no environment could be built for head"):
        with_interpreters(head, base, told.append)
    assert any("environment of its own" in message for message in told)
