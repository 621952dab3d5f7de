"""The numbers of the application's parts are in the metrics, read through the front."""

import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.quotas import Per, Quota
from simple_registry.access.rules import AccessRules, administrator_binding
from simple_registry.access.scopes import ScopePattern
from simple_registry.application import build
from simple_registry.authentication.login_memory import LoginMemory
from simple_registry.backends import local
from simple_registry.config.load import Configured, follow_documents
from simple_registry.config.settings import Administrator, Settings
from simple_registry.config.values import Secret
from simple_registry.http.routes import ROUTES
from simple_registry.metrics import families
from simple_registry.metrics.families import FAMILIES, SAMPLED
from simple_registry.metrics.processes import Processes
from simple_registry.metrics_wiring import LAYOUT, Decisions
from simple_registry.operations.collection import Swept
from simple_registry.operations.collector import Wanted
from support import issuing
from support.access import PASSWORD_HASH, binding, rules, static_token
from support.documents import push_image
from support.exposition import parse, value
from support.front import Front
from support.stores import behind, in_memory
from support.time import SettableClock

WATCHER = ("metrics", "GET")
ISSUER = """
kind: TokenIssuer
metadata: {name: ci}
spec: {issuer: "https://ci.example", audience: registry, keys: {jwksFile: keys.json}}
---
kind: Quota
metadata: {name: each}
spec: {limits: {bytes: 20GB}}
"""


def scraped(front, **how):
    reply = front.get("/metrics", **how)
    assert reply.status == 200, reply
    assert reply.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    return parse(reply.body.decode())


@pytest.fixture
def make_front():
    """Make applications over stores in memory."""
    with ExitStack() as resources:
        clock = SettableClock()
        yield lambda **how: resources.enter_context(Front(in_memory(clock), clock, **how))


@pytest.fixture
def served(tmp_path):
    """A registry as a worker builds it."""
    administrator = Administrator("admin", Secret(PASSWORD_HASH))
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "issuer.yaml").write_text(ISSUER)
    settings = Settings(
        data_dir=tmp_path / "data",
        administrator=administrator,
        audit=tmp_path / "audit",
        config_dirs=(tmp_path / "documents",),
    )
    claim = local.claim(settings.data_dir)
    configured = Configured(settings, follow_documents(settings.config_dirs, settings.administrator))
    processes = Processes(LAYOUT, 1)
    application = build(configured, 0, processes, LoginMemory())
    application.follow_certificate(lambda: 1_900_000_000.0, lambda: None)
    with Front(behind(application.services.stores), SettableClock(), settings) as front:
        front.application, front.processes = application, processes
        yield front
    claim.release()


def test_a_worker_exports_every_metric(served):
    push_image(served, "a", "v1")
    metrics = scraped(served)
    assert set(metrics) == {family.name for family in FAMILIES}
    assert {name for name, metric in metrics.items() if not metric.samples} == set()


def test_every_number_of_a_worker_is_copied_from_the_part_that_counts_it(served):
    row = served.processes.mine
    for at in range(len(row)):
        row[at] = -1.0
    measures, *_ = served.application.background
    measures.copy()
    parents = {
        "simple_registry_workers",
        "simple_registry_worker_deaths_total",
        "simple_registry_reloads_total",
        "simple_registry_reload_failed_time_seconds",
    }
    untouched = {family.name for family in SAMPLED for series in family.series if row[LAYOUT.at[family, series]] < 0}
    assert untouched == parents


