"""Reverse proxies in front of a registry: Debian's nginx, Caddy and HAProxy, as users configure them.

    client ──TLS──► proxy at 127.0.0.77:41234 ──plain HTTP──► registry at a TCP port or a unix socket
                                                              (trusts the proxy's X-Forwarded-* headers)

    with set_trap() as trap, serve_behind("nginx", "tcp", folder, trap) as registry:
        registry.host       127.0.0.77:41234
        trap.take()         what clients sent to 127.0.0.77:80, in clear: must be nothing

The proxy has an address of its own, so that its port 80 is free for the trap. Where this process may bind port 80, the
proxy also listens on port 443: there a realm with the scheme `http` leads clients to the trap.
"""

import os
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import bcrypt
import yaml

from e2e.commands import environment, unavailable
from e2e.daemons import running
from e2e.images import TAG
from e2e.scenarios import CLIENTS, Account, fill
from e2e.server import Registry, serve
from harness.certificates import Certificates, issue

ACCOUNT = Account("alice", "open: sesame/£")
"""A user with all permissions."""
NEWCOMER = Account("bob", "swordfish: two/£")
"""Another one, whose password no worker has verified yet."""

# --- configurations -------------------------------------------------------------------------------------------------

CONFIGURATIONS = {
    "nginx": """\
server {
    listen 443 ssl http2;
    server_name registry.example;
    ssl_certificate     /etc/nginx/registry.crt;
    ssl_certificate_key /etc/nginx/registry.key;

    client_max_body_size 0;
    large_client_header_buffers 4 32k;
    client_body_timeout 900s;
    send_timeout 900s;

    location / {
        proxy_pass http://127.0.0.1:5000;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_buffering off;
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        proxy_read_timeout 900s;
        proxy_send_timeout 900s;

        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host "";
    }
}
""",
    # Caddy sets all X-Forwarded-* headers, whatever the client sent, and has neither a limit on bodies nor time-outs.
    "caddy": """\
registry.example {
	tls /etc/caddy/registry.crt /etc/caddy/registry.key
	reverse_proxy 127.0.0.1:5000
}
""",
    "haproxy": """\
frontend registry
    mode http
    bind :443 ssl crt /etc/haproxy/registry.pem alpn h2,http/1.1
    timeout client 900s
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-For %[src]
    http-request del-header X-Forwarded-Host
    default_backend registry

backend registry
    mode http
    timeout connect 5s
    timeout server 900s
    server registry 127.0.0.1:5000
""",
}
"""The configuration of users, quoted by docs/operations/reverse-proxies.md."""

PROXIES = tuple(CONFIGURATIONS)


@dataclass(frozen=True, slots=True)
class Backend:
    """An address of a registry: its `-addr` below a folder, and its peer in `web.trustedProxies`."""

    address: str
    trusted: str


KINDS = {
    "tcp": Backend("127.0.0.1:0", trusted="127.0.0.1"),
    "unix": Backend("unix:{folder}/registry.sock,mode=0660", trusted="unix"),
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """The values that a test puts into a configuration: listen addresses, certificates, the registry behind.

    Without `told` the registry is told nothing: the proxy adds no headers, as far as it can be kept from that.
    """

    listen: Sequence[str]
    certificates: Certificates
    registry: Registry
    home: Path
    told: bool = True

    def upstream(self, unix: str) -> str:
        """Return the registry's address, with `unix` before the path of a socket."""
        return unix + self.registry.host if self.registry.scheme == "unix" else self.registry.host


def _nginx(wiring: Wiring) -> list[str | Path]:
    files = wiring.certificates
    site = _adapted(
        "nginx",
        {
            "    listen 443 ssl http2;\n": "".join(f"    listen {each} ssl http2;\n" for each in wiring.listen),
            "/etc/nginx/registry.crt": str(files.certificate),
            "/etc/nginx/registry.key": str(files.key),
            "127.0.0.1:5000": wiring.upstream("unix:"),
        },
        told=wiring.told,
    )
    temporary = [f"{name}_temp_path {wiring.home};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    around = [
        *("daemon off;", "worker_processes 1;", "error_log stderr info;", f"pid {wiring.home}/nginx.pid;"),
        *(["user root;"] if os.geteuid() == 0 else []),  # workers need the test's folders
        *("events {}", "http {", "access_log off;", *temporary, site, "}"),
    ]
    path = wiring.home / "nginx.conf"
    path.write_text("\n".join(around))
    return ["nginx", "-p", wiring.home, "-c", path, "-e", "stderr"]


def _caddy(wiring: Wiring) -> list[str | Path]:
    files, address = wiring.certificates, wiring.listen[0].rpartition(":")[0]
    names = ", ".join(f"https://{each}" for each in wiring.listen)
    site = _adapted(
        "caddy",
        {
            "registry.example {\n": f"{names} {{\n\tbind {address}\n",
            "/etc/caddy/registry.crt": str(files.certificate),
            "/etc/caddy/registry.key": str(files.key),
            "127.0.0.1:5000": wiring.upstream("unix/"),
        },
        told=wiring.told,
    )
    path = wiring.home / "Caddyfile"
    path.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site)  # port 80 is the trap's
    return ["caddy", "run", "--adapter", "caddyfile", "--config", path]


def _haproxy(wiring: Wiring) -> list[str | Path]:
    files, pem = wiring.certificates, wiring.home / "registry.pem"
    pem.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    site = _adapted(
        "haproxy",
        {
            "bind :443": f"bind {','.join(wiring.listen)}",
            "/etc/haproxy/registry.pem": str(pem),
            "127.0.0.1:5000": wiring.upstream("unix@"),
        },
        told=wiring.told,
    )
    path = wiring.home / "haproxy.cfg"
    path.write_text(f"global\n    maxconn 200\n    nbthread 1\n\n{site}")
    return ["haproxy", "-db", "-f", path]


