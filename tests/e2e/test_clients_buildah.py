"""buildah: makes an image from scratch and pushes it."""

import json

import pytest

from e2e.clients import buildah_at
from e2e.images import layer_archive

pytestmark = pytest.mark.clients


def login(registry):
    return ["login", *trust(registry), "-u", registry.username, "--password-stdin", registry.host]


def trust(registry):
    return [f"--cert-dir={registry.certificates}" if registry.tls else "--tls-verify=false"]


@pytest.fixture(scope="module")
def buildah(registry, home):
    """Buildah, logged in."""
    command = buildah_at(home)
    command(*login(registry), stdin=registry.password)
    return command


@pytest.fixture
def build(buildah, tmp_path):
    """Build an image from scratch for an architecture and return its ID."""

    def build(architecture="amd64"):
        (tmp_path / "content").write_bytes(layer_archive())
        container = buildah("from", "--arch", architecture, "scratch")
        buildah("copy", container, tmp_path / "content", "/content")
        return buildah("commit", "--quiet", "--rm", container)

    return build


def test_wrong_password_is_refused(registry, tmp_path):
    said = buildah_at(tmp_path).refused(*login(registry), stdin="wrong")

    assert "invalid username/password" in said


@pytest.mark.parametrize("form", ["oci", "docker"])
def test_an_image_is_pulled_with_an_equal_digest(buildah, registry, repository, build, form):
    remote, image = f"{registry.host}/{repository}:{form}", build()

    buildah("push", *trust(registry), "--format", form, "--digestfile", "digest", image, f"docker://{remote}")
    buildah("rmi", "--force", image)
    buildah("pull", *trust(registry), remote)

    digest = (buildah.home / "digest").read_text().strip()
    assert registry.digest(repository, form) == digest
    assert json.loads(buildah("inspect", "--type", "image", remote))["FromImageDigest"] == digest


def test_manifest_list_is_pushed_with_its_images(buildah, registry, repository, build):
    remote, name = f"{registry.host}/{repository}:v1", f"localhost/{repository}:list"
    buildah("manifest", "create", name)
    for architecture in ("amd64", "arm64"):
        buildah("manifest", "add", "--arch", architecture, name, build(architecture))

    buildah("manifest", "push", "--all", *trust(registry), name, f"docker://{remote}")

    index = registry.manifest(repository, "v1")
    assert [child["platform"]["architecture"] for child in index["manifests"]] == ["amd64", "arm64"]
    for child in index["manifests"]:
        assert registry.digest(repository, child["digest"]) == child["digest"]


def test_containerfile_builds_on_a_pushed_image(buildah, registry, repository, build, tmp_path):
    remote = f"{registry.host}/{repository}:v1"
    buildah("push", *trust(registry), build(), f"docker://{remote}")
    (tmp_path / "Containerfile").write_text(f"FROM {remote}\nLABEL colour=green\n")

    buildah("build", *trust(registry), "--pull-always", "-t", f"{remote}-green", tmp_path)
    buildah("push", *trust(registry), f"{remote}-green")

    assert registry.digest(repository, "v1-green") is not None


def test_push_to_another_repository_mounts_the_layer(buildah, registry, repository, build):
    image = build()
    buildah("push", *trust(registry), image, f"docker://{registry.host}/{repository}:v1")

    buildah("push", *trust(registry), image, f"docker://{registry.host}/{repository}/copy:v1")

    assert registry.digest(f"{repository}/copy", "v1") is not None
    assert registry.mounts(f"{repository}/copy") >= 1
