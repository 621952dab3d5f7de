"""Documents in the making: settings that are accepted, users with and without passwords."""

import pytest
import yaml

from simple_registry.config.documents import Place
from simple_registry.config.foreign.leaves import Leaf, Leaves
from simple_registry.config.foreign.passwords import Password
from simple_registry.config.foreign.translation import ANONYMOUS, Made, SettingsMade, Subject, binding, role, user

LEAF = Leaf(("http", "addr"), "text", Place("config.yml", 3))


@pytest.fixture
def settings():
    return SettingsMade(Leaves({("http", "addr"): LEAF}))


def test_a_setting_is_put_where_documents_have_it(settings):
    settings.put("web.addr", ":5000", LEAF, None)
    settings.put("storage.readOnly", "true")
    (made,) = settings.document()
    assert made.spec == {"web": {"addr": ":5000"}, "storage": {"readOnly": True}}
    assert made.comments == ("web.addr: http.addr (config.yml:3)", "storage.readOnly: the default there")
    assert settings.leaves.became == {LEAF: "web.addr"}


def test_a_value_that_is_not_accepted_gets_a_remark(settings):
    settings.put("web.addr", "registry.example:http", LEAF)
    assert not list(settings.document())
    assert settings.leaves.remarks[LEAF].startswith(
        "cannot be web.addr here: 'registry.example:http' is not an address"
    )


def test_a_value_that_cannot_be_converted_gets_a_remark(settings):
    settings.put("scrub.period", "x", LEAF, convert=lambda text: str(int(text)))
    assert "cannot be scrub.period here" in settings.leaves.remarks[LEAF]


def test_a_relative_path_is_pointed_out(settings):
    settings.put("web.certfile", "tls/cert.pem", LEAF)
    settings.put("web.keyfile", "/etc/key.pem", LEAF)
    (made,) = settings.document()
    assert [comment.endswith("relative to this file") for comment in made.comments] == [True, False]


def test_documents_are_yaml():
    text = Made("User", "ann: #1", {"groups": ["a", "on", "1"]}, ("a comment",)).yaml
    assert yaml.safe_load(text) == {
        "kind": "User",
        "metadata": {"name": "ann: #1"},
        "spec": {"groups": ["a", "on", "1"]},
    }


def test_a_user_without_a_usable_password_says_so():
    assert user("a", [], Password("a", "$2y$…")).spec == {"passwordHash": "$2y$…"}
    assert user("a", ["b"], Password("a", None, "file:1: MD5")) == Made(
        "User", "a", {"groups": ["b"]}, ("file:1: MD5",)
    )
    assert user("a", [], None, "named there").comments == ("named there",)


def test_a_binding_names_users_and_groups():
    made = binding("b", "r", "^a$", [ANONYMOUS, Subject("Group", "g")], ("", "why"))
    assert made.spec == {
        "subjects": [{"kind": "User", "name": "anonymous"}, {"kind": "Group", "name": "g"}],
        "roleRef": {"name": "r"},
        "scopes": ["^a$"],
    }
    assert made.comments == ("why",)
    assert role("r", ["blobs"], ("pull",)).spec == {"resources": ["blobs"], "verbs": ["pull"]}
