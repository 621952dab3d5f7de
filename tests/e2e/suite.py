"""The official conformance suite: run it with every switch on, and read its results with suspicion.

The suite cannot be judged by its exit code: a wrong setting ends it with 0 before it tests anything, and skipped tests
do too. Nor by an ordinary reader of JUnit files: its test cases have no failure elements, only a `status` attribute,
where "skipped" stands for disabled ones as well. So `read` takes the JUnit file's statuses and its totals, and the
per-API and per-data verdicts of results.yaml, and `Outcome.complaints` wants them all to say the same.
"""

import os
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from e2e.server import Registry
from harness.gotools import CONFORMANCE, build

APIS = (
    *("PING", "PULL", "PUSH", "REFERRER"),
    *("BLOBS_ATOMIC", "BLOBS_DELETE", "BLOBS_DIGEST_HEADER", "BLOBS_MOUNT_ANONYMOUS", "BLOBS_UPLOAD_CANCEL"),
    *("MANIFESTS_ATOMIC", "MANIFESTS_DELETE", "MANIFESTS_DIGEST_HEADER", "MANIFESTS_TAG_PARAM"),
    *("TAGS_ATOMIC", "TAGS_DELETE", "TAGS_LIST"),
)
DATA = (
    *("IMAGE", "INDEX", "INDEX_LIST", "SPARSE", "ARTIFACT", "ARTIFACT_LIST"),
    *("SUBJECT", "SUBJECT_MISSING", "SUBJECT_LIST"),
    *("DATA_FIELD", "NONDISTRIBUTABLE", "CUSTOM_FIELDS", "NO_LAYERS", "EMPTY_BLOB", "SHA512"),
)
SPARSE = "Sparse Manifests"  # the name of that kind of data in results.yaml
SUITE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of one run of the suite."""

    cases: Mapping[str, int]
    """Test cases by status: passed, skipped, failure, error."""
    failed: tuple[str, ...]
    """Names and messages of the test cases that did not pass."""
    totals: Mapping[str, int]
    """The JUnit file's own counts: tests, failures, errors, skipped, disabled."""
    verdicts: Mapping[str, str]
    """Pass, Skip, Disabled, FAIL or Error by API and by kind of data."""

    def complaints(self, *, at_least: int, disabled: Collection[str] = ()) -> list[str]:
        """List what prevents a clean result; verdicts named in `disabled` must be Disabled."""
        found = list(self.failed)
        if self.totals["tests"] < at_least:
            found.append(f"only {self.totals['tests']} tests ran, at least {at_least} were expected")
        found += [f"{count} {name}" for name, count in self.totals.items() if name != "tests" and count]
        if sum(self.cases.values()) != self.cases.get("passed", 0):
            found.append(f"test cases: {dict(self.cases)}")
        for name, verdict in self.verdicts.items():
            expected = "Disabled" if name in disabled else "Pass"
            if verdict != expected:
                found.append(f"{name}: {verdict}, expected {expected}")
        found += [f"{name}: no verdict" for name in disabled if name not in self.verdicts]
        return found

    def summary(self) -> str:
        """One line for people."""
        verdicts = Counter(self.verdicts.values())
        return f"{dict(self.totals)}, APIs and data: {dict(verdicts)}"


def run(registry: Registry, results: Path, *, version: str, sparse: bool) -> Outcome:
    """Run the suite against the registry and read what it wrote into the folder `results`."""
    switches = {f"OCI_API_{name}": "true" for name in APIS} | {f"OCI_DATA_{name}": "true" for name in DATA}
    settings = {
        "OCI_REGISTRY": registry.host,
        "OCI_TLS": "enabled" if registry.tls else "disabled",
        "OCI_VERSION": version,
        "OCI_USERNAME": registry.username,
        "OCI_PASSWORD": registry.password,
        "OCI_RESULTS_DIR": str(results),
        **switches,
        "OCI_DATA_SPARSE": str(sparse).lower(),
    }
    if registry.authority:
        settings["SSL_CERT_FILE"] = str(registry.authority)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OCI_")}
    results.mkdir(parents=True)
    finished = subprocess.run(
        [build(CONFORMANCE)],
        env=inherited | settings,
        cwd=results,  # where it would look for a configuration file of its own
        capture_output=True,
        text=True,
        timeout=SUITE_SECONDS,
        check=False,
    )
    (results / "output.txt").write_text(finished.stdout + finished.stderr)
    if not (results / "junit.xml").exists():
        raise AssertionError(f"the suite wrote no results:\n{finished.stderr[-2000:]}")
    return read(results)


def read(results: Path) -> Outcome:
    """Read junit.xml and results.yaml."""
    root = ET.parse(results / "junit.xml").getroot()  # noqa: S314 - written by the suite that we have just run
    cases = list(root.iter("testcase"))
    failed = [
        f"{case.get('status')}: {case.get('name')}: {(case.findtext('system-out') or '').strip()}"
        for case in cases
        if case.get("status") != "passed"
    ]
    totals = {name: int(root.get(name) or 0) for name in ("tests", "failures", "errors", "skipped", "disabled")}
    document = yaml.safe_load((results / "results.yaml").read_text())
    return Outcome(
        cases=Counter(case.get("status") or "no status" for case in cases),
        failed=tuple(failed),
        totals=totals,
        verdicts={str(name): str(verdict) for part in ("apis", "data") for name, verdict in document[part].items()},
    )
