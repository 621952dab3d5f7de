import logging
from pathlib import Path

import pytest

from simple_registry.cli.serve import _url, warn
from simple_registry.config.settings import Settings, TcpAddress, UnixAddress
from simple_registry.config.tls import Certificate
from simple_registry.server.listeners import Listeners
from simple_registry.server.worker import Configured

CERTIFICATE = Certificate(b"", b"")


@pytest.mark.parametrize(
    ("addr", "certificate", "warned"),
    [
        (TcpAddress("0.0.0.0", 5000), None, True),
        (TcpAddress("", 5000), None, True),
        (TcpAddress("192.0.2.1", 5000), None, True),
        (TcpAddress("registry.lan", 5000), None, True),
        (TcpAddress("::", 5000), None, True),
        (TcpAddress("0.0.0.0", 5000), CERTIFICATE, False),
        (TcpAddress("127.0.0.1", 5000), None, False),
        (TcpAddress("127.9.9.9", 5000), None, False),
        (TcpAddress("::1", 5000), None, False),
        (TcpAddress("localhost", 5000), None, False),
        (UnixAddress(Path("/run/r.sock")), None, False),
    ],
)
def test_passwords_in_the_clear_are_warned_about(caplog, addr, certificate, warned):
    with caplog.at_level(logging.WARNING, "simple_registry"):
        warn(Configured(Settings(addr=addr), certificate))
    assert ("travel unencrypted" in caplog.text) is warned


def test_what_is_odd_about_a_certificate_is_said(caplog):
    with caplog.at_level(logging.WARNING, "simple_registry"):
        warn(Configured(Settings(), Certificate(b"", b"", ("it expired",))))
    assert "it expired" in caplog.text


@pytest.mark.parametrize(
    ("authority", "url"),
    [
        ("0.0.0.0:5000", "http://localhost:5000"),
        ("[::]:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("registry.lan:80", "http://registry.lan:80"),
    ],
)
def test_people_are_told_an_address_they_can_use(authority, url):
    assert _url(Configured(Settings(), None), Listeners((), authority)) == url
