import contextlib
import os
import socket
import ssl
import stat

import pytest

from simple_registry.config.settings import Limits
from simple_registry.config.tls import Certificate
from simple_registry.server.worker import _http1, _pem_paths


def test_the_header_timeout_reaches_the_http_server():
    assert _http1(Limits(header_timeout=2.5)).header_read_timeout == 2500


def test_keys_are_lent_as_paths_and_gone_afterwards():
    with _pem_paths(Certificate(b"chain", b"key")) as (chain, key):
        assert (chain.read_bytes(), key.read_bytes()) == (b"chain", b"key")
    assert not chain.exists()
    assert not key.exists()


def test_without_memory_files_only_the_owner_may_read_the_key(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    with _pem_paths(Certificate(b"chain", b"key")) as (chain, key):
        assert (chain.read_bytes(), key.read_bytes()) == (b"chain", b"key")
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert not key.exists()


def test_without_a_certificate_there_are_no_paths():
    with _pem_paths(None) as pem:
        assert pem is None


@pytest.mark.parametrize("addr", ["127.0.0.1:0", "[::1]:0", ":0", "localhost:0"])
def test_requests_are_served_on_every_form_of_address(start, stop_gently, addr):
    process = start("-workers", "1", addr=addr).ready()
    assert process.get()[2:] == ["0", "http"]
    stop_gently(process)


def test_requests_are_served_on_a_unix_socket_that_goes_with_the_server(start, stop_gently, tmp_path):
    path = tmp_path / "r.sock"
    process = start("-workers", "2", addr=f"unix:{path}").ready()
    assert process.get()[2:] == ["0", "http"]
    stop_gently(process)
    assert not path.exists()


def test_a_body_arrives_whole(start):
    process = start("-workers", "1").ready()
    with contextlib.closing(process.connection()) as connection:
        connection.request("PUT", "/", b"x" * 3_000_000)
        assert connection.getresponse().read().split()[2] == b"3000000"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_is_spoken_in_both_versions_with_any_form_of_key(start, certificate, version):
    authority, chain, key = certificate()
    process = start("-workers", "1", "-cert", str(chain), "-key", str(key)).ready()
    assert process.scheme == "https"
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with (
        socket.create_connection((process.host, process.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() == version.replace("_", ".")


def test_http_2_is_offered_over_tls(start, certificate):
    authority, chain, key = certificate()
    process = start("-workers", "1", "-cert", str(chain), "-key", str(key)).ready()
    context = ssl.create_default_context(cadata=authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((process.host, process.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.selected_alpn_protocol() == "h2"


def test_a_head_that_does_not_end_is_cut_after_the_header_timeout(start, tmp_path):
    (tmp_path / "main.yaml").write_text(
        "kind: Configuration\nmetadata: {name: main}\nspec: {limits: {headerTimeout: 1s}}\n"
    )
    process = start("-workers", "1", "-cfgdir", str(tmp_path)).ready()
    with socket.create_connection((process.host, process.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost")
        assert client.recv(1000) == b""


def test_the_banner_of_the_http_server_is_not_shown(start, stop_gently):
    process = start("-workers", "1").ready()
    stop_gently(process)
    assert "ranian" not in process.log
    assert "experimental" not in process.log
