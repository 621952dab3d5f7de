"""The guide to metrics is the program's table, and its examples are what Prometheus can read."""

import re

import pytest
import yaml

from simple_registry.config.load import load_access
from simple_registry.metrics.families import FAMILIES, Kind
from simple_registry.metrics_wiring import LAYOUT
from support.sources import ROOT

NOTHING = "\N{EN DASH}"
PAGE = (ROOT / "docs/operations/metrics.md").read_text("utf-8")


def example(name):
    return re.search(rf"<!-- example: {name} -->\n```yaml\n(.*?)```", PAGE, re.DOTALL)[1]


def test_the_table_lists_every_metric_and_no_other():
    listed = [line for line in PAGE.splitlines() if line.startswith("| `simple_registry_")]
    assert listed == [
        f"| `{family.name}` | {family.kind} | {', '.join(f'`{each}`' for each in family.labels) or NOTHING} | "
        f"{family.help.rstrip('.')} |"
        for family in FAMILIES
    ]


def test_every_endpoint_is_named():
    sentence = re.search(r"`endpoint` is one of:(.*?);", PAGE, re.DOTALL)[1]
    assert re.findall(r"`(\w+)`", sentence) == sorted({endpoint for endpoint, _ in LAYOUT.requests.at} - {"none"})


def test_the_rules_for_the_watcher_load(tmp_path):
    (tmp_path / "watcher.yaml").write_text(re.search(r"```yaml\n(kind: Role\n.*?)```", PAGE, re.DOTALL)[1])
    rules = load_access([tmp_path])
    assert rules.identity("prometheus") is not None


def test_the_scrape_configuration_is_one():
    (job,) = yaml.safe_load(example("scrape"))["scrape_configs"]
    assert set(job) <= {"job_name", "scheme", "static_configs", "authorization", "metrics_path"}


RULES = yaml.safe_load((ROOT / "packaging/prometheus/alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]


def test_the_table_of_alerts_is_that_of_the_rules():
    assert yaml.safe_load(example("rules")) == {"rule_files": ["alerts.yaml"]}
    table = PAGE.partition("| alert | severity | meaning |\n|---|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == [
        f"| `{rule['alert']}` | {rule['labels']['severity']} | {rule['annotations']['summary']} |" for rule in RULES
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_only_for_metrics_and_labels_that_exist(rule):
    families = {family.name: family for family in FAMILIES}
    asked = re.findall(r"(simple_registry_\w+)(?:\{(.*?)\})?", rule["expr"])
    assert asked or "up{" in rule["expr"]
    for name, labels in asked:
        family = families[name]
        assert set(re.findall(r"(\w+)[=!]", labels)) <= set(family.labels)
        # A rate of a gauge, or the bare value of a counter, is a mistake.
        counted = re.search(rf"(?:rate|increase)\({name}", rule["expr"]) is not None
        assert counted == (family.kind is Kind.COUNTER)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_and_where_to_read(rule):
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert {"summary", "description", "docs"} == rule["annotations"].keys()
    path, _, anchor = rule["annotations"]["docs"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    assert not anchor or anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
