"""The compose files, and what they give to Caddy and Prometheus, as these programs read them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.commands import built, installed, temporary_home
from harness import ROOT
from harness.gotools import COMPOSE_SPEC

pytestmark = pytest.mark.installation

COMPOSE = ROOT / "packaging/compose"


@pytest.fixture
def home():
    with temporary_home() as folder:
        yield folder


@pytest.fixture
def load(home):
    """Return what reads compose files as docker compose does, with its reader, and prints the result."""
    return replace(built(COMPOSE_SPEC, home, "--format=json"), home=COMPOSE)


@pytest.mark.parametrize("others", [[], ["caddy"], ["monitoring"], ["caddy", "monitoring"]])
def test_compose_reads_the_files(load, others):
    words = [f"{name}.yaml" for name in ("compose", *others)]
    model = json.loads(load("--no-interpolation", *words))
    services = {"registry"} | ({"caddy"} if "caddy" in others else set())
    assert model["services"].keys() == services | ({"prometheus", "grafana"} if "monitoring" in others else set())
    mounted = [volume for service in model["services"].values() for volume in service["volumes"]]
    assert [each["source"] for each in mounted if each["type"] == "bind" and not Path(each["source"]).exists()] == []
    build = model["services"]["registry"]["build"]
    assert Path(build["context"], build["dockerfile"]).is_file()
    assert model["services"]["registry"]["ports"][0]["host_ip"] == "127.0.0.1"


@pytest.mark.parametrize(("name", "variable"), [("caddy", "REGISTRY_HOST"), ("monitoring", "GRAFANA_PASSWORD")])
def test_what_must_be_given_is_named(load, name, variable):
    assert variable in load.refused("compose.yaml", f"{name}.yaml")


def test_caddy_takes_its_file(home):
    caddy = installed("caddy", home).with_environment(REGISTRY_HOST="registry.example.org")
    caddy("validate", "--adapter", "caddyfile", "--config", COMPOSE / "caddy/Caddyfile")


def test_prometheus_takes_its_file(home):
    installed("promtool", home)("check", "config", COMPOSE / "monitoring/prometheus.yml")


def test_prometheus_reads_every_expression_of_the_dashboard(home):
    dashboard = json.loads((ROOT / "packaging/grafana/simple-registry.json").read_text("utf-8"))
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    queries = [each["expr"] for each in (*targets, *dashboard["annotations"]["list"])]
    rules = [
        {"record": f"query:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$job", ".+")}
        for number, query in enumerate(queries)
    ]
    (home / "rules.json").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    assert f"{len(rules)} rules found" in installed("promtool", home)("check", "rules", home / "rules.json")
