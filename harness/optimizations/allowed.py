"""`Field`, by which a toggle says what a parameter may be. It is pydantic's, where a scenario is validated.

In the interpreter of a user's function there may be no pydantic, and nothing is validated: there it says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import Field
else:
    try:
        from pydantic import Field
    except ModuleNotFoundError:

        def Field(**_: Any) -> None:  # noqa: N802  it stands for a name of pydantic
            """Nothing is said of the parameter."""


__all__ = ["Field"]
