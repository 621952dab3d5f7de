import contextlib
import fcntl
import json
import os
import socket
import stat
import subprocess
import sys

import pytest

from simple_registry.config.values import TcpAddress, UnixAddress
from simple_registry.server.listeners import ListenFault, inherited_listeners, open_listeners


def sockets(listeners):
    return [listener.socket for worker in listeners.workers for listener in worker]


@pytest.fixture
def listen():
    opened = []

    def begin(*addresses, count=2):
        opened.append(open_listeners(addresses, count))
        return opened[-1]

    yield begin
    for listeners in opened:
        listeners.close()


def test_port_0_becomes_one_free_port_for_all(listen):
    listeners = listen(TcpAddress("127.0.0.1", 0), count=3)
    ports = {listener.getsockname()[1] for listener in sockets(listeners)}
    assert len(sockets(listeners)) == 3
    assert ports == {int(listeners.authorities[0].rpartition(":")[2])}
    assert listeners.urls(tls=True) == (f"https://127.0.0.1:{ports.pop()}",)


def test_a_port_in_use_is_refused_even_with_reuseport(listen):
    first = listen(TcpAddress("127.0.0.1", 0))
    port = sockets(first)[0].getsockname()[1]
    for host in ("127.0.0.1", "0.0.0.0", ""):
        with pytest.raises(
            ListenFault, match=rf":{port}: address already in use; .* choose another address with -addr"
        ):
            listen(TcpAddress(host, port))


def test_a_port_can_be_taken_again_at_once(listen):
    port = sockets(listen(TcpAddress("127.0.0.1", 0)))[0].getsockname()[1]
    first = listen(TcpAddress("127.0.0.2", port))
    with socket.create_connection(("127.0.0.2", port)):
        first.close()
    listen(TcpAddress("127.0.0.2", port))


def test_ipv6_and_every_interface(listen):
    assert listen(TcpAddress("::1", 0)).authorities[0].startswith("[::1]:")
    everywhere = listen(TcpAddress("", 0))
    port = sockets(everywhere)[0].getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port)).close()


def test_a_name_listens_on_its_ipv4_address(listen):
    listeners = listen(TcpAddress("localhost", 0))
    assert sockets(listeners)[0].family == socket.AF_INET
    assert listeners.authorities[0].startswith("localhost:")


@pytest.mark.parametrize(
    ("addr", "says"),
    [
        (TcpAddress("192.0.2.1", 5000), "this machine has no such address"),
        (TcpAddress("no-such-host.invalid", 5000), "the host name does not resolve"),
        (TcpAddress("a" * 64 + ".example", 5000), "the host name does not resolve"),
    ],
)
def test_foreign_addresses_are_refused(listen, addr, says):
    with pytest.raises(ListenFault, match=says):
        listen(addr)


def test_a_unix_socket_is_shared_and_removed(listen, tmp_path):
    path = tmp_path / "r.sock"
    listeners = listen(UnixAddress(path), count=2)
    assert sockets(listeners)[0] is sockets(listeners)[1]
    assert listeners.urls(tls=False) == (f"unix:{path}",)
    assert stat.S_ISSOCK(path.stat().st_mode)
    listeners.close()
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666])
def test_a_unix_socket_has_the_configured_mode(listen, tmp_path, mode):
    path = tmp_path / "r.sock"
    before = os.umask(0o027)
    listen(UnixAddress(path, mode))
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert os.umask(before) == 0o027


def test_several_addresses_are_listened_on_together(listen, tmp_path):
    path = tmp_path / "r.sock"
    listeners = listen(TcpAddress("127.0.0.1", 0), TcpAddress("::1", 0), UnixAddress(path))
    assert [len(worker) for worker in listeners.workers] == [3, 3]
    assert [listener.queue is not None for listener in listeners.workers[0]] == [False, False, True]
    for listener in listeners.workers[1]:
        with socket.socket(listener.socket.family) as client:
            client.connect(listener.socket.getsockname())


def test_when_one_of_several_addresses_is_refused_none_stays_open(listen, tmp_path):
    path = tmp_path / "r.sock"
    with pytest.raises(ListenFault):
        listen(UnixAddress(path), TcpAddress("192.0.2.1", 5000))
    assert not path.exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "", "localhost"])
