"""regctl, of regclient: written by editors of the specification, and using all of it."""

import hashlib
import re

import pytest

from e2e.commands import built
from e2e.images import TAG
from harness.gotools import REGCTL

pytestmark = pytest.mark.clients


def client(registry, home):
    """Return regctl, knowing how to reach the registry."""
    command = built(REGCTL, home)
    if registry.authority is None:
        command("registry", "set", registry.host, "--tls", "disabled", "--skip-check")
    else:
        command("registry", "set", registry.host, "--cacert", registry.authority.read_text(), "--skip-check")
    return command


@pytest.fixture(scope="module")
def regctl(registry, home):
    """Regctl, logged in."""
    command = client(registry, home)
    command("registry", "login", registry.host, "-u", registry.username, "--pass-stdin", stdin=registry.password)
    return command


def push(regctl, registry, repository, layout):
    """Push a layout as tag v1 and return its reference."""
    regctl("image", "copy", f"ocidir://{layout.path}:{TAG}", f"{registry.host}/{repository}:v1")
    return f"{registry.host}/{repository}:v1"


def test_wrong_password_is_refused(registry, tmp_path):
    command = client(registry, tmp_path)

    said = command.refused("registry", "login", registry.host, "-u", registry.username, "--pass-stdin", stdin="wrong")

    assert "unauthorized" in said.lower()


def test_an_index_is_pulled_with_equal_digests(regctl, registry, repository, layout, tmp_path):
    remote = push(regctl, registry, repository, layout)

    regctl("image", "copy", remote, f"ocidir://{tmp_path / 'back'}:v1")

    assert regctl("image", "digest", remote) == layout.index
    assert regctl("image", "digest", f"ocidir://{tmp_path / 'back'}:v1") == layout.index
    assert regctl("manifest", "head", "--platform", "linux/arm64", remote) == layout.images["arm64"]


def test_image_is_exported_and_imported(regctl, registry, repository, single_layout):
    remote = push(regctl, registry, repository, single_layout)

    regctl("image", "export", remote, "image.tar")
    regctl("image", "import", f"{registry.host}/{repository}:v2", "image.tar")

    assert registry.digest(repository, "v2") == single_layout.root()


def test_artifact_with_a_subject_is_discovered(regctl, registry, repository, single_layout):
    remote = push(regctl, registry, repository, single_layout)

    for kind in ("application/spdx+json", "application/x.signature"):
        regctl("artifact", "put", "--artifact-type", kind, "--subject", remote, stdin="{}")

    assert len(registry.referrers(repository, single_layout.root())) == 2
    assert "application/spdx+json" in regctl("artifact", "list", remote)
    shown = regctl("artifact", "list", remote, "--filter-artifact-type", "application/x.signature")
    (signature,) = set(re.findall(rf"{repository}@(sha256:[0-9a-f]{{64}})", shown)) - {single_layout.root()}
    assert registry.manifest(repository, signature)["artifactType"] == "application/x.signature"
    assert regctl("artifact", "get", f"{registry.host}/{repository}@{signature}") == "{}"


def test_blob_larger_than_a_chunk_is_pushed_in_chunks(regctl, registry, repository):
    content = bytes(range(256)) * 4096
    chunked = f"reg={registry.host},blobmax=1000,blobchunk=300000"

    digest = regctl("--host", chunked, "blob", "put", f"{registry.host}/{repository}", stdin=content)

    answer = registry.request("GET", f"/v2/{repository}/blobs/{digest}")
    assert answer.body == content


def test_sha512_is_kept(regctl, registry, repository):
    digest = f"sha512:{hashlib.sha512(b'content').hexdigest()}"

    regctl("blob", "put", "--digest", digest, f"{registry.host}/{repository}", stdin="content")

    assert regctl("blob", "get", f"{registry.host}/{repository}", digest) == "content"


def test_tags_and_repositories_are_listed(regctl, registry, repository, single_layout):
    remote = push(regctl, registry, repository, single_layout)
    regctl("image", "copy", remote, f"{registry.host}/{repository}:v10")

    assert regctl("tag", "ls", f"{registry.host}/{repository}").split() == ["v1", "v10"]
    assert repository in regctl("repo", "ls", registry.host).split()


def test_tag_delete_leaves_the_other_tag(regctl, registry, repository, single_layout):
    remote = push(regctl, registry, repository, single_layout)
    regctl("image", "copy", remote, f"{registry.host}/{repository}:v2")

    regctl("tag", "delete", remote)

    assert registry.digest(repository, "v1") is None
    assert registry.digest(repository, "v2") == single_layout.root()


def test_manifest_delete_takes_its_tags(regctl, registry, repository, single_layout):
    push(regctl, registry, repository, single_layout)

    regctl("manifest", "delete", f"{registry.host}/{repository}@{single_layout.root()}")

    assert registry.digest(repository, "v1") is None


def test_copy_to_another_repository_mounts_the_blobs(regctl, registry, repository, layout):
    remote = push(regctl, registry, repository, layout)

    regctl("image", "copy", remote, f"{registry.host}/{repository}/copy:v1")

    assert registry.digest(f"{repository}/copy", "v1") == layout.index
    assert registry.mounts(f"{repository}/copy") >= 4


def test_blobs_of_other_repositories_are_mounted_without_a_source(regctl, registry, repository, single_layout):
    push(regctl, registry, repository, single_layout)

    push(regctl, registry, f"{repository}/copy", single_layout)

    assert registry.mounts(f"{repository}/copy") == 3, "a config and two layers"
