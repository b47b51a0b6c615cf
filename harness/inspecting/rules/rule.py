"""A rule: what it is called, what it looks for, and why that costs time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from harness.inspecting.findings import Answer, Finding, Kind, State
from harness.inspecting.source import Tree
from harness.optimizations import named

Check = Callable[[Tree], Answer]
_STATES: dict[Kind, tuple[State, State, State]] = {
    "toggle": ("applies", "already present", "not applicable"),
    "loss": ("found", "avoided", "not there"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A check of a tree with its id, title and the reason in words; `measured` is a figure from elsewhere, or "".

    `mended_by` is the toggle of the adapter `checkout` that mends a loss, "" where there is none.
    """

    id: str
    kind: Kind
    title: str
    why: str
    measured: str
    check: Check
    mended_by: str = ""

    def judge(self, tree: Tree) -> Finding:
        """The rule's finding in a tree. Where any place still has the cost, that decides the state."""
        answer = self.check(tree)
        costly, avoided, neither = _STATES[self.kind]
        state = costly if answer.costs else avoided if answer.avoided else neither
        return Finding(
            id=self.id, kind=self.kind, title=self.title, state=state, costs=answer.costs, avoided=answer.avoided,
            reason=answer.reason if state == neither else "", why=self.why, measured=self.measured,
            mended_by=self.mended_by,
        )  # fmt: skip


def toggle(check: Check) -> Rule:
    """A rule that says where the toggle of the same name applies; its title is the toggle's."""
    name = check.__name__
    return Rule(id=name, kind="toggle", title=named(name).title, why=_text(check), measured="", check=check)


def loss(title: str, measured: str = "", mended_by: str = "") -> Callable[[Check], Rule]:
    """A rule that looks for something else that costs time; `measured` says what changing it gave, and where.

    `mended_by` is the toggle that mends it; raises UsageError where there is no such toggle.
    """
    if mended_by:
        named(mended_by)

    def made(check: Check) -> Rule:
        return Rule(
            id=check.__name__,
            kind="loss",
            title=title,
            why=_text(check),
            measured=measured,
            check=check,
            mended_by=mended_by,
        )

    return made


def _text(check: Check) -> str:
    return " ".join((inspect.getdoc(check) or "").split())
