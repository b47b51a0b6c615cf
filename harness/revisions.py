"""Two revisions of a repository side by side: what is checked out, where, and with which interpreter it runs.

A revision is code and is run: in processes of its own, with the caller's rights, never in the one that holds the results.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

import harness
from harness.errors import HarnessError, MeasureError, UsageError, nearest
from harness.processes import in_revision

WHOLE_FILES = (
    "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "environment.yml", "environment.yaml",
)  # fmt: skip
"""Files that say what a revision depends on, beside `requirements*.txt` and two tables of pyproject.toml."""
BUILD_LIMIT_S = 3600.0
"""An environment may take this long to be built."""
LOG_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision as it was named, its commit and the first line of what that says, the folder it lies in, and the Python
    that runs it. `dirty` says that it is the working tree as it stands.
    """

    name: str
    commit: str
    folder: Path
    python: str = sys.executable
    dirty: bool = False
    subject: str = ""

    @property
    def told(self) -> str:
        """Name and short commit, for people."""
        short = self.commit[:10] + (" with uncommitted changes" if self.dirty else "")
        return short if self.name in (self.commit, self.commit[:10]) else f"{self.name} ({short})"

    def as_data(self) -> dict[str, str | bool]:
        """What a run keeps of it."""
        return {"name": self.name, "commit": self.commit, "subject": self.subject, "dirty": self.dirty}

    @property
    def before_paths(self) -> str:
        """What stands before a path in it, as `in_revision` takes it: nothing in the working tree."""
        return "" if self.dirty else self.name


