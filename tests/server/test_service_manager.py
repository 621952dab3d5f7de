import socket
import time

import pytest

from simple_registry.server.service_manager import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """The socket of a service manager, and its address as in the variable."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(address.replace("@", "\0", 1))
        opened.settimeout(5)
        yield opened, address


def test_each_state_is_one_message(manager):
    opened, address = manager
    environment = {"NOTIFY_SOCKET": address, "HOME": "/"}
    service_manager = ServiceManager(environment)
    assert environment == {"HOME": "/"}
    service_manager.upgrading()
    assert opened.recv(1000) == b"EXTEND_TIMEOUT_USEC=3600000000\nSTATUS=upgrading the database"
    service_manager.ready("not reloaded:\n a.yaml:1")
    assert opened.recv(1000) == b"READY=1\nSTATUS=not reloaded: a.yaml:1"
    before = time.monotonic_ns() // 1000
    service_manager.reloading()
    state, moment = opened.recv(1000).split(b"\n")
    assert state == b"RELOADING=1"
    assert before <= int(moment.removeprefix(b"MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    service_manager.stopping()
    assert opened.recv(1000).startswith(b"STOPPING=1\n")


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_nothing_is_sent_without_a_reachable_manager(environment):
    ServiceManager(environment).ready("listening")


def test_a_manager_that_is_gone_changes_nothing(tmp_path):
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "absent")}).stopping()
