"""The administrator of the first start, for a registry without configured users. Its password is shown once.

    no users ──► admin.hash is created, its password shown ──► later starts use it without output
                                                          └──► documents name users: it is removed permanently

Only the hash is stored, readable by its owner. If the file is deleted, the next start creates a new password. Once
documents have named a user or an issuer, the data directory never has such an administrator again, even if documents
are lost or incomplete.
"""

import logging
import secrets
import string
from pathlib import Path
from typing import TextIO

from simple_registry.access.passwords import hash_password, is_password_hash
from simple_registry.backends.local import remove_file, replace_file
from simple_registry.config.administrator import DEFAULT_NAME
from simple_registry.config.settings import Administrator
from simple_registry.config.values import ConfigError, Secret
from simple_registry.faults import StorageFault, StorageReadOnly

FILE_NAME = "admin.hash"
OVER_NAME = "first-start-over"
_OVER = """\
Documents have named users or issuers here. Without any, the registry does not start, unless -adminpwd-file names an
administrator. Remove this file to have one made at the next start, with a new password.
"""
# 119 bits, in characters that a double click selects and that are never taken for an option.
_LENGTH = 20
_ALPHABET = string.ascii_letters + string.digits

_log = logging.getLogger(__name__)


def first_administrator(data_dir: Path, url: str, show: TextIO) -> Administrator:
    """Return the administrator stored in `data_dir`, for a registry without other users.

    If there is none yet, create one and write its password to `show`, with instructions for `url`.

    Raises: ConfigError when `admin.hash` cannot be read or written, or holds no hash; or documents named users before.
    """
    if (data_dir / OVER_NAME).exists():
        raise ConfigError(
            "no document names a user or an issuer, as documents did before; bring them back below -cfgdir, "
            f"give -adminpwd-file, or remove {data_dir / OVER_NAME} to have an administrator made"
        )
    path = data_dir / FILE_NAME
    known = _kept_hash(path)
    if known is None:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        known = hash_password(password)
        _keep(path, known)
        show.write(_welcome(password, url))
        show.flush()
    return Administrator(DEFAULT_NAME, Secret(known), provisional=True)


def end_first_administrator(data_dir: Path) -> None:
    """Record that documents name users; never raises."""
    try:
        if not (data_dir / OVER_NAME).exists():
            replace_file(data_dir / OVER_NAME, _OVER)
        if remove_file(data_dir / FILE_NAME):
            _log.warning("documents name users; the administrator of the first start has ended")
    except StorageReadOnly:
        pass  # on a read-only disk the administrator can change nothing; the next writable start removes it
    except StorageFault as fault:
        _log.error("the administrator of the first start cannot be removed permanently: %s", fault)


def _kept_hash(path: Path) -> str | None:
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the administrator's hash {path}: {error}") from error
    if not is_password_hash(text):
        raise ConfigError(
            f"{path} holds no bcrypt hash; delete it to get a new password, "
            "or write a hash of 'simple-registry genhash' into it"
        )
    return text


def _keep(path: Path, password_hash: str) -> None:
    try:
        replace_file(path, password_hash + "\n")
    except StorageFault as fault:
        raise ConfigError(f"cannot write {path}: {fault}") from fault


def _welcome(password: str, url: str) -> str:
    host = url.partition("://")[2]
    if not host:  # a unix socket: only the proxy in front of it has a name
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
