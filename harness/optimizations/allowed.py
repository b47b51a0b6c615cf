"""`Field`, by which a toggle says what a parameter may be: pydantic's, which is asked where a scenario is validated and not before.

A worker validates nothing: it is told states that were validated, and does not wait for pydantic to be imported, which the
interpreter of a user's function need not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

__all__ = ["Field"]

if TYPE_CHECKING:
    from pydantic import Field
else:

    class Field:
        """What stands in `Annotated[type, Field(...)]`, with the keywords of `pydantic.Field`."""

        def __init__(self, **allowed: Any) -> None:
            self._allowed = allowed

        def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
            import pydantic

            return handler.generate_schema(Annotated[source, pydantic.Field(**self._allowed)])
