"""A connection of a client to a registry that can disappear at any moment and return at another address.

    Connection(lambda: registry.address).ask("GET", "/v2/")  →  Answer, or Unanswered: the request may have taken effect

Nothing is sent twice. After `Unanswered`, the next request opens a new connection.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from faults.wire import Answer, Wire

TIMEOUT = 20.0
"""Seconds that a client waits for bytes."""
PIECE = 65536


class Unanswered(Exception):
    """The connection broke, or the registry failed. `late`: the request may still be under way."""

    def __init__(self, what: str, *, late: bool = False) -> None:
        super().__init__(what)
        self.late = late


class Connection:
    """A connection of one thread."""

    def __init__(self, address: Callable[[], str], timeout: float = TIMEOUT) -> None:
        """Connect to what `address` returns at that moment."""
        self._address = address
        self._timeout = timeout
        self._wire: Wire | None = None

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Return what the registry answers, which is below 500.

        Raises: Unanswered.
        """
        what = f"{method} {path}"
        try:
            if self._wire is None:
                self._wire = Wire(self._address(), timeout=self._timeout)
            answer = self._wire.ask(method, path, body, headers or {})
        except TimeoutError as error:
            self.close()
            raise Unanswered(f"{what}: no answer in {self._timeout:.0f} s", late=True) from error
        except (OSError, ValueError) as error:
            self.close()
            raise Unanswered(f"{what}: {str(error) or type(error).__name__}") from error
        if answer.status >= 500 or answer.status == 429:
            raise Unanswered(f"{what}: {answer.status} {answer.body[:200]!r}")
        return answer

    def stream(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body in pieces, without saying how long it will be; otherwise as `ask`."""
        pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
        chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
        return self.ask(method, path, chunked, {**headers, "Transfer-Encoding": "chunked"})

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def with_query(location: str, query: str) -> str:
    """Return the path of a `Location`, with more in its query."""
    parts = urlsplit(location)
    queries = "&".join(filter(None, [parts.query, query]))
    return f"{parts.path}?{queries}" if queries else parts.path
