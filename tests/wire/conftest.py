"""Servers for the tests of the wire."""

import contextlib
import socket

import pytest

from simple_registry.wire.limits import WireLimits
from support.wire import Wire


@pytest.fixture
def make_wire():
    """Return a function that starts a server."""
    with contextlib.ExitStack() as stack:

        def make(limits=None, address=("127.0.0.1", 0), **options):
            listener = stack.enter_context(socket.create_server(address))
            listener.setblocking(False)
            wire = Wire(limits or WireLimits(), listener, **options)
            stack.callback(wire.stop)
            return wire

        yield make


@pytest.fixture
def wire(make_wire):
    """A server with the usual limits."""
    return make_wire()
