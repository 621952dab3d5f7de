"""The actor of commands; `test_token.py` and `test_undo.py` look at their lines in the audit log."""

import os
import pwd

from simple_registry.cli.command_audit import operator
from simple_registry.storage.records import Actor


def test_a_command_acts_as_operator_with_the_name_of_the_system_user():
    assert operator() == Actor("operator", f"command {pwd.getpwuid(os.geteuid()).pw_name}")


def test_a_system_user_without_a_name_is_named_by_number(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    assert operator().credential == "command 4000000000"