def test_a_push_and_a_pull_are_counted_with_their_bytes(served):
    data = push_image(served, "team/app", "v1")
    before = scraped(served)
    for _ in range(3):
        assert served.get("/v2/team/app/manifests/v1").body == data
    assert served.head("/v2/team/app/manifests/v1").status == 200
    assert served.get("/v2/team/app/manifests/v2").status == 404
    after = scraped(served)

    def grew(name, suffix="", **labels):
        return value(after, name, suffix, **labels) - value(before, name, suffix, **labels)

    pulls = {"endpoint": "get_manifest", "method": "GET"}
    assert grew("simple_registry_requests_total", **pulls, status="200") == 3
    assert grew("simple_registry_requests_total", **pulls, status="404") == 1
    assert grew("simple_registry_requests_total", endpoint="get_manifest", method="HEAD", status="200") == 1
    assert grew("simple_registry_request_seconds", "_count", **pulls) == 4
    assert grew("simple_registry_sent_bytes_total", endpoint="get_manifest", method="HEAD") == 0
    assert grew("simple_registry_sent_bytes_total", **pulls) > 3 * len(data)
    assert value(before, "simple_registry_received_bytes_total", endpoint="put_manifest") == len(data)


def test_commits_and_caches_are_counted(served):
    push_image(served, "team/app", "v1")
    for _ in range(5):
        served.get("/v2/team/app/manifests/v1")
    metrics = scraped(served)
    assert value(metrics, "simple_registry_commit_changes", "_count") >= 2
    for cache in ("decisions", "logins", "manifests", "rows"):
        assert value(metrics, "simple_registry_cache_hits_total", cache=cache) >= 4, cache
        assert value(metrics, "simple_registry_cache_misses_total", cache=cache) >= 1, cache


def test_open_uploads_and_disk_space_are_exported(served):
    assert value(scraped(served), "simple_registry_uploads_open") == 0
    served.open_session("team/app")
    metrics = scraped(served)
    assert value(metrics, "simple_registry_uploads_open") == 1
    free, size = (value(metrics, f"simple_registry_disk_{what}_bytes") for what in ("free", "size"))
    assert 0 < free < size


def test_warnings_are_exported_with_their_beginning(make_front):
    front = make_front()
    name = "simple_registry_warning_time_seconds"
    assert value(scraped(front), name, about="rules") == 0
    front.access.stale = "broken"
    began = front.clock.now()
    assert value(scraped(front), name, about="rules") == began
    front.clock.advance(60)
    assert value(scraped(front), name, about="rules") == began
    assert value(scraped(front), name, about="certificate") == 0


def test_the_end_of_the_last_collection_is_exported(make_front):
    front = make_front()
    name = "simple_registry_collection_time_seconds"
    assert value(scraped(front), name) == 0
    front.run(front.services.registry.collector.run(Wanted(), Swept()))  # by an operator
    assert value(scraped(front), name) == 0
    front.run(front.services.garbage.collect())
    assert value(scraped(front), name) == front.clock.now()


def test_only_rejected_credentials_are_login_failures(make_front):
    front = make_front()
    front.get("/v2/", user=None)
    front.get("/v2/", password="wrong")
    front.get("/v2/", token="wrong")
    front.get("/v2/", headers={"authorization": "Basic ?"})
    front.post("/token", user=None, body=b"grant_type=password&username=admin&password=wrong")
    front.get("/v2/")
    metrics = scraped(front)
    assert value(metrics, "simple_registry_login_failures_total", credential="password") == 3
    assert value(metrics, "simple_registry_login_failures_total", credential="token") == 1


def test_paths_and_names_of_clients_are_in_no_label(make_front):
    front = make_front()
    for path in ("/secret", "/v2/secret/manifests/secret", "/v2/SECRET/tags/list"):
        front.get(path)
    front.request("SECRET", "/v2/")
    assert b"secret" not in front.get("/metrics").body.lower()


def test_metrics_require_a_permission(make_front):
    limited = static_token("limited", "watcher", scopes=["registry:metrics:*"])
    other = static_token("other", "watcher", scopes=["repository:.*:*", "registry:catalog:*"])
    access = rules(
        binding("watcher", WATCHER, "^$"),
        binding("reader", ("catalog blobs manifests tags referrers", "*"), "^.*$"),
        users=["watcher", "reader"],
        tokens=[limited, other],
    )
    front = make_front(rules=access)
    assert front.get("/metrics", user=None).status == 401
    assert front.get("/metrics", user="reader").status == 403
    assert front.get("/metrics", token="other").status == 401
    assert front.get("/v2/_catalog", user="watcher").status == 403
    for how in ({"user": "watcher"}, {"user": "admin"}, {"token": "limited"}):
        scraped(front, **how)
    assert front.head("/metrics", user="watcher").body == b""


