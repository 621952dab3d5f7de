"""Bounds on what one client may cost a connection, and all clients a worker."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """Times in seconds, sizes in bytes, rates in bytes a second."""

    header_timeout: float = 30.0
    """For a head to arrive, from its first byte, or from the opening of the connection."""
    idle_timeout: float = 130.0
    """Between two requests of a connection."""
    handshake_timeout: float = 10.0
    """For a TLS handshake and a PROXY header."""
    progress_period: float = 60.0
    """The time of waiting over which the rate of a body or an answer is averaged."""
    min_rate: float = 1024.0
    """The least rate."""
    drain_size: int = 1024 * MIB
    """Of a body that is read and dropped after its request was answered."""
    drain_timeout: float = 30.0
    """For that."""
    connections: int = 8192
    """Open at once."""
    connections_by_address: int = 4096
    """The same, of one address."""
    descriptors: int = 16384
    """Of connections and of files in answers, together."""
    held: int = 64 * MIB
    """Of answers that were not read and bodies that were not taken, in all connections."""
    held_by_address: int = 16 * MIB
    """The same, in the connections of one address."""
