"""Password files of Apache's `htpasswd`: users and their hashes.

Only bcrypt is accepted here, as in docker-registry and distribution. Any other hash is of a password that has to be set
again; its user is kept, without a password.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from simple_registry.access.passwords import is_password_hash
from simple_registry.config.administrator import parse_user_name
from simple_registry.config.documents import Place, read_file
from simple_registry.config.values import ConfigError

_KINDS = {
    "$2": "a malformed bcrypt hash",
    "$apr1$": "an MD5 hash (apr1)",
    "$1$": "an MD5 hash",
    "$5$": "a SHA-256 hash (crypt)",
    "$6$": "a SHA-512 hash (crypt)",
    "{SHA}": "a SHA-1 hash",
}
_OTHER = "a hash of the old crypt, or a password in clear"


@dataclass(frozen=True, slots=True)
class Password:
    """A line of a file: its user, and the hash if it is bcrypt; otherwise the remark says what it is."""

    user: str
    hash: str | None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """The users of a file by name, and a remark for each line that is none of them."""

    users: Mapping[str, Password]
    remarks: tuple[str, ...]


def read_passwords(file: Path) -> PasswordFile:
    """Return the users of a file.

    Raises: ConfigError when it cannot be read or is not a password file.
    """
    try:
        text = read_file(file, regular=False).decode()
    except UnicodeDecodeError:
        raise ConfigError(f"the password file {file} is not UTF-8 text") from None
    users: dict[str, Password] = {}
    remarks = []
    for place, line in _lines(file, text):
        user, colon, given = line.partition(":")
        if not colon:
            raise ConfigError(f"{place}: not a line of the form user:hash")
        if user in users:
            remarks.append(f"{place}: another line of the user {user!r}, which replaces the one above")
        try:
            users[parse_user_name(user)] = _password(user, given, place)
        except ConfigError as error:
            remarks.append(f"{place}: {error}; left out")
    return PasswordFile(users, tuple(remarks))


def _lines(file: Path, text: str) -> Iterator[tuple[Place, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield Place(file, number), stripped


def _password(user: str, given: str, place: Place) -> Password:
    if is_password_hash(given):
        return Password(user, given)
    kind = next((kind for prefix, kind in _KINDS.items() if given.startswith(prefix)), _OTHER)
    return Password(
        user,
        None,
        f"{place}: {kind}, not bcrypt: no login by password; write passwordHash, made by 'simple-registry genhash'",
    )
