"""Bounds the memory that a worker holds for clients: unread answers, and bodies that no handler has read.

All connections of a worker share one budget, and each address may use only a share of it, so that a client that does
not read leaves room for others.
"""


class Budget:
    """Counts bytes by address."""

    def __init__(self, total: int, share: int) -> None:
        """Allow `total` bytes, at most `share` of them for one address."""
        self._total = total
        self._share = share
        self._by_address: dict[str, int] = {}
        self.held = 0
        """Bytes reserved at present."""

    def reserve(self, address: str | None, size: int) -> bool:
        """Reserve bytes for an address if there is room; return whether. `None` has no share."""
        if self.held + size > self._total:
            return False
        if address is not None:
            mine = self._by_address.get(address, 0) + size
            if mine > self._share:
                return False
            if mine:
                self._by_address[address] = mine
        self.held += size
        return True

    def has_room(self, address: str | None, size: int) -> bool:
        """Return whether `size` more bytes could be reserved for an address."""
        mine = 0 if address is None else self._by_address.get(address, 0)
        return self.held + size <= self._total and mine + size <= self._share

    def release(self, address: str | None, size: int) -> None:
        """Release reserved bytes."""
        self.held -= size
        if address is not None and size:
            rest = self._by_address[address] - size
            if rest:
                self._by_address[address] = rest
            else:
                del self._by_address[address]
