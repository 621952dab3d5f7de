"""The administrator from options and variables: a user with all permissions, without any document."""

import re
from dataclasses import replace
from pathlib import Path

from simple_registry.access.passwords import PasswordInvalid, hash_password, is_password_hash
from simple_registry.config.configuration import Options
from simple_registry.config.settings import Administrator
from simple_registry.config.values import ConfigError, Secret, parse_path
from simple_registry.files import exposure

DEFAULT_NAME = "admin"
_LARGEST_FILE = 4096
_NAME = re.compile(r"[^:\x00-\x20\x7f-\xa0](?:[^:\x00-\x1f\x7f-\x9f]{0,126}[^:\x00-\x20\x7f-\xa0])?")


def parse_user_name(text: str) -> str:
    """Return the name of a user that logs in: no colon (Basic credentials end there), no control characters."""
    if text == "anonymous" or not _NAME.fullmatch(text):
        raise ConfigError(f"{text!r} is not a user name; it holds no colon, is not empty and is not 'anonymous'")
    return text


def read_password_file(path: Path) -> str:
    """Return the one line of a password file, without its newline."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = content.decode()
    except OSError as error:
        raise ConfigError(f"cannot read the password file {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the password file {path} is not UTF-8 text") from None
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        raise ConfigError(f"the password file {path} is empty; write the password or its hash on one line")
    if "\n" in line or len(content) > _LARGEST_FILE:
        raise ConfigError(f"the password file {path} holds more than one line")
    return line


def administrator(name: str, password: str) -> Administrator:
    """Return the administrator `name`; `password` is a bcrypt hash when it begins with `$2`.

    Raises: ConfigError when it begins like a hash and is not one, or cannot be hashed.
    """
    if not password.startswith("$2"):
        try:
            return Administrator(name, Secret(hash_password(password)), fresh=True)
        except PasswordInvalid as error:
            raise ConfigError(f"the administrator's password cannot be used: {error}") from None
    if not is_password_hash(password):
        raise ConfigError(
            "the administrator's password begins with $2 like a bcrypt hash, but is not a whole one; "
            "make one with 'simple-registry genhash'"
        )
    return Administrator(name, Secret(password))


def given_administrator(flags: Options, environment: Options) -> Administrator | None:
    """Return the administrator that options name, or `None`.

    Raises: ConfigError when an option is wrong, or the password file is.
    """
    password = _password(flags) or _password(environment)
    name = flags.get("adminname") or environment.get("adminname")
    if password is None:
        if name is not None:
            raise ConfigError(f"{name.origin}: the administrator needs a password; give it with -adminpwd-file")
        return None
    try:
        named = parse_user_name(name.text) if name else DEFAULT_NAME
    except ConfigError as error:
        raise error.at(name.origin if name else "-adminname") from None
    text, warnings = password
    return replace(administrator(named, text.reveal()), warnings=warnings)


def _password(options: Options) -> tuple[Secret, tuple[str, ...]] | None:
    """Return the password, or its hash, of one layer, with warnings about its file."""
    text, file = options.get("adminpwd"), options.get("adminpwd-file")
    if text and file:
        raise ConfigError(f"{text.origin} and {file.origin} exclude each other; keep the file, it is not visible")
    if file:
        path = parse_path(file.text)
        return Secret(read_password_file(path)), exposure(path, "the password file")
    return (Secret(text.text), ()) if text else None
