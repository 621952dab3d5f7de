"""The commands that pages show, run by the clients that they are for, without TLS."""

import json
import shlex

import pytest
import yaml

from browser import artifacts
from browser.pushing import Repository
from e2e.clients import podman_at
from e2e.commands import built, installed, temporary_home
from e2e.images import CONFIG, digest_of, layer_archive
from e2e.server import serve
from harness.gotools import CRANE, HELM, ORAS
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.ui.address import Address
from simple_registry.ui.kinds import Kind
from simple_registry.ui.pull_commands import pull_commands

pytestmark = pytest.mark.clients

LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
APP, CHART, FILES = "public/app", "public/shop", "public/files"
ANYONE = [
    {"kind": "User", "metadata": {"name": "anonymous"}, "spec": {}},
    {
        "kind": "Role",
        "metadata": {"name": "pull"},
        "spec": {"resources": ["manifests", "blobs"], "verbs": ["pull"]},
    },
    {
        "kind": "RoleBinding",
        "metadata": {"name": "public"},
        "spec": {
            "subjects": [{"kind": "User", "name": "anonymous"}],
            "roleRef": {"name": "pull"},
            "scopes": ["^public/"],
        },
    },
]


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """A registry without TLS from which everybody may pull, and the digest of its image."""
    folder = tmp_path_factory.mktemp("public")
    with serve(folder, tls=False, configuration=yaml.safe_dump_all(ANYONE)) as registry:
        image = push_image(Repository(registry, APP), "v1")
        artifacts.chart(Repository(registry, CHART), "1.0.0")
        artifacts.files(Repository(registry, FILES), "v1")
        yield registry, parse_digest(image["digest"])


def push_image(repository, tag):
    """Push an image whose layer engines can unpack."""
    layer = layer_archive()
    about = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}
    config = repository.blob(CONFIG, json.dumps(about).encode())
    return repository.image(tag, config=config, layers=[repository.blob(LAYER_TAR, layer)])


@pytest.fixture
def home(tmp_path):
    """The home of a client, without any login."""
    return tmp_path


def run(command, kind, registry, repository, reference, client):
    """Run the command that a page shows for a client."""
    address = Address("http", registry.host)
    commands = pull_commands(kind, address, RepositoryName(repository), reference)
    (line,) = [each.line for each in commands if each.client == client]
    name, *words = shlex.split(line)
    assert name == client
    return command(*words)


def test_podman_pulls_an_image(public):
    registry, digest = public
    with temporary_home() as home:
        podman = podman_at(home)
        (home / "auth.json").write_text("{}")
        for reference in (Tag("v1"), digest):
            assert run(podman, Kind.IMAGE, registry, APP, reference, "podman")


def test_skopeo_copies_everything(public, home):
    registry, digest = public
    skopeo = installed("skopeo", home)
    policy = home / "config" / "containers"
    policy.mkdir(parents=True, exist_ok=True)
    (policy / "policy.json").write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    for kind, repository, reference in (
        (Kind.IMAGE, APP, Tag("v1")),
        (Kind.IMAGE, APP, digest),
        (Kind.CHART, CHART, Tag("1.0.0")),
        (Kind.ARTIFACT, FILES, Tag("v1")),
    ):
        run(skopeo, kind, registry, repository, reference, "skopeo")
        assert (home / repository.rpartition("/")[2] / "manifest.json").is_file()


def test_crane_pulls_an_image(public, home):
    registry, digest = public
    for reference in (Tag("v1"), digest):
        run(built(CRANE, home), Kind.IMAGE, registry, APP, reference, "crane")
        assert (home / "app.tar").stat().st_size > 0
    assert "layers" in run(built(CRANE, home), Kind.ARTIFACT, registry, FILES, Tag("v1"), "crane")


def test_oras_pulls_an_artifact(public, home):
    registry, _ = public
    assert run(built(ORAS, home), Kind.ARTIFACT, registry, FILES, Tag("v1"), "oras")


def test_helm_pulls_a_chart(public, home):
    registry, _ = public
    run(built(HELM, home), Kind.CHART, registry, CHART, Tag("1.0.0"), "helm")
    assert list(home.glob("*.tgz"))
