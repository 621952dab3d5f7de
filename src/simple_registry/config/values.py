"""Parsers of the text in options and documents: sizes, counts, addresses, words and paths.

Each takes the whole text, and returns its value or raises `ConfigError`; the message has the text and a correct
example. The caller adds the place of the text: an option, a variable, a file and line.
"""

import difflib
import hmac
import ipaddress
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeVar

from simple_registry.times import parse_duration

Word = TypeVar("Word", bound=str)

_SIZE = re.compile(r"([0-9]{1,18})(?: ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB))?", re.ASCII)
_BYTES: dict[str | None, int] = {
    None: 1,
    "B": 1,
    "KB": 1000,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}

_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_TCP = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<name>[^\[\]]*)):(?P<port>[0-9]{1,5})", re.ASCII)
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_UNIX_PREFIX, _UNIX_MODE = "unix:", ",mode="
_MODE = re.compile(r"0?[0-7]{3}", re.ASCII)
_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)(:[0-9]{1,5})?/?"
)
_MAX_PORT = 65_535
MAX_TAGS = 64
"""Each tag of a push is a header line of its answer, and many clients refuse an answer with more than 100 lines."""
MIN_SECRET = 32
MIN_TOKEN_TIMEOUT = 60
"""Seconds; clients treat a shorter life as 60 seconds."""
_MAX_TOKEN_TIMEOUT = 86_400


class ConfigError(ValueError):
    """The configuration cannot be used; the message has the place of the error, its reason, and a remedy."""

    def at(self, place: object) -> "ConfigError":
        """Return the same error with the `place` of the text in front."""
        return ConfigError(f"{place}: {self}")


class StandardOutput(StrEnum):
    """The audit log's destination when it is not a file."""

    STDOUT = "-"


class Secret:
    """Text that must not be shown: its `repr` is `***`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Only for its use; never for output."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where to listen: `host` (a name or an address without brackets) and `port` (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Where to listen: the path of a unix socket, and the mode of its file."""

    path: Path
    mode: int = 0o660

    def __str__(self) -> str:
        return f"{_UNIX_PREFIX}{self.path}{_UNIX_MODE}{self.mode:04o}"


Address = TcpAddress | UnixAddress
TrustedProxy = ipaddress.IPv4Network | ipaddress.IPv6Network | Literal["unix"]
"""A network, or the word for the peers of unix sockets."""


def parse_size(text: str) -> int:
    """Return the bytes of `4MiB`, `20GB` or a bare number of bytes; more than zero."""
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * _BYTES[match[2]] if match else 0
    if size <= 0:
        raise ConfigError(f"{text!r} is not a size; write for example 4MiB, 20GB or a number of bytes")
    return size


def parse_size_or_none(text: str) -> int:
    """Return a size as `parse_size` does, or 0."""
    return 0 if text == "0" else parse_size(text)


def format_size(size: int) -> str:
    """Return the text of a size in the largest binary unit that divides it."""
    unit = next((unit for unit in ("TiB", "GiB", "MiB", "KiB") if size and size % _BYTES[unit] == 0), "")
    return f"{size // _BYTES[unit or None]}{unit}"


def parse_count(text: str) -> int:
    """Return a whole number of at least one."""
    if not _COUNT.fullmatch(text) or int(text) == 0:
        raise ConfigError(f"{text!r} is not a count; write a whole number of at least 1")
    return int(text)


def parse_count_or_none(text: str) -> int:
    """Return a whole number."""
    if not _COUNT.fullmatch(text):
        raise ConfigError(f"{text!r} is not a count; write a whole number, 0 for none")
    return int(text)


def parse_tags_per_push(text: str) -> int:
    """Return the number of tags that one push may set."""
    count = parse_count(text)
    if count > MAX_TAGS:
        raise ConfigError(f"{text!r} is too many for the answer of a push; write at most {MAX_TAGS}")
    return count


def parse_workers(text: str) -> int:
    """Return the number of worker processes; 0 means one per core."""
    if not _COUNT.fullmatch(text) or int(text) > 1024:  # noqa: PLR2004 (far above any machine; catches typing errors)
        raise ConfigError(f"{text!r} is not a number of workers; write 1 to 1024, or 0 for one per core")
    return int(text)


def parse_path(text: str) -> Path:
    """Return a path; nothing is read yet."""
    if not text or "\0" in text:
        raise ConfigError(f"{text!r} is not a path")
    return Path(text)


