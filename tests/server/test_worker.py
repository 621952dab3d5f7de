import contextlib
import socket
import ssl
import stat
from collections import Counter

import pytest

from simple_registry.config.settings import Limits
from simple_registry.server.worker import wire_limits


def test_the_settings_reach_the_wire():
    limits = wire_limits(Limits(header_timeout=2.5, idle_timeout=3, body_timeout=4, min_rate=5), 65536)
    assert (limits.header_timeout, limits.idle_timeout, limits.progress_period, limits.min_rate) == (2.5, 3, 4, 5)


@pytest.mark.parametrize(("open_files", "connections"), [(65_536, 8192), (4096, 3584), (1024, 512), (256, 128)])
def test_connections_leave_descriptors_for_the_rest(open_files, connections):
    assert wire_limits(Limits(), open_files).connections == connections


@pytest.mark.parametrize("addr", ["127.0.0.1:0", "[::1]:0", ":0", "localhost:0"])
def test_requests_are_served_on_every_form_of_address(start, stop_gently, addr):
    process = start("-workers", "1", addr=addr).ready()
    assert process.get()[2:] == ["0", "http"]
    stop_gently(process)


def test_requests_are_served_on_a_unix_socket_that_is_removed_at_the_end(start, stop_gently, tmp_path):
    path = tmp_path / "r.sock"
    process = start("-workers", "2", addr=f"unix:{path}").ready()
    assert process.get()[2:] == ["0", "http"]
    stop_gently(process)
    assert not path.exists()


def test_a_body_arrives_completely(start):
    process = start("-workers", "1").ready()
    with contextlib.closing(process.connection()) as connection:
        connection.request("PUT", "/", b"x" * 3_000_000)
        assert connection.getresponse().read().split()[2] == b"3000000"


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls_works_in_both_versions_with_every_form_of_key(start, certificate, version):
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


def test_alpn_selects_http_1_from_the_offers_of_a_client(start, certificate):
    authority, chain, key = certificate()
    process = start("-workers", "1", "-cert", str(chain), "-key", str(key)).ready()
    context = ssl.create_default_context(cadata=authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((process.host, process.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.selected_alpn_protocol() == "http/1.1"


def test_a_head_that_does_not_end_is_cut_after_the_header_timeout(start, tmp_path):
    (tmp_path / "main.yaml").write_text(
        "kind: Configuration\nmetadata: {name: main}\nspec: {limits: {headerTimeout: 1s}}\n"
    )
    process = start("-workers", "1", "-cfgdir", str(tmp_path)).ready()
    with socket.create_connection((process.host, process.port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost")
        assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_every_address_is_served(start, stop_gently, tmp_path):
    path = tmp_path / "r.sock"
    process = start("-addr", f"unix:{path},mode=0600", "-workers", "2").ready()
    assert process.get()[3] == "http"
    process.path = str(path)
    assert process.get()[3] == "http"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stop_gently(process)


def test_connections_to_a_shared_socket_spread_over_workers(start, tmp_path):
    process = start("-workers", "2", addr=f"unix:{tmp_path / 'r.sock'}").ready()
    opened = [process.connection() for _ in range(60)]
    served = Counter()
    for connection in opened:
        connection.request("GET", "/")
        served[connection.getresponse().read().split()[0]] += 1
    for connection in opened:
        connection.close()
    assert len(served) == 2
