"""oras: artifacts of any kind, what is attached to them, and its discovery."""

import json

import pytest

from e2e.commands import built
from e2e.images import TAG, open_layout
from harness.gotools import ORAS

pytestmark = pytest.mark.clients


def trust(registry, prefix=""):
    """Options for the connection; in `oras cp` their names begin with `from-` or `to-`."""
    return [f"--{prefix}ca-file={registry.authority}" if registry.tls else f"--{prefix}plain-http"]


def login(registry):
    return ["login", *trust(registry), "-u", registry.username, "--password-stdin", registry.host]


@pytest.fixture(scope="module")
def oras(registry, home):
    """Oras, logged in."""
    command = built(ORAS, home)
    command(*login(registry), stdin=registry.password)
    (home / "artifact.txt").write_text("hello\n")
    (home / "sbom.json").write_text('{"spdxVersion": "SPDX-2.3"}\n')
    return command


@pytest.fixture
def artifact(oras, registry, repository):
    """The reference of an artifact that has been pushed."""
    reference = f"{registry.host}/{repository}:v1"
    oras("push", *trust(registry), "--artifact-type", "application/x.test", reference, "artifact.txt:text/plain")
    return reference


def attach(oras, registry, reference, kind="application/spdx+json"):
    """Attach a file and return the digest of what was attached."""
    said = oras("attach", *trust(registry), "--artifact-type", kind, "--format", "json", reference, "sbom.json")
    return json.loads(said)["digest"]


def discover(oras, registry, reference, *options):
    """Return the digests of what is attached."""
    found = json.loads(oras("discover", *trust(registry), "--format", "json", *options, reference))
    return [entry["digest"] for entry in found.get("referrers") or found.get("manifests") or []]


def test_wrong_password_is_refused(registry, tmp_path):
    said = built(ORAS, tmp_path).refused(*login(registry), stdin="wrong")

    assert "unauthorized" in said


def test_an_artifact_is_pulled_unchanged(oras, registry, artifact, tmp_path):
    oras("pull", *trust(registry), "--output", tmp_path, artifact)

    assert (tmp_path / "artifact.txt").read_text() == "hello\n"


def test_types_with_parameters_and_of_one_word_are_pushed(oras, registry, repository, tmp_path):
    reference = f"{registry.host}/{repository}:typed"
    oras("push", *trust(registry), reference, "artifact.txt:text/plain; charset=utf-8", "sbom.json:sbom")

    oras("pull", *trust(registry), "--output", tmp_path, reference)

    assert (tmp_path / "artifact.txt").read_text() == "hello\n"


def test_attached_artifacts_are_discovered(oras, registry, repository, artifact):
    sbom = attach(oras, registry, artifact)
    signature = attach(oras, registry, artifact, "application/x.signature")

    assert set(discover(oras, registry, artifact)) == {sbom, signature}
    assert discover(oras, registry, artifact, "--artifact-type", "application/x.signature") == [signature]
    assert set(registry.referrers(repository, registry.digest(repository, "v1"))) == {sbom, signature}
    assert oras("repo", "tags", *trust(registry), artifact.rpartition(":")[0]) == "v1", "a fallback tag was written"


def test_attached_to_attached_is_discovered(oras, registry, repository, artifact):
    sbom = attach(oras, registry, artifact)

    signature = attach(oras, registry, f"{registry.host}/{repository}@{sbom}", "application/x.signature")

    assert discover(oras, registry, f"{registry.host}/{repository}@{sbom}") == [signature]


def test_deleted_referrer_is_not_discovered(oras, registry, repository, artifact):
    sbom = attach(oras, registry, artifact)

    oras("manifest", "delete", "--force", *trust(registry), f"{registry.host}/{repository}@{sbom}")

    assert discover(oras, registry, artifact) == []


def test_an_index_is_pulled_with_equal_digests(oras, registry, repository, layout, tmp_path):
    remote = f"{registry.host}/{repository}:v1"

    oras("cp", *trust(registry, "to-"), "--from-oci-layout", f"{layout.path}:{TAG}", remote)
    oras("cp", *trust(registry, "from-"), "--to-oci-layout", remote, f"{tmp_path / 'back'}:{TAG}")

    assert oras("resolve", *trust(registry), remote) == layout.index
    assert open_layout(tmp_path / "back").root() == layout.index


def test_index_is_created_in_the_registry(oras, registry, repository, layout):
    name = f"{registry.host}/{repository}"
    oras("cp", *trust(registry, "to-"), "--from-oci-layout", f"{layout.path}:{TAG}", f"{name}:v1")

    oras("manifest", "index", "create", *trust(registry), f"{name}:v2", *layout.images.values())

    listed = json.loads(oras("manifest", "fetch", *trust(registry), f"{name}:v2"))["manifests"]
    assert {child["digest"] for child in listed} == set(layout.images.values())


def test_tags_and_repositories_are_listed(oras, registry, repository, artifact):
    oras("tag", *trust(registry), artifact, "v2", "latest")

    assert oras("repo", "tags", *trust(registry), f"{registry.host}/{repository}").split() == ["latest", "v1", "v2"]
    assert repository in oras("repo", "ls", *trust(registry), registry.host).split()


def test_deleted_manifest_is_gone(oras, registry, repository, artifact):
    digest = registry.digest(repository, "v1")

    oras("manifest", "delete", "--force", *trust(registry), f"{registry.host}/{repository}@{digest}")

    assert registry.digest(repository, "v1") is None
    assert "not found" in oras.refused("resolve", *trust(registry), artifact)


def test_blobs_are_pushed_fetched_and_deleted(oras, registry, repository):
    name = f"{registry.host}/{repository}"

    digest = json.loads(oras("blob", "push", *trust(registry), "--descriptor", name, "artifact.txt"))["digest"]

    assert oras("blob", "fetch", *trust(registry), "--output", "-", f"{name}@{digest}") == "hello"
    oras("blob", "delete", "--force", *trust(registry), f"{name}@{digest}")
    assert "not found" in oras.refused("blob", "fetch", *trust(registry), "--output", "-", f"{name}@{digest}")


def test_copy_to_another_repository_mounts_the_blobs_and_takes_referrers(oras, registry, repository, artifact):
    sbom = attach(oras, registry, artifact)
    copy = f"{registry.host}/{repository}/copy:v1"

    oras("cp", "--recursive", *trust(registry, "from-"), *trust(registry, "to-"), artifact, copy)

    assert discover(oras, registry, copy) == [sbom]
    assert registry.mounts(f"{repository}/copy") >= 1