def parse_audit(text: str) -> Path | StandardOutput:
    """Return the destination of the audit log: a path, or `-` for standard output."""
    return StandardOutput.STDOUT if text == StandardOutput.STDOUT else parse_path(text)


def parse_address(text: str) -> Address:
    """Return where to listen: `host:port`, `[::1]:5000`, `:5000` (every interface) or `unix:/path[,mode=0660]`."""
    if text.startswith(_UNIX_PREFIX):
        return _unix_address(text.removeprefix(_UNIX_PREFIX))
    match = _TCP.fullmatch(text)
    if match is None:
        raise _bad_address(text, "")
    port = int(match["port"])
    if port > _MAX_PORT:
        raise _bad_address(text, f"; ports end at {_MAX_PORT}")
    if match["v6"] is not None:
        return TcpAddress(_ipv6(text, match["v6"]), port)
    if ":" in match["name"]:
        raise _bad_address(text, "; write an IPv6 address in brackets")
    if match["name"] and not _HOST_NAME.fullmatch(match["name"]):
        raise _bad_address(text, "")
    return TcpAddress(match["name"], port)


def _unix_address(text: str) -> UnixAddress:
    path, comma, mode = text.partition(_UNIX_MODE)
    if not comma:
        return UnixAddress(parse_path(path))
    if not _MODE.fullmatch(mode):
        raise ConfigError(f"{mode!r} is not the mode of a file; write for example unix:/run/registry.sock,mode=0660")
    return UnixAddress(parse_path(path), int(mode, 8))


def _ipv6(text: str, host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise _bad_address(text, f"; {host!r} is not an IPv6 address") from None


def _bad_address(text: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is not an address{reason}; write host:port, for example 127.0.0.1:5000, [::1]:5000, :5000 "
        "or unix:/run/registry.sock"
    )


def parse_external_url(text: str) -> str:
    """Return the URL of a host, without a slash at its end: for clients, a registry is a host without a path."""
    match = _URL.fullmatch(text)
    port = int(match[3][1:]) if match and match[3] else 1
    if match is None or not 0 < port <= _MAX_PORT:
        raise ConfigError(
            f"{text!r} is not the URL of a host; write for example https://registry.example.com, "
            "without a user, a path or a query"
        )
    if match[2].startswith("["):
        _ipv6(text, match[2].strip("[]"))
    return text.removesuffix("/")


def parse_secret(text: str) -> Secret:
    """Return a secret that is long enough; the error does not show it."""
    if len(text) < MIN_SECRET:
        raise ConfigError(f"a secret has at least {MIN_SECRET} characters; make one with 'openssl rand -hex 32'")
    return Secret(text)


def parse_token_timeout(text: str) -> int:
    """Return the life of a token in seconds: at most a day, and no less than clients understand."""
    seconds = parse_duration(text)
    if seconds > _MAX_TOKEN_TIMEOUT:
        raise ConfigError(f"{text!r} is too long for a token that cannot be called back; write at most 24h")
    return max(MIN_TOKEN_TIMEOUT, round(seconds))


def token_timeout_warning(text: str) -> str | None:
    """Return a warning if tokens will live longer than the text says."""
    if parse_duration(text) >= MIN_TOKEN_TIMEOUT:
        return None
    return f"is {text}, but clients take anything shorter for {MIN_TOKEN_TIMEOUT} seconds; that is what is used"


def parse_proxy(text: str) -> TrustedProxy:
    """Return a network, an address as the network that holds only it, or `unix`."""
    if text == "unix":
        return "unix"
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        whole = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(
            f"{text!r} is not a network; write for example 10.0.0.0/8, 192.0.2.7, fd00::/8, or unix"
        ) from None
    raise ConfigError(f"{text!r} is an address inside a network; write {whole} for the network")


def nearest(name: str, known: Collection[str]) -> str:
    """Return `; did you mean …?`, or the list of known names if none is similar."""
    near = difflib.get_close_matches(name, known, 1)
    if not near:
        near = [word for word in known if word.lower() == name.lower()]
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(sorted(known))}"


def word_parser(words: Iterable[Word]) -> Callable[[str], Word]:
    """Return a parser of one of `words`."""
    known = {str(each): each for each in words}

    def parse(text: str) -> Word:
        if text not in known:
            raise ConfigError(f"{text!r} is not accepted{nearest(text, known)}")
        return known[text]

    return parse
