"""The row of the read-only mode."""

from typing import Protocol

from simple_registry.storage.records import ReadOnlyMode


class ModeRows(Protocol):
    """The read-only mode: while it is on, every other change of rows raises InReadOnlyMode, in all processes."""

    async def find_read_only(self) -> ReadOnlyMode | None:
        """Return the mode if it is on."""

    async def begin_read_only(self, mode: ReadOnlyMode) -> None:
        """Turn the mode on, or replace its reason and its start. No change is committed after that."""

    async def end_read_only(self) -> bool:
        """Turn the mode off. Return whether it was on."""
