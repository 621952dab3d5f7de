"""Changes made by commands: their actor, and their lines in the audit log of the server."""

import os
import pwd
from collections.abc import Iterable, Mapping
from typing import TextIO

from simple_registry.config.settings import Settings
from simple_registry.config.values import StandardOutput
from simple_registry.server.audit_file import AuditFile
from simple_registry.storage.records import Actor

OPERATOR = "operator"
"""The identity of commands in the journal."""


def operator() -> Actor:
    """Return the actor of what a command changes."""
    return Actor(OPERATOR, f"command {_system_user()}")


def record_changes(settings: Settings, changes: Iterable[Mapping[str, object]], stderr: TextIO) -> None:
    """Append a line for each change to the audit log of the server, if that is a file."""
    if isinstance(settings.audit, StandardOutput):
        stderr.write("warning: the audit log is the server's standard output; this change is not in it\n")
    elif settings.audit is not None:
        file = AuditFile(settings.audit)
        for change in changes:
            event, *facts = change.items()
            proved = {"decision": "allowed", "proof": "command", "credential": _system_user()}
            file.write({**dict([event]), **proved, **dict(facts)})
        file.close()


def _system_user() -> str:
    """Return the name of the operating system's user that runs this, or its number."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
