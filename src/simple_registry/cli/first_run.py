"""The first start of a registry that nobody configured: an administrator with a password that is shown once.

Only the hash is kept, in `<datadir>/admin.hash`, for its owner only. Later starts use it and say nothing. Who deletes
the file is given a new password at the next start. As soon as a document names a user, this administrator is none.
"""

import os
import secrets
import string
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from simple_registry.access.passwords import hash_password, is_password_hash
from simple_registry.config.administrator import DEFAULT_NAME
from simple_registry.config.load import load_access
from simple_registry.config.settings import Administrator, Secret, Settings
from simple_registry.config.values import ConfigError

FILE_NAME = "admin.hash"
# 119 bits, in characters that a double click selects and that are never taken for an option.
_LENGTH = 20
_ALPHABET = string.ascii_letters + string.digits


def has_users(settings: Settings) -> bool:
    """Return whether anybody at all is configured to log in."""
    rules = load_access(settings.config_dirs, settings.administrator)
    return bool(rules.users or rules.issuers)


def with_administrator(settings: Settings, data_dir: Path, url: str, show: TextIO) -> Settings:
    """Return `settings` with a user in it: who is configured, or else the administrator kept in `data_dir`.

    When there is none yet, one is made, and `show` is told how to use it at `url`.

    Raises:
        ConfigError: `admin.hash` cannot be read or written, or is no hash; or the documents do not load.

    """
    if has_users(settings):
        return settings
    path = data_dir / FILE_NAME
    known = _kept_hash(path)
    if known is None:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        known = hash_password(password)
        _keep(path, known)
        show.write(_welcome(password, url))
        show.flush()
    return replace(settings, administrator=Administrator(DEFAULT_NAME, Secret(known), provisional=True))


def _kept_hash(path: Path) -> str | None:
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the administrator's hash {path}: {error}") from error
    if not is_password_hash(text):
        raise ConfigError(
            f"{path} holds no bcrypt hash; delete it to be given a new password, "
            "or write one into it that 'simple-registry genhash' made"
        )
    return text


def _keep(path: Path, password_hash: str) -> None:
    try:
        _replace_durably(path, password_hash + "\n")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def _welcome(password: str, url: str) -> str:
    host = url.partition("://")[2]
    if not host:  # a unix socket: whoever stands in front of it knows the name
        host = "REGISTRY"
    return f"""
  Welcome to Simple Registry. No user is configured, so an administrator was created:

      user      {DEFAULT_NAME}
      password  {password}

  This is the only time the password is shown; only its hash is kept ({FILE_NAME} in the data directory).
  Log in, then push an image:

      docker login -u {DEFAULT_NAME} {host}
      docker tag busybox {host}/library/busybox
      docker push {host}/library/busybox

"""


def _replace_durably(path: Path, text: str) -> None:
    """Write `text` to `path`, readable by its owner only; after a power cut it is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
