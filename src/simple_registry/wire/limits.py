"""Limits of one connection, of one address, and of a worker."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """Times in seconds, sizes in bytes, rates in bytes a second."""

    header_timeout: float = 30.0
    """For a head to arrive, from its first byte or from the start of the connection."""
    idle_timeout: float = 130.0
    """Between two requests of a connection."""
    handshake_timeout: float = 10.0
    """For a TLS handshake and a PROXY header."""
    progress_period: float = 60.0
    """The waiting time over which the rate of a body or an answer is averaged."""
    min_rate: float = 1024.0
    """The minimum rate of a body or an answer."""
    drain_size: int = 1024 * MIB
    """Maximum size of the rest of a body that is read and dropped after the answer."""
    drain_timeout: float = 30.0
    """For reading and dropping it."""
    connections: int = 8192
    """Open connections."""
    connections_by_address: int = 4096
    """Open connections of one address."""
    descriptors: int = 16384
    """Descriptors of connections and of files in answers."""
    held: int = 64 * MIB
    """Memory for unread answers and unread bodies, for all connections."""
    held_by_address: int = 16 * MIB
    """The same, for the connections of one address."""
