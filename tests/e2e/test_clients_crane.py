"""crane, of go-containerregistry: also the library under kaniko, cosign and ko."""

import json

import pytest

from e2e.commands import built
from e2e.images import layer_archive, open_layout
from harness.gotools import CRANE

pytestmark = pytest.mark.clients


def client(registry, home):
    command = built(CRANE, home)
    return command.with_environment(SSL_CERT_FILE=str(registry.authority)) if registry.tls else command


@pytest.fixture(scope="module")
def crane(registry, home):
    """Crane, logged in."""
    command = client(registry, home)
    command("auth", "login", registry.host, "-u", registry.username, "--password-stdin", stdin=registry.password)
    return command


def test_wrong_password_is_refused(registry, tmp_path, repository):
    command = client(registry, tmp_path)
    command("auth", "login", registry.host, "-u", registry.username, "--password-stdin", stdin="wrong")

    said = command.refused("ls", f"{registry.host}/{repository}")

    assert "UNAUTHORIZED" in said


def test_no_credentials_are_refused(registry, tmp_path, repository):
    said = client(registry, tmp_path).refused("ls", f"{registry.host}/{repository}")

    assert "UNAUTHORIZED" in said


def test_an_index_is_pulled_with_equal_digests(crane, registry, repository, layout, tmp_path):
    remote = f"{registry.host}/{repository}:v1"

    crane("push", layout.path, remote)
    crane("pull", "--format=oci", remote, tmp_path / "back")

    assert crane("digest", remote) == layout.index
    assert open_layout(tmp_path / "back").root() == layout.index
    assert crane("manifest", remote).encode() == layout.blob(layout.index)
    crane("validate", "--remote", remote)


def test_one_platform_of_an_index_is_found(crane, registry, repository, layout):
    remote = f"{registry.host}/{repository}:v1"
    crane("push", layout.path, remote)

    assert crane("digest", "--platform", "linux/arm64", remote) == layout.images["arm64"]


def test_an_image_appended_here_is_pushed(crane, registry, repository, home):
    (home / "layer.tar").write_bytes(layer_archive())

    said = crane("append", "-f", "layer.tar", "-t", f"{registry.host}/{repository}:v1", "--oci-empty-base")

    assert registry.digest(repository, "v1") == said.rpartition("@")[2]
    crane("validate", "--remote", f"{registry.host}/{repository}:v1")


def test_tags_and_repositories_are_listed(crane, registry, repository, single_layout):
    crane("push", single_layout.path, f"{registry.host}/{repository}:v2")
    crane("tag", f"{registry.host}/{repository}:v2", "latest")

    assert crane("ls", f"{registry.host}/{repository}").split() == ["latest", "v2"]
    assert repository in crane("catalog", registry.host).split()


def test_delete_by_digest_takes_its_tags(crane, registry, repository, single_layout):
    crane("push", single_layout.path, f"{registry.host}/{repository}:v1")

    crane("delete", f"{registry.host}/{repository}@{single_layout.root()}")

    assert registry.digest(repository, "v1") is None
    assert "MANIFEST_UNKNOWN" in crane.refused("manifest", f"{registry.host}/{repository}:v1")


def test_delete_by_tag_leaves_the_image(crane, registry, repository, single_layout):
    crane("push", single_layout.path, f"{registry.host}/{repository}:v1")

    crane("delete", f"{registry.host}/{repository}:v1")

    assert registry.digest(repository, "v1") is None
    assert registry.digest(repository, single_layout.root()) == single_layout.root()


def test_copy_to_another_repository_mounts_the_blobs(crane, registry, repository, layout):
    crane("push", layout.path, f"{registry.host}/{repository}:v1")

    crane("copy", f"{registry.host}/{repository}:v1", f"{registry.host}/{repository}/copy:v1")

    assert crane("digest", f"{registry.host}/{repository}/copy:v1") == layout.index
    assert registry.mounts(f"{repository}/copy") >= 4


def test_mutated_image_keeps_its_layers(crane, registry, repository, single_layout):
    crane("push", single_layout.path, f"{registry.host}/{repository}:v1")

    crane("mutate", f"{registry.host}/{repository}:v1", "-l", "colour=green", "-t", f"{registry.host}/{repository}:v2")

    config = json.loads(crane("config", f"{registry.host}/{repository}:v2"))
    assert config["config"]["Labels"] == {"colour": "green"}
