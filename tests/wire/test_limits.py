"""The usual limits fit together."""

from simple_registry.wire.connection import BODY_READ
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.sender import ONE_WRITE


def test_the_usual_limits_fit_together():
    limits = WireLimits()
    assert limits.connections <= limits.descriptors
    assert ONE_WRITE < BODY_READ < limits.held_by_address < limits.held
    assert limits.idle_timeout > 120  # longer than the proxies in front keep connections
