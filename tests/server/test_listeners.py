import os
import socket
import stat

import pytest

from simple_registry.config.settings import TcpAddress, UnixAddress
from simple_registry.server.listeners import ListenFault, open_listeners


@pytest.fixture
def listen():
    opened = []

    def begin(addr, count=2):
        opened.append(open_listeners(addr, count))
        return opened[-1]

    yield begin
    for listeners in opened:
        listeners.close()


def test_port_0_becomes_one_free_port_for_all(listen):
    listeners = listen(TcpAddress("127.0.0.1", 0), 3)
    ports = {listener.getsockname()[1] for listener in listeners.sockets}
    assert len(listeners.sockets) == 3
    assert ports == {int(listeners.authority.rpartition(":")[2])}
    assert listeners.url(tls=True) == f"https://127.0.0.1:{ports.pop()}"


def test_a_port_in_use_is_refused_even_by_one_that_shares(listen):
    first = listen(TcpAddress("127.0.0.1", 0))
    port = first.sockets[0].getsockname()[1]
    for host in ("127.0.0.1", "0.0.0.0", ""):
        with pytest.raises(
            ListenFault, match=rf":{port}: address already in use; .* choose another address with -addr"
        ):
            listen(TcpAddress(host, port))


def test_a_port_can_be_taken_again_at_once(listen):
    port = listen(TcpAddress("127.0.0.1", 0)).sockets[0].getsockname()[1]
    first = listen(TcpAddress("127.0.0.2", port))
    with socket.create_connection(("127.0.0.2", port)):
        first.close()
    listen(TcpAddress("127.0.0.2", port))


def test_ipv6_and_every_interface(listen):
    assert listen(TcpAddress("::1", 0)).authority.startswith("[::1]:")
    everywhere = listen(TcpAddress("", 0))
    port = everywhere.sockets[0].getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port)).close()


def test_a_name_listens_on_its_ipv4_address(listen):
    listeners = listen(TcpAddress("localhost", 0))
    assert listeners.sockets[0].family == socket.AF_INET
    assert listeners.authority.startswith("localhost:")


@pytest.mark.parametrize(
    ("addr", "says"),
    [
        (TcpAddress("192.0.2.1", 5000), "this machine has no such address"),
        (TcpAddress("no-such-host.invalid", 5000), "the host name does not resolve"),
        (TcpAddress("a" * 64 + ".example", 5000), "the host name does not resolve"),
    ],
)
def test_addresses_that_are_not_ours_are_refused(listen, addr, says):
    with pytest.raises(ListenFault, match=says):
        listen(addr)


def test_a_unix_socket_is_shared_and_removed(listen, tmp_path):
    path = tmp_path / "r.sock"
    listeners = listen(UnixAddress(path), 2)
    assert listeners.sockets[0] is listeners.sockets[1]
    assert listeners.url(tls=False) == f"unix:{path}"
    assert stat.S_ISSOCK(path.stat().st_mode)
    listeners.close()
    assert not path.exists()


def test_a_socket_file_left_by_a_dead_server_is_replaced(listen, tmp_path):
    path = tmp_path / "r.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listen(UnixAddress(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_live_socket_is_refused_and_stays(listen, tmp_path):
    path = tmp_path / "r.sock"
    listen(UnixAddress(path))
    with pytest.raises(ListenFault, match="address already in use"):
        listen(UnixAddress(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_file_that_is_no_socket_is_refused_and_stays(listen, tmp_path):
    path = tmp_path / "r.sock"
    path.write_text("precious")
    with pytest.raises(ListenFault, match="a file that is no socket"):
        listen(UnixAddress(path))
    assert path.read_text() == "precious"


def test_paths_that_cannot_be_are_refused(listen, tmp_path):
    with pytest.raises(ListenFault, match="at most 107 bytes"):
        listen(UnixAddress(tmp_path / ("x" * 120)))
    os.chdir(tmp_path)
    with pytest.raises(ListenFault, match="the directory of the socket does not exist"):
        listen(UnixAddress(type(tmp_path)("absent/r.sock")))