class Checkout:
    """Worktrees of the repository around `folder`, removed when the context is left. Raises UsageError where it is none."""

    def __init__(self, folder: Path) -> None:
        top = _git(folder, "rev-parse", "--show-toplevel")
        if top is None:
            message = f"{folder.absolute()} is not in a git repository (or git is not installed); a gate compares two revisions of one"
            raise UsageError(message)
        self.top = Path(top)
        self._temporary: Path | None = None
        self._revisions: list[Revision] = []
        self._worktrees: list[tuple[Path, Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._temporary is not None:
            # One by one: pruning would end worktrees of others that are elsewhere just now.
            for repository, folder in reversed(self._worktrees):
                _git(repository, "worktree", "remove", "--force", "--force", str(folder))
            shutil.rmtree(self._temporary, ignore_errors=True)

    def tree(self, *, dirty: bool) -> Revision:
        """HEAD; with `dirty` the working tree as it stands. Raises UsageError for uncommitted changes that nobody spoke of."""
        changed = _git(self.top, "status", "--porcelain", "--untracked-files=no")
        if changed and not dirty:
            message = (
                f"{self.top} has uncommitted changes, which would not be measured ({changed.splitlines()[0].strip()}, ...): "
                "commit them, name a revision with --head, or measure the tree as it stands with --dirty"
            )
            raise UsageError(message)
        if changed or (
            dirty and _git(self.top, "status", "--porcelain")
        ):  # what is not tracked may be measured as well
            commit = self._commit("HEAD")
            found = Revision(
                name="working tree", commit=commit, folder=self.top, dirty=True, subject=self._subject(commit)
            )
            self._revisions.append(found)
            return found
        return self.revision("HEAD")

    def revision(self, name: str) -> Revision:
        """Check `name` out. Raises UsageError where it is not in this clone."""
        commit = self._commit(name)
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="harness-gate-"))
        folder = self._temporary / f"{len(list(self._temporary.iterdir()))}-{commit[:10]}"
        self._add(self.top, folder, commit, name)
        found = Revision(name=name, commit=commit, folder=folder, subject=self._subject(commit))
        self._revisions.append(found)
        return found

    def _add(self, repository: Path, folder: Path, commit: str, told: str) -> None:
        """Check `commit` of `repository` out into `folder`, and in it the submodules that the repository has checked out itself.

        One that it has not is left empty, as it is there. Raises MeasureError where git cannot.
        """
        self._worktrees.append((repository, folder))
        done = _asked(repository, "worktree", "add", "--detach", str(folder), commit)
        if done is None or done.returncode:
            said = [] if done is None else done.stderr.strip().splitlines()[-LOG_LINES:]
            message = "\n".join((f"git cannot check {told} out: `git worktree add` failed", *said))
            raise MeasureError(message)
        for path, wanted in submodules(repository, commit).items():
            if (repository / path / ".git").exists():
                self._add(repository / path, folder / path, wanted, f"the submodule {path} of {told}")

    @contextmanager
    def naming_revisions(self) -> Iterator[None]:
        """Within, errors that are raised on purpose name a revision and a path in it, not the folder it was put into."""
        try:
            yield
        except HarnessError as error:
            text = str(error)
            for revision in self._revisions:
                text = in_revision(text, revision.folder, revision.before_paths)
            error.args = (text,)
            raise

    def _subject(self, commit: str) -> str:
        return _git(self.top, "show", "--no-patch", "--format=%s", commit) or ""

    def _commit(self, name: str) -> str:
        found = _git(self.top, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if found is not None:
            return found
        message = f"there is no revision {name!r} in {self.top}"
        is_shallow = _git(self.top, "rev-parse", "--is-shallow-repository") == "true"
        if not is_shallow:
            known = (_git(self.top, "for-each-ref", "--format=%(refname:short)") or "").split()
            message += nearest(name, known)
        if is_shallow:
            message += ": this clone is shallow; fetch the whole history (`git fetch --unshallow`, in GitHub Actions fetch-depth: 0)"
        raise UsageError(message)


def refuse_hidden_changes(base: Revision, head: Revision, repository: Path) -> None:
    """Refuse revisions that differ in a submodule which the repository has not checked out: nobody would see it.

    Raises UsageError.
    """
    hidden = _hidden(repository, base.commit, head.commit)
    if hidden is not None:
        message = (
            f"the submodule {hidden} differs between {base.told} and {head.told}, and is not checked out in {repository}, so that it would be "
            f"empty on both sides: git submodule update --init --recursive (in GitHub Actions submodules: recursive); one that only the "
            f"other revision has, in a checkout of that revision before"
        )
        raise UsageError(message)


def _hidden(repository: Path, base: str, head: str) -> str | None:
    """The path of a submodule, or of one in a submodule, that the two commits want in two versions and that is not there."""
    before, after = (submodules(repository, commit) for commit in (base, head))
    for path in sorted(path for path in {**before, **after} if before.get(path) != after.get(path)):
        folder = repository / path
        if not (folder / ".git").exists():
            return path
        if path in before and path in after and (inside := _hidden(folder, before[path], after[path])) is not None:
            return f"{path}/{inside}"
    return None


def submodules(repository: Path, commit: str) -> dict[str, str]:
    """The submodules of a commit: path -> the commit that it wants of each."""
    listed = (_git(repository, "ls-tree", "-r", "-z", "--full-tree", commit) or "").split("\0")
    found = (line.partition("\t") for line in listed if line.startswith("160000 "))  # git's mode of a link to a commit
    return {path: told.split()[2] for told, _, path in found}


def with_interpreters(base: Revision, head: Revision, tell: Callable[[str], None]) -> tuple[Revision, Revision]:
    """Both with the Python that runs them: this one where they depend on the same, else an environment built for each.

    Environments are kept in the user's cache folder. Raises MeasureError where one cannot be built.
    """
    digests = [dependencies(revision.folder) for revision in (base, head)]
    if digests[0] == digests[1]:
        return base, head
    tell("the revisions depend on different packages: each gets an environment of its own")
    return _with_environment(base, digests[0], tell), _with_environment(head, digests[1], tell)


def dependencies(folder: Path) -> str:
    """A digest of what the code in `folder` depends on, by the files that say so."""
    digest = hashlib.sha256()
    for path in sorted(
        [
            *folder.glob("requirements*.txt"),
            *folder.glob("requirements/*.txt"),
            *(folder / name for name in WHOLE_FILES),
        ]
    ):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    project = folder / "pyproject.toml"
    if project.is_file():
        try:
            data = tomllib.loads(project.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            message = f"{project} cannot be read: {error}"
            raise UsageError(message) from None
        table = data.get("project", {})
        poetry = data.get("tool", {}).get("poetry", {})
        wanted = [
            table.get("dependencies"),
            table.get("requires-python"),
            data.get("build-system"),
            poetry.get("dependencies"),
        ]
        digest.update(repr(wanted).encode())
    return digest.hexdigest()


def _with_environment(revision: Revision, digest: str, tell: Callable[[str], None]) -> Revision:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tts-harness" / "environments"
    folder = cache / digest[:16]
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder, tell):
        _build(revision, folder, python, done, tell)
    return replace(revision, python=str(python))


@contextmanager
def _alone(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Of two gates that want the same environment at once, one builds it, and the other says that it waits."""
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell(f"another gate builds the environment in {folder}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(revision: Revision, folder: Path, python: Path, done: Path, tell: Callable[[str], None]) -> None:
    """An environment for a revision in `folder`, unless it is `done`."""
    if done.exists():
        return
    tell(f"building an environment for {revision.told} in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    installable = any((revision.folder / file).is_file() for file in ("pyproject.toml", "setup.py"))
    packages = [str(revision.folder)] if installable else []
    if (revision.folder / "requirements.txt").is_file():
        packages += ["--requirement", str(revision.folder / "requirements.txt")]
    own = Path(harness.__file__).parent.parent
    if not (revision.folder / "harness" / "session.py").exists():
        packages.append(str(own) if (own / "pyproject.toml").exists() else f"tts-harness=={harness.__version__}")
    _run([sys.executable, "-m", "venv", str(folder)], revision)
    _run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *packages],
        revision,
    )
    done.touch()


def _run(command: Sequence[str], revision: Revision) -> None:
    """In the revision's folder, from which paths in its requirements are."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, cwd=revision.folder,
            stdin=subprocess.DEVNULL, timeout=BUILD_LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        message = f"no environment could be built for {revision.told} within {BUILD_LIMIT_S / 60:.0f} minutes"
        raise MeasureError(message) from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-LOG_LINES:])
        message = f"no environment could be built for {revision.told}:\n{last}"
        raise MeasureError(message)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says, or None where it fails."""
    done = _asked(folder, *arguments)
    return None if done is None or done.returncode else done.stdout.strip()


def _asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """How git ended; None where it is not installed."""
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],  # noqa: S607  git is found on PATH, as everywhere
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
    except OSError:
        return None
