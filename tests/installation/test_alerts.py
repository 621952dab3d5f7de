"""Prometheus' own tool takes the alerts; each fires for what it is about, and for nothing less."""

import json

import pytest
import yaml

from e2e.commands import installed
from support.sources import ROOT

pytestmark = pytest.mark.installation

RULES = ROOT / "packaging/prometheus/alerts.yaml"
AUDIT, DAMAGE, DEATHS = (
    f"simple_registry_{name}_total" for name in ("audit_failures", "scrub_contents", "worker_deaths")
)
COLLECTED, FREE, SIZE = (
    f"simple_registry_{name}" for name in ("collection_time_seconds", "disk_free_bytes", "disk_size_bytes")
)
REQUESTS, WARNING = "simple_registry_requests_total", "simple_registry_warning_time_seconds"
EXPIRY = "simple_registry_certificate_expiry_time_seconds"
HOUR = 60

# Each case: minutes, and series by name, as `first+step x minutes` in promtool's notation. One value a minute.
FIRING = {
    "RegistryDown": [(10, {"up": "1 1 0+0x30"}), (10, {"up": "1+0x30", "simple_registry_workers": "2 0+0x30"})],
    "RegistryNotReady": [(15, {(REQUESTS, "endpoint=get_readiness", "status=503"): "0+5x30"})],
    "RegistryFails": [(30, {(REQUESTS, "status=500"): "0+2x40", (REQUESTS, "status=200"): "0+98x40"})],
    "RegistryWorkersDie": [(10, {DEATHS: "0 0 1 2 3 4+0x30"})],
    "RegistrySpaceShort": [(20, {(WARNING, "about=space"): "0 100+0x30"})],
    "RegistryDiskFilling": [(7 * HOUR, {FREE: "3900-4x450", SIZE: "10000+0x450"})],
    "RegistryCertificateNotRenewed": [(2 * HOUR, {(WARNING, "about=certificate"): "0 100+0x150"})],
    "RegistryCertificateEnds": [(20, {EXPIRY: f"{40 * 3600}+0x30", (WARNING, "about=certificate"): "100+0x30"})],
    "RegistryRulesStale": [(10, {"simple_registry_access_stale_workers": "0 2+0x30"})],
    "RegistryReloadFailed": [(20, {"simple_registry_reload_failed_time_seconds": "0 100+0x30"})],
    "RegistryIssuerStale": [(40, {("simple_registry_issuer_keys_stale", "issuer=ci"): "0 1+0x50"})],
    "RegistryNotCollecting": [
        (40 * HOUR, {COLLECTED: "3600+0x2500", "simple_registry_start_time_seconds": "1+0x2500"}),
        (40 * HOUR, {COLLECTED: "0+0x2500", "simple_registry_start_time_seconds": "1+0x2500"}),
    ],
    "RegistryContentDamaged": [(2 * HOUR, {(DAMAGE, "result=damaged"): "0 0 1+0x150"})],
    "RegistryScrubBehind": [(2 * HOUR, {"simple_registry_scrub_overdue_seconds": "700000+60x150"})],
    "RegistryQuotaNearlyUsed": [(20, {("simple_registry_quota_accounts_near_limit", "quota=each"): "0 1+0x30"})],
    "RegistryUploadsStuck": [
        (2 * HOUR, {"simple_registry_uploads_open": "60+0x150"}),
        (
            2 * HOUR,
            {"simple_registry_uploads_open": "60+0x150", (REQUESTS, "endpoint=finish_upload", "status=201"): "9+0x150"},
        ),
    ],
    "RegistryAuditLost": [(10, {AUDIT: "0 0 1+0x30"})],
    "RegistryGuessedAt": [(20, {("simple_registry_login_failures_total", "credential=password"): "0+120x30"})],
}
QUIET = {
    "RegistryDown": [(10, {"up": "1 0 1+0x30", "simple_registry_workers": "2+0x30"})],
    "RegistryNotReady": [
        (15, {(REQUESTS, "endpoint=get_readiness", f"status={status}"): values})
        for status, values in (("200", "0+5x30"), ("503", "7+0x30"))
    ],
    "RegistryFails": [
        (30, {(REQUESTS, f"status={status}"): values, (REQUESTS, "status=200"): "0+999x40"})
        for status, values in (("500", "0+1x40"), ("507", "0+500x40"))
    ],
    "RegistryWorkersDie": [(10, {DEATHS: "0 1+0x30"})],
    "RegistrySpaceShort": [(20, {(WARNING, "about=space"): "0+0x30", (WARNING, "about=rules"): "1+0x30"})],
    "RegistryDiskFilling": [
        (7 * HOUR, {FREE: values, SIZE: "10000+0x450"}) for values in ("3900-1x450", "9000-8x450", "3900+4x450")
    ],
    "RegistryCertificateNotRenewed": [(2 * HOUR, {(WARNING, "about=certificate"): "100+0x50 0+0x100"})],
    "RegistryCertificateEnds": [
        (20, {EXPIRY: f"{days * 86400}+0x30", (WARNING, "about=certificate"): since})
        for days, since in ((13, "100+0x30"), (1, "0+0x30"))  # the second one lives for days and is renewed in time
    ],
    "RegistryRulesStale": [(10, {"simple_registry_access_stale_workers": "0 0 0 2 2 0+0x30"})],
    "RegistryReloadFailed": [(20, {"simple_registry_reload_failed_time_seconds": "100+0x10 0+0x30"})],
    "RegistryIssuerStale": [(40, {("simple_registry_issuer_keys_stale", "issuer=ci"): "1+0x10 0+0x50"})],
    "RegistryNotCollecting": [
        (40 * HOUR, {COLLECTED: "0+60x2500"}),
        (40 * HOUR, {COLLECTED: "0+0x2500", "simple_registry_start_time_seconds": f"{30 * 3600}+0x2500"}),
        (40 * HOUR, {COLLECTED: "3600+0x2500", "simple_registry_read_only": "1+0x2500"}),
    ],
    "RegistryContentDamaged": [
        (2 * HOUR, {(DAMAGE, "result=damaged"): "3+0x150", (DAMAGE, "result=whole"): "0+9x150"})
    ],
    "RegistryScrubBehind": [(2 * HOUR, {"simple_registry_scrub_overdue_seconds": "86400+60x150"})],
    "RegistryQuotaNearlyUsed": [(20, {("simple_registry_quota_accounts_near_limit", "quota=each"): "1+0x10 0+0x30"})],
    "RegistryUploadsStuck": [
        (2 * HOUR, {"simple_registry_uploads_open": "20+0x150"}),
        (
            2 * HOUR,
            {"simple_registry_uploads_open": "60+0x150", (REQUESTS, "endpoint=finish_upload", "status=201"): "9+1x150"},
        ),
    ],
    "RegistryAuditLost": [(10, {AUDIT: "5+0x30"})],
    "RegistryGuessedAt": [(20, {("simple_registry_login_failures_total", "credential=password"): "0+30x30"})],
}
ALERTS = [rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]]


@pytest.fixture
def promtool(tmp_path):
    return installed("promtool", tmp_path)


def case(alert, minutes, series, *, fires):
    """Return a test of promtool: whether an alert fires after some minutes."""
    given = []
    for name, values in series.items():
        metric, *labels = (name,) if isinstance(name, str) else name
        pairs = ["job=registry", "instance=a", *labels]
        inside = ",".join(f'{label}="{text}"' for label, text in (pair.split("=") for pair in pairs))
        given.append({"series": f"{metric}{{{inside}}}", "values": values})
    firing = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if fires else []
    expected = {"expr": firing, "eval_time": f"{minutes}m", "exp_samples": samples}
    return {"interval": "1m", "input_series": given, "promql_expr_test": [expected]}


def test_the_rules_are_ones_that_prometheus_takes(promtool):
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", RULES)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not():
    assert list(FIRING) == list(QUIET) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_fires_for_what_it_is_about_and_for_nothing_less(alert, promtool, tmp_path):
    tests = [case(alert, *each, fires=True) for each in FIRING[alert]]
    tests += [case(alert, *each, fires=False) for each in QUIET[alert]]
    file = tmp_path / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", file)
