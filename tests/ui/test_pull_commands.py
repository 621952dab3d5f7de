"""The commands of clients, with and without TLS, for each kind of manifest."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.ui.address import Address
from simple_registry.ui.kinds import Kind
from simple_registry.ui.pull_commands import Hint, pull_commands, usual_command, verify_commands

REPOSITORY = RepositoryName("team/app")
TAG = Tag("v1.2.0")
DIGEST = digest_of(b"manifest")
TLS = Address("https", "registry.example")
PLAIN = Address("http", "10.0.0.7:5000")
LOCAL = Address("http", "localhost:5000")


def lines(kind, address, reference=TAG):
    return {each.client: each.line for each in pull_commands(kind, address, REPOSITORY, reference)}


def test_an_image_is_pulled_by_every_client_of_containers():
    assert lines(Kind.IMAGE, TLS) == {
        "docker": "docker pull registry.example/team/app:v1.2.0",
        "podman": "podman pull registry.example/team/app:v1.2.0",
        "nerdctl": "nerdctl pull registry.example/team/app:v1.2.0",
        "containerd": "ctr images pull registry.example/team/app:v1.2.0",
        "skopeo": "skopeo copy --all docker://registry.example/team/app:v1.2.0 dir:app",
        "crane": "crane pull registry.example/team/app:v1.2.0 app.tar",
    }
    assert lines(Kind.INDEX, TLS) == lines(Kind.IMAGE, TLS)


def test_without_tls_each_client_is_told_so():
    assert lines(Kind.IMAGE, PLAIN) == {
        "docker": "docker pull 10.0.0.7:5000/team/app:v1.2.0",
        "podman": "podman pull --tls-verify=false 10.0.0.7:5000/team/app:v1.2.0",
        "nerdctl": "nerdctl --insecure-registry pull 10.0.0.7:5000/team/app:v1.2.0",
        "containerd": "ctr images pull --plain-http 10.0.0.7:5000/team/app:v1.2.0",
        "skopeo": "skopeo copy --all --src-tls-verify=false docker://10.0.0.7:5000/team/app:v1.2.0 dir:app",
        "crane": "crane pull --insecure 10.0.0.7:5000/team/app:v1.2.0 app.tar",
    }


def test_a_digest_is_pulled_by_digest():
    assert all(
        line.split()[-1] == f"registry.example/team/app@{DIGEST}"
        for line in lines(Kind.IMAGE, TLS, DIGEST).values()
        if "dir:" not in line and ".tar" not in line
    )
    assert lines(Kind.CHART, TLS, DIGEST)["helm"] == f"helm pull oci://registry.example/team/app@{DIGEST}"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("1.2.0", "helm pull oci://registry.example/team/app --version 1.2.0"),
        ("1.2.0_build.7", "helm pull oci://registry.example/team/app --version 1.2.0+build.7"),
        ("latest", "helm pull oci://registry.example/team/app:latest"),
    ],
)
def test_a_chart_is_pulled_by_its_version(reference, expected):
    assert lines(Kind.CHART, TLS, Tag(reference))["helm"] == expected


def test_charts_and_components_have_clients_of_their_own():
    assert lines(Kind.CHART, PLAIN)["helm"].startswith("helm pull --plain-http oci://")
    assert (
        lines(Kind.WASM, PLAIN)["wkg"]
        == "wkg oci pull --insecure 10.0.0.7:5000 10.0.0.7:5000/team/app:v1.2.0 -o app.wasm"
    )
    assert lines(Kind.WASM, TLS)["wkg"] == "wkg oci pull registry.example/team/app:v1.2.0 -o app.wasm"


def test_other_artifacts_are_pulled_by_oras():
    assert [*lines(Kind.SPDX, PLAIN)] == ["oras", "skopeo", "crane"]
    assert lines(Kind.ARTIFACT, PLAIN)["oras"] == "oras pull --plain-http 10.0.0.7:5000/team/app:v1.2.0"
    assert lines(Kind.ARTIFACT, PLAIN)["crane"] == "crane manifest --insecure 10.0.0.7:5000/team/app:v1.2.0"


def test_oras_is_told_of_tls_on_localhost():
    assert lines(Kind.ARTIFACT, Address("https", "localhost:5000"))["oras"].startswith("oras pull --plain-http=false ")
    assert lines(Kind.ARTIFACT, LOCAL)["oras"].startswith("oras pull --plain-http ")
    assert lines(Kind.ARTIFACT, TLS)["oras"].startswith("oras pull registry")


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        (TLS, Hint.NONE),
        (PLAIN, Hint.INSECURE_DAEMON),
        (LOCAL, Hint.NONE),
        (Address("http", "localhost"), Hint.NONE),
        (Address("http", "127.0.0.9:5000"), Hint.NONE),
        (Address("http", "[::1]:5000"), Hint.NONE),
        (Address("http", "[::1]"), Hint.NONE),
        (Address("http", "localhost.example:5000"), Hint.INSECURE_DAEMON),
        (Address("http", "registry"), Hint.INSECURE_DAEMON),
    ],
)
def test_the_daemon_of_docker_must_know_a_registry_without_tls(address, hint):
    assert pull_commands(Kind.IMAGE, address, REPOSITORY, TAG)[0].hint is hint


def test_signatures_are_verified():
    cosign, notation = verify_commands(set(Kind), PLAIN, REPOSITORY, DIGEST)
    name = f"10.0.0.7:5000/team/app@{DIGEST}"
    assert cosign.line == f"cosign verify --allow-http-registry --key cosign.pub {name}"
    assert (notation.line, notation.hint) == (f"notation verify --plain-http {name}", Hint.TRUST_POLICY)
    assert (
        verify_commands({Kind.COSIGN_SIGNATURE}, TLS, REPOSITORY, TAG)[0].line
        == "cosign verify --key cosign.pub registry.example/team/app:v1.2.0"
    )


@pytest.mark.parametrize("kind", Kind)
def test_the_usual_command_is_the_first(kind):
    assert usual_command(kind, PLAIN, REPOSITORY, TAG) == pull_commands(kind, PLAIN, REPOSITORY, TAG)[0]


def test_without_a_signature_there_is_nothing_to_verify():
    assert verify_commands({Kind.ATTESTATION, Kind.SPDX}, TLS, REPOSITORY, TAG) == []
