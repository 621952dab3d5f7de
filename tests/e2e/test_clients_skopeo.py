"""skopeo: copies images between places without a container engine."""

import json

import pytest

from e2e.commands import installed
from e2e.images import TAG, open_layout

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def skopeo(registry, home):
    """Skopeo, logged in."""
    command = installed("skopeo", home, "--insecure-policy")
    command(
        "login",
        *trust(registry),
        "-u",
        registry.username,
        "--password-stdin",
        registry.host,
        stdin=registry.password,
    )
    return command


def trust(registry, prefix=""):
    """Options for the connection to the registry, whose names begin with `prefix` in `skopeo copy`."""
    return [f"--{prefix}cert-dir={registry.certificates}" if registry.tls else f"--{prefix}tls-verify=false"]


def test_wrong_password_is_refused(registry, tmp_path):
    command = installed("skopeo", tmp_path)

    said = command.refused(
        "login", *trust(registry), "-u", registry.username, "--password-stdin", registry.host, stdin="wrong"
    )

    assert "invalid username/password" in said


def test_an_index_is_pulled_with_equal_digests(skopeo, registry, repository, layout, tmp_path):
    remote = f"docker://{registry.host}/{repository}:v1"

    skopeo("copy", "--all", *trust(registry, "dest-"), f"oci:{layout.path}:{TAG}", remote)
    skopeo("copy", "--all", *trust(registry, "src-"), remote, f"oci:{tmp_path / 'back'}:{TAG}")

    assert registry.digest(repository, "v1") == layout.index
    back = open_layout(tmp_path / "back")
    assert back.root() == layout.index
    for image in layout.images.values():
        assert back.blob(image) == layout.blob(image)


def test_raw_manifest_is_the_exact_bytes(skopeo, registry, repository, layout):
    remote = f"docker://{registry.host}/{repository}:v1"
    skopeo("copy", "--all", *trust(registry, "dest-"), f"oci:{layout.path}:{TAG}", remote)

    raw = skopeo("inspect", "--raw", *trust(registry), remote)

    assert raw.encode() == layout.blob(layout.index)


def test_the_docker_format_is_pulled_as_pushed(skopeo, registry, repository, single_layout):
    remote = f"docker://{registry.host}/{repository}:v1"
    skopeo("copy", "--format", "v2s2", *trust(registry, "dest-"), f"oci:{single_layout.path}:{TAG}", remote)

    raw = json.loads(skopeo("inspect", "--raw", *trust(registry), remote))

    assert raw["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_tags_are_listed(skopeo, registry, repository, single_layout):
    for tag in ("v2", "v10", "latest"):
        skopeo(
            "copy",
            *trust(registry, "dest-"),
            f"oci:{single_layout.path}:{TAG}",
            f"docker://{registry.host}/{repository}:{tag}",
        )

    listed = json.loads(skopeo("list-tags", *trust(registry), f"docker://{registry.host}/{repository}"))

    assert listed["Tags"] == ["latest", "v10", "v2"]


def test_delete_removes_the_image(skopeo, registry, repository, single_layout):
    remote = f"docker://{registry.host}/{repository}:v1"
    skopeo("copy", *trust(registry, "dest-"), f"oci:{single_layout.path}:{TAG}", remote)

    skopeo("delete", *trust(registry), remote)

    assert registry.digest(repository, "v1") is None
    assert "manifest unknown" in skopeo.refused("inspect", *trust(registry), remote)


def test_copy_to_another_repository_mounts_the_blobs(skopeo, registry, repository, single_layout):
    remote, other = (f"docker://{registry.host}/{name}:v1" for name in (repository, f"{repository}/copy"))
    skopeo("copy", *trust(registry, "dest-"), f"oci:{single_layout.path}:{TAG}", remote)

    skopeo("copy", *trust(registry, "src-"), *trust(registry, "dest-"), remote, other)

    assert registry.digest(f"{repository}/copy", "v1") == single_layout.root()
    assert registry.mounts(f"{repository}/copy") >= 2
