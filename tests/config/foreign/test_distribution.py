"""`config.yml` of docker-registry and distribution: what becomes settings and users, and what is remarked upon."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from simple_registry.access.permission import Resource
from simple_registry.config.documents import Place
from simple_registry.config.foreign.distribution import REMARKS, translate_distribution
from simple_registry.config.foreign.leaves import Leaf, Leaves
from simple_registry.config.settings import AllowMissing, LogFormat, LogLevel
from simple_registry.config.values import TcpAddress
from support.importing import Imported

DEBIAN = """\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
auth:
  htpasswd:
    realm: basic-realm
    path: /etc/docker/registry
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""


def test_every_user_may_do_everything(tmp_path):
    imported = Imported(tmp_path, DEBIAN, users=["alice", "bob"])
    for verb in ("GET", "PUT", "DELETE"):
        assert imported.may("alice", verb, "team/app")
        assert imported.may("bob", verb, "team/app", Resource.BLOBS)
    assert imported.may("alice", "GET", "", Resource.CATALOG)
    assert not imported.may("alice", "run", "", Resource.MAINTENANCE)
    assert not imported.may(None, "GET", "team/app")


@pytest.mark.parametrize("enabled", ["{}", "{enabled: false}"])
def test_nothing_can_be_deleted_unless_it_is_enabled(tmp_path, enabled):
    imported = Imported(
        tmp_path, f"version: 0.1\nstorage: {{delete: {enabled}}}\nauth: {{htpasswd: {{}}}}\n", users=["a"]
    )
    assert imported.may("a", "PUT", "app")
    assert not imported.may("a", "DELETE", "app")


@pytest.mark.parametrize("auth", ["", "auth: none\n"])
def test_without_auth_everything_is_open(tmp_path, auth):
    imported = Imported(tmp_path, f"version: 0.1\nstorage: {{delete: {{enabled: true}}}}\n{auth}")
    for verb in ("GET", "PUT", "DELETE"):
        assert imported.may(None, verb, "app")


@pytest.mark.parametrize("auth", ["token: {realm: r, service: s, issuer: i, jwks: j}", "silly: {realm: r, service: s}"])
def test_another_way_to_log_in_lets_nobody_in(tmp_path, auth):
    imported = Imported(tmp_path, f"version: 0.1\nauth: {{{auth}}}\n")
    assert not imported.rules.users
    assert len([name for name in imported.remarks if name.startswith("auth.")]) == auth.count(":") - 1


def test_settings_are_taken(tmp_path):
    text = """\
version: 0.1
log: {level: warn, formatter: logstash}
http:
  addr: 127.0.0.1:5443
  host: https://registry.example/
  tls: {certificate: /etc/cert.pem, key: /etc/key.pem}
  debug: {addr: 127.0.0.1:5001, prometheus: {enabled: true, path: /metrics}}
storage:
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}
    readonly: {enabled: true}
validation: {manifests: {indexes: {platforms: none}}}
"""
    imported = Imported(tmp_path, text)
    found = imported.settings
    assert found.addr == (TcpAddress("127.0.0.1", 5443),)
    assert found.web.external_url == "https://registry.example"
    assert (str(found.tls.certificate), str(found.tls.key)) == ("/etc/cert.pem", "/etc/key.pem")
    assert found.metrics_addr == TcpAddress("127.0.0.1", 5001)
    assert (found.log_level, found.log_format) == (LogLevel.WARNING, LogFormat.JSON)
    assert found.limits.session_life == 168 * 3600
    assert found.read_only
    assert found.allow_missing is AllowMissing.INDEXES
    assert imported.remarks.keys() == {
        "version",
        "http.debug.prometheus.path",
        "storage.maintenance.uploadpurging.interval",
        "storage.maintenance.uploadpurging.dryrun",
    }


def test_a_unix_socket_is_taken(tmp_path):
    imported = Imported(tmp_path, "version: 0.1\nhttp: {addr: /run/registry.sock, net: unix}\n")
    assert str(imported.settings.addr[0].path) == "/run/registry.sock"


def test_purging_that_is_off_changes_nothing(tmp_path):
    text = "version: 0.1\nstorage: {maintenance: {uploadpurging: {enabled: false, age: 1h}}}\n"
    assert "limits.sessionLife" not in Imported(tmp_path, text).became.values()


def test_variables_have_the_last_word(tmp_path):
    variables = "REGISTRY_HTTP_ADDR=:5443\nREGISTRY_STORAGE_DELETE_ENABLED=true\nREGISTRY_PROXY_REMOTEURL=https://x\n"
    imported = Imported(
        tmp_path, DEBIAN.replace("enabled: true", "enabled: false", 1), users=["a"], variables=variables
    )
    assert imported.settings.addr[0].port == 5443
    assert imported.may("a", "DELETE", "app")
    assert imported.remarks["http.addr"] == "replaced by the variable REGISTRY_HTTP_ADDR"
    assert "keep that one running" in imported.remarks["REGISTRY_PROXY_REMOTEURL"]


def test_variables_alone_are_those_of_the_image(tmp_path):
    imported = Imported(tmp_path, "", variables="REGISTRY_STORAGE_DELETE_ENABLED=true\n")
    assert imported.may(None, "DELETE", "app")


def test_variables_of_containers_are_enough(tmp_path):
    variables = "REGISTRY_AUTH=htpasswd\nREGISTRY_AUTH_HTPASSWD_REALM=Registry\nREGISTRY_AUTH_HTPASSWD_PATH=/auth/x\n"
    imported = Imported(tmp_path, "", variables=f"{variables}REGISTRY_STORAGE=filesystem\n", users=["alice"])
    assert imported.may("alice", "PUT", "app")
    assert not imported.may(None, "GET", "app")
    assert imported.became.keys() >= {"REGISTRY_AUTH", "REGISTRY_AUTH_HTPASSWD_PATH"}
    assert not any("not a key that is known" in remark for remark in imported.remarks.values())


def test_no_secret_is_repeated(tmp_path):
    text = "version: 0.1\nhttp: {secret: hush-1}\nstorage: {s3: {secretkey: hush-2}}\nredis: {password: hush-3}\n"
    imported = Imported(tmp_path, text)
    said = "".join(imported.remarks.values()) + "".join(made.yaml for made in imported.translation.documents)
    assert "hush" not in said
    assert {"http.secret", "storage.s3.secretkey", "redis.password"} <= imported.remarks.keys()


KEYS = sorted({key for path in REMARKS for key in path} | {"enabled", "addr", "level", "x", "0"})
trees = st.dictionaries(
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=4).map(tuple),
    st.sampled_from(["", "true", "none", ":1", "1h", "info", "unix", "https://a.example", "\n"]),
    max_size=20,
)


@given(trees)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_dropped_in_silence(texts):
    leaves = Leaves({path: Leaf(path, text, Place("f", 1)) for path, text in texts.items()})
    translation = translate_distribution(leaves, None)
    assert leaves.became.keys() | leaves.remarks.keys() == set(leaves.found.values())
    for made in translation.documents:
        assert yaml.safe_load(made.yaml)["kind"] == made.kind
