"""Bytes that a worker holds for clients: answers that they have not read, bodies that no handler has taken.

All connections of a worker share one budget, and the connections of one address have a share of it, so that a client
that does not read costs others nothing.
"""


class Budget:
    """Counts bytes by address."""

    def __init__(self, total: int, share: int) -> None:
        """Allow `total` bytes, of which one address may have `share`."""
        self._total = total
        self._share = share
        self._by_address: dict[str, int] = {}
        self.held = 0
        """Bytes held now."""

    def take(self, address: str | None, size: int) -> bool:
        """Hold `size` bytes for an address, if there is room; `None` is an address without a share of its own."""
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
        """Return whether an address may have `size` more bytes."""
        mine = 0 if address is None else self._by_address.get(address, 0)
        return self.held + size <= self._total and mine + size <= self._share

    def release(self, address: str | None, size: int) -> None:
        """Give bytes back that `take` held."""
        self.held -= size
        if address is not None and size:
            rest = self._by_address[address] - size
            if rest:
                self._by_address[address] = rest
            else:
                del self._by_address[address]
