"""The official OCI conformance suite finds nothing to complain about, whatever is switched on."""

import shutil

import pytest

from e2e import suite
from e2e.gotools import CACHE
from e2e.server import ALLOW_MISSING, serve

# Measured at the pinned version of the suite; a run of fewer tests has lost something on the way.
EVERYTHING = 1000
WITHOUT_SPARSE = 950

pytestmark = pytest.mark.conformance


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_every_api_and_every_kind_of_data_passes(tmp_path, version, tls):
    outcome = run(tmp_path, f"{version}-{'tls' if tls else 'plain'}", version=version, tls=tls, sparse=True)

    assert outcome.complaints(at_least=EVERYTHING) == []


@pytest.mark.parametrize("version", ["1.1", "dev"])
def test_default_strictness_passes_all_but_sparse_manifests(tmp_path, version):
    outcome = run(tmp_path, f"{version}-strict", version=version, tls=False, sparse=False)

    assert outcome.complaints(at_least=WITHOUT_SPARSE, disabled={suite.SPARSE}) == []


def run(tmp_path, name, *, version, tls, sparse):
    """Run the suite, print what it counted, and leave its reports in .cache/conformance/<name>."""
    with serve(tmp_path / "server", tls=tls, configuration=ALLOW_MISSING if sparse else "") as registry:
        outcome = suite.run(registry, tmp_path / "results", version=version, sparse=sparse)
    shutil.copytree(tmp_path / "results", CACHE / "conformance" / name, dirs_exist_ok=True)
    print(f"\nconformance {name}: {outcome.summary()}")
    return outcome