_COMMANDS = {"nginx": _nginx, "caddy": _caddy, "haproxy": _haproxy}
"""For each proxy, what writes its files and returns its command line."""


def _adapted(name: str, substitutions: Mapping[str, str], *, told: bool) -> str:
    """Return a proxy's configuration with this machine's addresses and files."""
    lines = CONFIGURATIONS[name].splitlines(keepends=True)
    text = "".join(line for line in lines if told or "X-Forwarded" not in line)
    for old, new in substitutions.items():
        if text.count(old) != 1:
            raise AssertionError(f"the configuration of {name} does not have {old!r} once")
        text = text.replace(old, new)
    return text


# --- the trap -------------------------------------------------------------------------------------------------------


class Trap:
    """An address for proxies, the well-known ports that they listen on there, and what port 80 received."""

    def __init__(self, address: str, ports: Sequence[int]) -> None:
        """Begin with nothing received."""
        self.address = address
        self.ports = tuple(ports)
        self.received: list[bytes] = []

    @property
    def is_set(self) -> bool:
        """Whether port 80 is listened on."""
        return bool(self.ports)

    def take(self) -> list[bytes]:
        """Return what was received since the last call."""
        taken, self.received = self.received, []
        return taken


@contextmanager
def set_trap() -> Iterator[Trap]:
    """Listen on port 80 of a free loopback address for the length of the block, if this process may."""
    for number in range(77, 127):
        trap = Trap(f"127.0.0.{number}", ports=[443])
        try:
            server = _server(trap)
        except PermissionError:
            yield Trap(trap.address, ports=[])
            return
        except OSError:  # another test run has this address
            continue
        break
    else:
        raise AssertionError("no loopback address has a free port 80")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield trap
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _server(trap: Trap) -> socketserver.ThreadingTCPServer:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(10)
            with suppress(OSError):
                # Recorded before the connection is closed: a client that waits for an answer ends after this.
                if data := self.request.recv(65536):
                    trap.received.append(data)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    return Server((trap.address, 80), Handler)


# --- a registry behind a proxy --------------------------------------------------------------------------------------


@contextmanager
def serve_behind(proxy: str, backend: str, folder: Path, trap: Trap, *, told: bool = True) -> Iterator[Registry]:
    """Run a registry behind a proxy for the length of the block, as the proxy's clients see it, with content.

    Without `told`, neither the proxy nor the documents tell the registry that it is behind one.
    """
    if shutil.which(proxy, path=environment(folder / "home")["PATH"]) is None:
        unavailable(f"{proxy} is not installed")
    kind, certificates = KINDS[backend], issue(folder, [trap.address])
    address = kind.address.format(folder=folder)
    with serve(
        folder / "registry", configuration=documents_behind(kind if told else None), address=address
    ) as registry:
        port = _free_port(trap.address)
        known = trap.ports if told else ()  # a proxy of another fixture may still have the well-known ones
        listen = [f"{trap.address}:{each}" for each in (port, *known)]
        command = _COMMANDS[proxy](Wiring(listen, certificates, registry, folder / "home", told))
        with running(command, folder / "home", lambda _: all(map(_answers, listen))):
            front = replace(
                registry,
                scheme="https",
                host=listen[0],
                endpoint=listen[0],
                authority=certificates.authority,
                username=ACCOUNT.username,
                password=ACCOUNT.secret,
            )
            fill(front, folder, "public/team", CLIENTS)
            fill(front, folder, "private/team", CLIENTS)
            for client in CLIENTS:
                fill(front, folder, secrets_for(client), [TAG])
            yield front


def secrets_for(client: str) -> str:
    """Return the namespace of private content that a client has never pulled."""
    return f"private/secrets-for-{client}"


def documents_behind(kind: Backend | None) -> str:
    """Return the registry's documents: everyone may pull public/**, and users have all permissions."""
    users = [
        {"passwordHash": bcrypt.hashpw(account.secret.encode(), bcrypt.gensalt(rounds=4)).decode()}
        for account in (ACCOUNT, NEWCOMER)
    ]
    documents = [
        ("Configuration", "proxies", {"web": {"trustedProxies": [kind.trusted]} if kind else {}}),
        ("User", ACCOUNT.username, users[0]),
        ("User", NEWCOMER.username, users[1]),
        ("User", "anonymous", {}),
        ("Role", "everything", {"resources": ["*"], "verbs": ["*"]}),
        ("Role", "reading", {"resources": ["*"], "verbs": ["pull"]}),
        ("RoleBinding", "users", _binding("everything", "^.*$", ACCOUNT.username, NEWCOMER.username)),
        ("RoleBinding", "everybody", _binding("reading", "^public/.+$", "anonymous")),
    ]
    return yaml.safe_dump_all(
        {"kind": kind_of, "metadata": {"name": name}, "spec": spec} for kind_of, name, spec in documents
    )


def _binding(role: str, scope: str, *users: str) -> dict[str, object]:
    subjects = [{"kind": "User", "name": user} for user in users]
    return {"subjects": subjects, "roleRef": {"name": role}, "scopes": [scope]}


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _answers(authority: str) -> bool:
    address, _, port = authority.rpartition(":")
    try:
        socket.create_connection((address, int(port)), timeout=5).close()
    except OSError:
        return False
    return True
