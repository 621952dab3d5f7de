"""The entries of the menu."""

import pytest

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_limit
from simple_registry.ui.navigation import ENTRIES, entries_for, is_administrator
from support.access import READWRITE, binding, rules

RULES = rules(binding("ada", READWRITE, "^team/"), users=["ada"])


def caller(name, *limits):
    return Caller(Identity(name), Proof(Source.PASSWORD), limits)


def test_only_the_signed_in_have_a_menu():
    assert entries_for(None, RULES) == []
    assert list(entries_for(caller("admin"), RULES)) == list(ENTRIES)
    assert [entry.key for entry in entries_for(caller("ada"), RULES)] == ["menu.repositories", "menu.tokens"]
    limited = caller("admin", parse_limit(["repository:^a$:pull"]))
    assert [entry.key for entry in entries_for(limited, RULES)] == ["menu.repositories", "menu.tokens"]


@pytest.mark.parametrize(
    ("asking", "answer"),
    [(caller("admin"), True), (caller("ada"), False), (caller("admin", parse_limit(["registry:catalog:*"])), False)],
)
def test_an_administrator_has_every_permission_without_limits(asking, answer):
    assert is_administrator(asking, RULES) is answer
