"""zot's `config.json`: settings, users and groups, and what is remarked upon."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from simple_registry.access.permission import Resource
from simple_registry.config.documents import Place
from simple_registry.config.foreign.leaves import Leaf, Leaves
from simple_registry.config.foreign.zot import REMARKS, translate_zot
from simple_registry.config.settings import LogLevel
from simple_registry.config.values import TcpAddress
from support.importing import Imported

COMPLETE = {
    "distSpecVersion": "1.1.1",
    "storage": {
        "rootDirectory": "/var/lib/zot",
        "gc": True,
        "gcDelay": "2h",
        "gcInterval": "30m",
        "gcTimeWindow": "01:00-05:00",
        "dedupe": True,
    },
    "http": {
        "address": "0.0.0.0",
        "port": "8443",
        "externalUrl": "https://zot.example",
        "realm": "zot",
        "tls": {"cert": "/etc/cert.pem", "key": "/etc/key.pem", "cacert": "/etc/ca.pem"},
        "auth": {"htpasswd": {"path": "/etc/zot/htpasswd"}, "failDelay": 5, "ldap": {"address": "ldap.example"}},
        "accessControl": {
            "groups": {"g": {"users": ["alice", "dora"]}},
            "metrics": {"users": ["alice"]},
            "repositories": {"**": {"policies": [{"groups": ["g"], "actions": ["read"]}]}},
        },
    },
    "log": {"level": "warn", "output": "/var/log/zot.log", "audit": "/var/log/audit.log"},
    "extensions": {"scrub": {"enable": True, "interval": "24h"}, "ui": {"enable": False}, "sync": {"enable": True}},
}


def test_settings_are_taken(tmp_path):
    found = Imported(tmp_path, COMPLETE).settings
    assert found.addr == (TcpAddress("0.0.0.0", 8443),)
    assert found.web.external_url == "https://zot.example"
    assert (str(found.tls.certificate), str(found.tls.key)) == ("/etc/cert.pem", "/etc/key.pem")
    assert (found.garbage_collection.grace, found.garbage_collection.interval) == (7200, 1800)
    assert str(found.garbage_collection.window) == "01:00-05:00"
    assert found.scrub.period == 24 * 3600
    assert not found.web.ui
    assert found.log_level is LogLevel.WARNING
    assert str(found.audit) == "/var/log/audit.log"


def test_the_rest_has_remarks(tmp_path):
    assert Imported(tmp_path, COMPLETE).remarks.keys() == {
        "distSpecVersion",
        *(f"storage.{key}" for key in ("rootDirectory", "gc", "dedupe")),
        *(
            f"http.{key}"
            for key in ("realm", "tls.cacert", "auth.htpasswd.path", "auth.failDelay", "auth.ldap.address")
        ),
        "log.output",
        *(f"extensions.{key}" for key in ("scrub.enable", "sync.enable")),
    }


def test_users_have_the_groups_of_the_file(tmp_path):
    users = Imported(tmp_path, COMPLETE, users=["alice", "bob"]).rules.users
    assert {name: (user.groups, bool(user.password_hash)) for name, user in users.items()} == {
        "alice": ({"authenticated", "g"}, True),
        "bob": ({"authenticated"}, True),
        "dora": ({"authenticated", "g"}, False),
    }


def test_metrics_are_for_those_that_are_named(tmp_path):
    imported = Imported(tmp_path, COMPLETE, users=["alice", "bob"])
    assert imported.may("alice", "GET", "", Resource.METRICS)
    assert not imported.may("bob", "GET", "", Resource.METRICS)


def test_the_defaults_of_the_address_are_those_of_zot(tmp_path):
    assert Imported(tmp_path, {"distSpecVersion": "1.1.1"}).settings.addr == (TcpAddress("127.0.0.1", 8080),)


@pytest.mark.parametrize(("host", "listening"), [("", TcpAddress("", 8080)), ("::1", TcpAddress("::1", 8080))])
def test_any_address_is_taken(tmp_path, host, listening):
    assert Imported(tmp_path, {"http": {"port": "8080", "address": host}}).settings.addr == (listening,)


def test_without_authentication_everything_is_open(tmp_path):
    imported = Imported(tmp_path, {"distSpecVersion": "1.1.1"})
    for verb in ("GET", "PUT", "DELETE"):
        assert imported.may(None, verb, "app")
    assert imported.may_move(None, "app")


def test_keys_may_be_written_in_any_case(tmp_path):
    imported = Imported(tmp_path, {"DISTSPECVERSION": "1", "HTTP": {"Port": "1234"}})
    assert imported.settings.addr[0].port == 1234
    assert imported.remarks.keys() == {"DISTSPECVERSION"}


KEYS = sorted({key for path in REMARKS for key in path} | {"repositories", "enable", "address", "level", "users", "0"})
trees = st.dictionaries(
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=5).map(tuple),
    st.sampled_from(["", "true", "none", ":1", "1h", "info", "a:b", "https://a.example", "\n"]),
    max_size=20,
)


@given(trees)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_dropped_in_silence(texts):
    leaves = Leaves({path: Leaf(path, text, Place("f", 1)) for path, text in texts.items()})
    translation = translate_zot(leaves, None)
    assert leaves.became.keys() | leaves.remarks.keys() == set(leaves.found.values())
    for made in translation.documents:
        assert yaml.safe_load(made.yaml)["kind"] == made.kind
