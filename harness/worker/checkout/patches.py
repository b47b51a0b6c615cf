"""Reversible changes of somebody else's code while it runs: put a replacement where a name points, and take it back.

    patch = Patch(torch.cuda, "empty_cache", lambda: None)             # any owner: a module, a class, an object
    patch = Patch.around(FrontEnd, "_extract_mel", timed)              # timed(what is there now) -> what takes its place
    with Patches([patch, ...]):
        ...                                                            # in place; in any case taken back at the end
    patches.altered()                                                  # [] : every name points to what it pointed to

A patch may be put in place and taken back any number of times: arms of one process alternate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

MISSING = object()
"""What an owner has of its own under a name that it inherits, or lacks."""


class PatchError(Exception):
    """A patch that cannot be put in place or taken back as it should; the message names the symbol."""


class Patch:
    """`owner.attribute` while it is applied: `replacement`; before and after: what it was, the very same object.

    Raises PatchError where there is no such name, unless it may be `new`.
    """

    def __init__(self, owner: Any, attribute: str, replacement: Any, *, new: bool = False) -> None:
        self.owner = owner
        self.attribute = attribute
        self._make: Callable[[Any], Any] = lambda _: replacement
        self._original = own(owner, attribute)
        self._placed: Any = MISSING
        self.applied = False
        if not (new or hasattr(owner, attribute)):
            message = f"{self.symbol}: there is no such name"
            raise PatchError(message)

    @classmethod
    def around(cls, owner: Any, attribute: str, make: Callable[[Any], Any]) -> Patch:
        """A patch whose replacement is `make(what is there when it is applied)`, so that several may lie on one name.

        `make` gets and returns what the name gives: of a class the plain function, of an object the bound method.
        """
        patch = cls(owner, attribute, None)
        patch._make = make
        return patch

    @property
    def symbol(self) -> str:
        """The name in words, for messages: `cosyvoice.cli.frontend.CosyVoiceFrontEnd._extract_spk_embedding`."""
        return f"{described(self.owner)}.{self.attribute}"

    def apply(self) -> None:
        """Put the replacement in place."""
        if self.applied:
            message = f"{self.symbol}: the patch is in place already"
            raise PatchError(message)
        self._original = own(self.owner, self.attribute)
        replacement = self._make(getattr(self.owner, self.attribute, MISSING))
        if isinstance(self._original, (staticmethod, classmethod)):
            replacement = staticmethod(replacement)
        setattr(self.owner, self.attribute, replacement)
        self._placed = own(self.owner, self.attribute)
        self.applied = True

    def restore(self) -> None:
        """Take the replacement back. Raises PatchError, and leaves what it finds, where somebody has put another there."""
        if not self.applied:
            message = f"{self.symbol}: the patch is not in place"
            raise PatchError(message)
        self.applied = False
        if own(self.owner, self.attribute) is not self._placed:
            message = f"{self.symbol}: is no longer what the patch put there"
            raise PatchError(message)
        if self._original is MISSING:
            delattr(self.owner, self.attribute)
        else:
            setattr(self.owner, self.attribute, self._original)


class Patches:
    """Patches that go in place together, in order, and are taken back in the reverse order: a context that can be entered again."""

    def __init__(self, patches: Iterable[Patch] = ()) -> None:
        self._patches: list[Patch] = list(patches)
        self._before = [(patch, own(patch.owner, patch.attribute)) for patch in self._patches]

    def __iter__(self) -> Iterator[Patch]:
        return iter(self._patches)

    def __len__(self) -> int:
        return len(self._patches)

    def __enter__(self) -> Patches:  # noqa: PYI034  typing.Self is newer than Python 3.9
        placed: list[Patch] = []
        try:
            for patch in self._patches:
                patch.apply()
                placed.append(patch)
        except BaseException:
            _take_back(placed)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        error = _take_back(self._patches)
        if error is not None:
            raise error

    def altered(self) -> list[str]:
        """The symbols that are not, identically, what they were when these patches were made."""
        return [patch.symbol for patch, was in self._before if own(patch.owner, patch.attribute) is not was]


def _take_back(patches: list[Patch]) -> PatchError | None:
    """Restore all of `patches`, the last one first, whatever one of them says; the first complaint."""
    complaint: PatchError | None = None
    for patch in reversed(patches):
        try:
            patch.restore()
        except PatchError as error:  # noqa: PERF203  all are to be taken back
            complaint = complaint or error
    return complaint


def own(owner: Any, attribute: str) -> Any:
    """What `owner` itself holds under `attribute`, undecorated (a staticmethod as such); MISSING where it inherits it.

    Parts of a torch module are held in dictionaries of their own.
    """
    try:
        held = vars(owner)
    except TypeError:  # an object with slots holds everything of its own
        return getattr(owner, attribute, MISSING)
    if attribute in held:
        return held[attribute]
    for kind in ("_modules", "_parameters", "_buffers"):
        parts = held.get(kind)
        if isinstance(parts, dict) and attribute in parts:
            return parts[attribute]
    return MISSING


def described(owner: Any) -> str:
    """A module or a class by its full name, an object by its class."""
    if hasattr(owner, "__qualname__"):
        return f"{owner.__module__}.{owner.__qualname__}"
    if hasattr(owner, "__name__") and hasattr(owner, "__spec__"):
        return str(owner.__name__)
    return f"<{described(type(owner))}>"