def test_an_address_that_the_registry_itself_uses_is_named(listen, host):
    first = listen(TcpAddress("127.0.0.1", 0))
    port = int(first.authorities[0].rpartition(":")[2])
    says = f":{port}: the registry itself listens on 127.0.0.1:{port}; choose another address with -addr$"
    with pytest.raises(ListenFault, match=says) as refused:
        open_listeners([TcpAddress(host, port)], 1, existing=first)
    assert str(refused.value.about("-metrics-addr")).endswith("choose another address with -metrics-addr")


def test_an_address_that_is_given_twice_is_named(listen, tmp_path):
    path = tmp_path / "r.sock"
    with pytest.raises(ListenFault, match=f"the registry itself listens on unix:{path}; choose"):
        listen(UnixAddress(path), UnixAddress(path))
    assert not path.exists()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ListenFault, match="address already in use; stop the other program"):
            listen(TcpAddress("127.0.0.1", 0), UnixAddress(path), TcpAddress("127.0.0.1", port))


def passed_on(*listening):
    """Inherit sockets as from systemd, in a child process, because they use the descriptors from 3 on."""
    program = (
        "import os, sys, json\n"
        "from simple_registry.server.listeners import ListenFault, inherited_listeners\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "try:\n"
        "    found = inherited_listeners(os.environ, 2)\n"
        "except ListenFault as fault:\n"
        "    print(json.dumps(str(fault)))\n"
        "else:\n"
        "    shared = [each.queue is not None for each in found.workers[0]]\n"
        "    print(json.dumps([found.authorities, shared, 'LISTEN_FDS' in os.environ]))\n"
    )

    def arrange():
        for number, each in enumerate(listening, start=3):
            os.dup2(each, number)

    # Above the target numbers, so that no descriptor is overwritten before it is duplicated.
    listening = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, 20) for each in listening]
    environment = {**os.environ, "LISTEN_FDS": str(len(listening))}
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        preexec_fn=arrange,
        close_fds=False,
        capture_output=True,
        text=True,
        check=True,
    )
    for each in listening:
        os.close(each)
    return json.loads(finished.stdout)


def test_sockets_of_systemd_are_taken_over_and_shared(tmp_path):
    path = tmp_path / "r.sock"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        authority = f"127.0.0.1:{tcp.getsockname()[1]}"
        assert passed_on(tcp, unix) == [[authority, f"unix:{path}"], [True, True], False]


def test_a_socket_that_does_not_listen_is_refused():
    with socket.socket() as unbound:
        assert "is not a listening stream socket" in passed_on(unbound)


@pytest.mark.parametrize("pid", ["1", "", "x"])
def test_sockets_passed_to_another_process_are_ignored(pid):
    assert inherited_listeners({"LISTEN_PID": pid, "LISTEN_FDS": "1"}, 2) is None


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


def test_a_file_that_is_not_a_socket_is_refused_and_stays(listen, tmp_path):
    path = tmp_path / "r.sock"
    path.write_text("precious")
    with pytest.raises(ListenFault, match="a file that is not a socket"):
        listen(UnixAddress(path))
    assert path.read_text() == "precious"


def test_impossible_paths_are_refused(listen, tmp_path, monkeypatch):
    with pytest.raises(ListenFault, match="at most 107 bytes"):
        listen(UnixAddress(tmp_path / ("x" * 120)))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ListenFault, match="the directory of the socket does not exist"):
        listen(UnixAddress(type(tmp_path)("absent/r.sock")))


def test_a_resting_socket_gets_no_connections_until_it_wakes(listen):
    listeners = listen(TcpAddress("127.0.0.1", 0), count=2)
    resting, other = sockets(listeners)
    address = resting.getsockname()

    def served():
        """Connect several times; return the number of connections of each socket."""
        counts = []
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                stack.enter_context(socket.create_connection(address))
            for each in (resting, other):
                counts.append(0)
                with contextlib.suppress(OSError):
                    while True:
                        each.accept()[0].close()
                        counts[-1] += 1
        return counts

    assert all(served())
    assert listeners.pause(0)
    assert served() == [0, 40]
    listeners.resume(0)
    listeners.resume(1)
    assert all(served())


def test_a_socket_that_all_workers_share_does_not_rest(listen, tmp_path):
    assert not listen(UnixAddress(tmp_path / "s")).pause(0)
    assert not listen(TcpAddress("127.0.0.1", 0), count=1).pause(0)
