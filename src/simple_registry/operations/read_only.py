"""Read-only mode: reads go on, and nothing changes, such as while the data directory is moved to another machine."""

from simple_registry.clock import Clock
from simple_registry.faults import BY_SETTING, InReadOnlyMode
from simple_registry.storage.protocols.mode import ModeRows
from simple_registry.storage.records import ReadOnlyMode


class ReadOnly:
    """The mode, by a setting or by command. Rows refuse changes by themselves; here that is known before them."""

    def __init__(self, rows: ModeRows, clock: Clock, *, by_setting: bool) -> None:
        self._rows = rows
        self._clock = clock
        self._by_setting = ReadOnlyMode(BY_SETTING, clock.now()) if by_setting else None

    async def find(self) -> ReadOnlyMode | None:
        """Return the mode if it is on."""
        return self._by_setting or await self._rows.find_read_only()

    async def require_off(self) -> None:
        """Raise InReadOnlyMode if the mode is on."""
        mode = await self.find()
        if mode is not None:
            raise InReadOnlyMode("change anything", mode.reason)

    async def begin(self, reason: str) -> None:
        """Turn the mode on. Nothing is changed after that, by any process."""
        await self._rows.begin_read_only(ReadOnlyMode(reason, self._clock.now()))

    async def end(self) -> bool:
        """Turn the mode off. Return whether it was on."""
        return await self._rows.end_read_only()
