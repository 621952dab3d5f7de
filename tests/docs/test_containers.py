"""The files for containers agree with the image and with the program, and the dashboard with the metrics."""

import json
import re

import pytest
import yaml

from simple_registry.cli.main import main
from simple_registry.cli.options import OPTIONS
from simple_registry.metrics.families import FAMILIES, Kind
from support.sources import ROOT

PACKAGING = ROOT / "packaging"
COMPOSE = PACKAGING / "compose"
CONTAINERFILE = (PACKAGING / "container/Containerfile").read_text("utf-8")
DOCUMENTS, DATA = "/etc/simple-registry", "/var/lib/simple-registry"
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus adds, or that belong to the series of a histogram."""


def compose(*names):
    """Return the services of compose files, merged as far as this is needed here."""
    services = {}
    for name in names:
        for service, fields in yaml.safe_load((COMPOSE / f"{name}.yaml").read_text("utf-8"))["services"].items():
            merged = services.setdefault(service, {})
            merged |= fields | {"volumes": [*merged.get("volumes", []), *fields.get("volumes", [])]}
    return services


def mounts(service):
    """Return the place of each directory or file of the repository in a container."""
    pairs = (volume.split(":")[:2] for volume in service["volumes"])
    return {place: COMPOSE / source for source, place in pairs if source.startswith(".")}


def test_the_image_and_its_containers_use_the_same_paths():
    environment = dict(re.findall(r"(SIMPLE_REGISTRY_\w+)=(\S+)", CONTAINERFILE))
    assert environment == {"SIMPLE_REGISTRY_CFGDIR": DOCUMENTS, "SIMPLE_REGISTRY_DATADIR": DATA}
    assert f"VOLUME {DATA}\n" in CONTAINERFILE
    registry = compose("compose")["registry"]
    assert f"data:{DATA}" in registry["volumes"]
    assert registry["ports"] == ["127.0.0.1:5000:5000"]
    assert DOCUMENTS in mounts(registry)
    quadlet = (PACKAGING / "systemd/simple-registry.container").read_text("utf-8")
    assert f"\nVolume=simple-registry:{DATA}\n" in quadlet


@pytest.mark.parametrize("names", [["compose"], ["compose", "caddy"], ["compose", "monitoring"]])
def test_everything_that_is_mounted_is_in_the_repository(names):
    for service in compose(*names).values():
        assert [path for path in mounts(service).values() if not path.resolve().exists()] == []


@pytest.mark.parametrize("name", ["caddy", "monitoring"])
def test_the_registry_takes_the_variables_and_documents(name, monkeypatch, capsys):
    registry = compose("compose", name)["registry"]
    variables = registry["environment"]
    assert variables.keys() <= {option.variable for option in OPTIONS}
    for variable, value in variables.items():
        for place, path in sorted(mounts(registry).items(), reverse=True):
            value = value.replace(place, str(path))  # noqa: PLW2901
        monkeypatch.setenv(variable, value)
    assert main(["config", "check"]) == 0, capsys.readouterr().out


def test_the_registry_trusts_caddy_and_no_other_address():
    files = compose("compose", "caddy")
    address = files["caddy"]["networks"]["proxy"]["ipv4_address"]
    proxy = yaml.safe_load((COMPOSE / "caddy/documents/proxy.yaml").read_text("utf-8"))
    assert proxy["spec"]["web"]["trustedProxies"] == [address]


def test_prometheus_asks_where_the_metrics_are():
    files = compose("compose", "monitoring")
    port = files["registry"]["environment"]["SIMPLE_REGISTRY_METRICS_ADDR"].rpartition(":")[2]
    (job,) = yaml.safe_load((COMPOSE / "monitoring/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"registry:{port}"]}]
    (source,) = yaml.safe_load((COMPOSE / "monitoring/grafana/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((COMPOSE / "monitoring/grafana/dashboards/registry.yaml").read_text())["providers"]
    assert mounts(files["grafana"])[provider["options"]["path"]].resolve() == PACKAGING / "grafana"


DASHBOARD = json.loads((PACKAGING / "grafana/simple-registry.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
SERIES = {
    f"{family.name}{suffix}": family
    for family in FAMILIES
    for suffix in (("_bucket", "_sum", "_count") if family.kind is Kind.HISTOGRAM else ("",))
}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_shows_metrics_and_labels_that_exist(panel):
    for target in panel["targets"]:
        expression = target["expr"]
        asked = re.findall(r"(simple_registry_\w+)\{(.*?)\}", expression)
        assert len(asked) == expression.count("simple_registry_")
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        labels |= {name for names in re.findall(r"by \(([\w, ]+)\)", expression) for name in names.split(", ")}
        for name, filters in asked:
            family = SERIES[name]
            used = labels | set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", filters))
            assert used <= OF_PROMETHEUS | set(family.labels)
            counted = re.search(rf"(?:rate|increase)\({name}\b", expression) is not None
            assert counted == (family.kind is not Kind.GAUGE)


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        assert columns.stop <= 24
        taken |= cells
