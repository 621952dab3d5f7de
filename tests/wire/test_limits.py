"""The default limits are consistent."""

from simple_registry.wire.connection import BODY_READ_SIZE
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.sender import WRITE_SIZE


def test_default_limits_are_consistent():
    limits = WireLimits()
    assert limits.connections <= limits.descriptors
    assert WRITE_SIZE < BODY_READ_SIZE < limits.held_by_address < limits.held
    assert limits.idle_timeout > 120  # longer than proxies keep idle connections
