"""`health`: asks the server that uses a data directory whether it is ready, wherever it listens.

    server.lock ─► an address of the server ─► GET /readyz

0  ready     1  not ready, no answer, or no server     2  invalid arguments
"""

import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from simple_registry.backends import local
from simple_registry.cli.data_commands import find_data_dir
from simple_registry.cli.options import Parser
from simple_registry.config.rows import PREFIX
from simple_registry.faults import StorageFault
from simple_registry.server.logging import printable

TIMEOUT = 4.0
"""Seconds for connecting, and for each part of the answer."""
_HELP = f"""\
usage: simple-registry health

Asks the running server for /readyz, at an address that it listens on, and prints the answer: the health check of a
container. Run it as the user that runs the server.

  -datadir DIRECTORY   the server's data directory, or the variable {PREFIX}DATADIR (default: ./data)
  -cfgdir DIRECTORY... directory of YAML documents that name the data directory

Exit code: 0 ready, 1 not ready or no answer, 2 invalid arguments.
"""


def health(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: TextIO, *, timeout: float = TIMEOUT
) -> int:
    """Run `health` with these arguments. Return the exit code.

    Raises: UsageError, ConfigError.
    """
    asked = Parser("health", _HELP).parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    ready, answer = _ask(find_data_dir(asked.datadir, asked.cfgdir, environment), timeout)
    stdout.write(printable(answer) + "\n")
    stdout.flush()
    return 0 if ready else 1


def _ask(data_dir: Path, timeout: float) -> tuple[bool, str]:
    """Return whether the server is ready, and its answer or the reason."""
    try:
        server = local.find_server(data_dir)
    except StorageFault as fault:
        return False, str(fault)
    if server is None:
        return False, f"no server uses {data_dir}"
    if not server.url:
        return False, f"the server that uses {data_dir} does not listen yet"
    try:
        with closing(_connection(server.url, timeout)) as connection:
            return _get(connection)
    except (OSError, HTTPException) as error:
        return False, f"{server.url} does not answer: {error}"


def _connection(url: str, timeout: float) -> HTTPConnection:
    """Return a connection to a server on this machine, which is also what the unspecified address leads to."""
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:"), timeout)
    address = urlsplit(url)
    host, port = address.hostname or "", address.port
    if address.scheme == "https":
        return HTTPSConnection(host, port, timeout=timeout, context=_any_certificate())
    return HTTPConnection(host, port, timeout=timeout)


class _UnixConnection(HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _any_certificate() -> ssl.SSLContext:
    """Return a context that accepts every certificate: the server's is for the name that clients use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _get(connection: HTTPConnection) -> tuple[bool, str]:
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    return answer.status == HTTPStatus.OK, answer.read().decode(errors="replace").strip()
