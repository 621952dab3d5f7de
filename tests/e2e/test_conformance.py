"""The official OCI conformance suite finds nothing to complain about, whatever is switched on."""

import shutil
from dataclasses import replace

import pytest

from e2e import suite
from e2e.scenarios import Challenge, issue_token
from e2e.server import ALLOW_MISSING, serve
from harness.gotools import CACHE

# Measured at the pinned version of the suite; a run of fewer tests has lost something on the way.
EVERYTHING = 1000
WITHOUT_SPARSE = 950

ROBOT_TOKEN = "static-token-of-robot-0123456789"
ACCESS = """\
---
kind: Configuration
metadata: {name: challenge}
spec: {web: {challenge: CHALLENGE}}
---
kind: User
metadata: {name: robot}
spec: {}
---
kind: Role
metadata: {name: everything}
spec: {resources: ["*"], verbs: ["*"]}
---
kind: RoleBinding
metadata: {name: robot}
spec: {subjects: [{kind: User, name: robot}], roleRef: {name: everything}, scopes: [^.*$]}
---
kind: Token
metadata: {name: robot}
spec: {username: robot, value: static-token-of-robot-0123456789, expiresAt: "2999-12-31T23:59:59Z"}
"""

OPEN = """\
---
kind: User
metadata: {name: anonymous}
spec: {}
---
kind: Role
metadata: {name: everything}
spec: {resources: ["*"], verbs: ["*"]}
---
kind: RoleBinding
metadata: {name: everybody}
spec: {subjects: [{kind: User, name: anonymous}], roleRef: {name: everything}, scopes: [^.*$]}
"""

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


@pytest.mark.parametrize("challenge", [Challenge.BASIC, Challenge.BEARER, Challenge.AUTO])
@pytest.mark.parametrize("credential", ["password", "static-token", "issued-token"])
def test_every_challenge_and_credential_passes(tmp_path, challenge, credential):
    documents = ALLOW_MISSING + ACCESS.replace("CHALLENGE", challenge)
    with serve(tmp_path / "server", configuration=documents) as registry:
        known = logged_in(registry, credential)
        outcome = check(known, tmp_path, f"{challenge}-{credential}", version="dev", sparse=True)

    assert outcome.complaints(at_least=EVERYTHING) == []


def test_without_credentials_an_open_registry_passes(tmp_path):
    with serve(tmp_path / "server", configuration=ALLOW_MISSING + OPEN) as registry:
        known = replace(registry, username="", password="")
        outcome = check(known, tmp_path, "anonymous", version="dev", sparse=True)

    assert outcome.complaints(at_least=EVERYTHING) == []


def logged_in(registry, credential):
    """Return the registry with a user's name and what that user gives in the place of a password."""
    match credential:
        case "static-token":
            return replace(registry, username="robot", password=ROBOT_TOKEN)
        case "issued-token":
            return replace(registry, password=issue_token(registry)["secret"])
        case _:
            return registry


def run(tmp_path, name, *, version, tls, sparse):
    """Start a server and run the suite against it."""
    with serve(tmp_path / "server", tls=tls, configuration=ALLOW_MISSING if sparse else "") as registry:
        return check(registry, tmp_path, name, version=version, sparse=sparse)


def check(registry, tmp_path, name, *, version, sparse):
    """Run the suite, print what it counted, and leave its reports in .cache/conformance/<name>."""
    outcome = suite.run(registry, tmp_path / "results", version=version, sparse=sparse)
    shutil.copytree(tmp_path / "results", CACHE / "conformance" / name, dirs_exist_ok=True)
    print(f"\nconformance {name}: {outcome.summary()}")
    return outcome
