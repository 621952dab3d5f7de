"""Users and groups that documents name must exist, as far as that can be known."""

import pytest

from simple_registry.access.roles import User
from simple_registry.config.documents import read_documents_below
from simple_registry.config.kinds import KINDS
from simple_registry.config.subjects import KnownUsers, read_subjects
from simple_registry.config.values import ConfigError

KNOWN = KnownUsers({"bob": User("bob")}, ("ci:",))


def read(directory, subjects):
    text = f"kind: TagProtection\nmetadata: {{name: a}}\nspec:\n  scopes: [a]\n  except: {subjects}\n"
    (directory / "a.yaml").write_text(text)
    (document,) = read_documents_below([directory], KINDS).of("TagProtection")
    return read_subjects(document, "except", KINDS["TagProtection"].read(document)["except"], KNOWN)


def test_users_and_groups_are_told_apart(tmp_path):
    subjects = "[{kind: User, name: bob}, {kind: User, name: 'ci:1'}, {kind: Group, name: bob}]"
    assert read(tmp_path, subjects) == (frozenset({"bob", "ci:1"}), frozenset({"bob"}))


def test_an_unknown_user_is_refused_with_its_place(tmp_path):
    with pytest.raises(ConfigError, match=r"a.yaml:5: .*except\[1\].name names no User: 'bop'; did you mean 'bob'"):
        read(tmp_path, "[{kind: User, name: bob}, {kind: User, name: bop}]")