def test_the_challenge_names_the_scope_of_metrics_and_a_token_for_it_reads_them(make_front):
    front = make_front(rules=rules(binding("watcher", WATCHER, "^$"), users={"watcher": "", "anonymous": ""}))
    challenge = front.get("/metrics", user=None).all("www-authenticate")[0]
    assert 'scope="registry:metrics:*"' in challenge
    token = front.get("/token?scope=registry:metrics:*", user="watcher").json
    assert token["scope"] == "registry:metrics:*"
    scraped(front, token=token["token"])
    assert front.get("/token?scope=registry:metrics:*", user="anonymous", password="").status == 401


def test_an_issuer_whose_keys_cannot_be_fetched_is_named(served, tmp_path):
    keys = tmp_path / "documents" / "keys.json"
    keys.write_bytes(issuing.jwks(issuing.jwk(issuing.RSA)))

    def seen():
        served.get("/v2/", token=issuing.token(iss="https://ci.example"))  # the keys are looked at
        stale = value(scraped(served), "simple_registry_issuer_keys_stale", issuer="ci")
        return served.get("/readyz", user=None).json["staleIssuers"], stale

    assert seen() == ([], 0)
    keys.unlink()
    deadline = time.monotonic() + 20
    while (found := seen()) != (["ci"], 1) and time.monotonic() < deadline:
        time.sleep(0.1)  # a file is looked at once a second, by the clock of the machine
    assert found == (["ci"], 1)


def test_endpoints_have_names_of_their_own():
    names = {endpoint.name: endpoint for route in ROUTES for endpoint in route.endpoints.values()}
    endpoints = {id(endpoint) for route in ROUTES for endpoint in route.endpoints.values()}
    assert len(names) == len(endpoints)


def test_the_count_of_decisions_survives_a_reload():
    def policy():
        return BindingPolicy([administrator_binding("admin")])

    current = AccessRules(policy=policy())
    decisions = Decisions(lambda: current.policy)
    identity = rules().identity("admin")
    asked = Permission("GET", Resource.BLOBS, "a")
    for _ in range(4):
        current.policy.decide(identity, asked)
    assert (decisions.hits, decisions.misses) == (3, 1)
    current = AccessRules(policy=policy())
    assert (decisions.hits, decisions.misses) == (3, 1)
    for _ in range(3):
        current.policy.decide(identity, asked)
    assert (decisions.hits, decisions.misses) == (5, 2)


def test_the_end_of_a_certificate_is_exported(served, make_front):
    name = families.CERTIFICATE_EXPIRY.name
    assert value(scraped(served), name) == 1_900_000_000
    assert scraped(make_front())[name].samples == {}


def test_what_is_held_is_exported(make_front):
    front = make_front()
    front.push_blob("a", bytes(10))
    front.push_blob("b", bytes(10))
    samples = scraped(front)
    assert value(samples, "simple_registry_held", what="repositories") == 2
    assert value(samples, "simple_registry_held", what="blobs") == 2
    assert value(samples, "simple_registry_held_bytes", what="counted") == 20
    assert value(samples, "simple_registry_held_bytes", what="shared") == 10
    assert value(samples, "simple_registry_stored_bytes", what="held") == 10


@pytest.mark.parametrize(
    ("per", "limit", "near"), [(Per.REPOSITORY, 11, 2), (Per.REPOSITORY, 12, 0), (Per.ALL, 22, 1), (Per.USER, 33, 1)]
)
def test_accounts_near_their_quota_are_counted(make_front, per, limit, near):
    front = make_front()
    for name in ("team/a", "team/b", "other"):
        front.push_blob(name, bytes(10))
    scopes = (ScopePattern("^team/"),)
    front.access.rules = replace(front.access.rules, quotas=(Quota("team", {"bytes": limit}, per, scopes),))
    assert value(scraped(front), "simple_registry_quota_accounts_near_limit", quota="team") == near
