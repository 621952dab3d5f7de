"""podman: a container engine without a daemon, over storage of its own in a temporary folder."""

import pytest

from e2e.clients import podman_at
from e2e.commands import temporary_home
from e2e.images import TAG, layer_archive

pytestmark = pytest.mark.clients


def login(registry):
    return ["login", *trust(registry), "-u", registry.username, "--password-stdin", registry.host]


def trust(registry):
    return [f"--cert-dir={registry.certificates}" if registry.tls else "--tls-verify=false"]


@pytest.fixture(scope="module")
def podman(registry, engine_home):
    """Podman, logged in."""
    command = podman_at(engine_home)
    command(*login(registry), stdin=registry.password)
    return command


@pytest.fixture
def other_home():
    """A home without any login."""
    with temporary_home() as folder:
        yield folder


@pytest.fixture
def image(podman, tmp_path):
    """The ID of a new image in podman's storage."""
    archive = tmp_path / "root.tar"
    archive.write_bytes(layer_archive())
    return podman("import", "--quiet", archive).splitlines()[-1]


def test_wrong_password_is_refused(registry, other_home):
    said = podman_at(other_home).refused(*login(registry), stdin="wrong")

    assert "invalid username/password" in said


def test_logout_ends_access(registry, other_home, repository):
    command = podman_at(other_home)
    command(*login(registry), stdin=registry.password)
    assert command("login", "--get-login", registry.host) == registry.username

    command("logout", registry.host)

    assert "unauthorized" in command.refused("pull", *trust(registry), f"{registry.host}/{repository}:v1")


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_an_image_is_pulled_with_an_equal_digest(podman, registry, repository, image, form):
    remote = f"{registry.host}/{repository}:{form}"

    podman("push", *trust(registry), "--format", form, "--digestfile", "digest", image, f"docker://{remote}")
    podman("rmi", "--force", image)
    podman("pull", *trust(registry), remote)

    digest = (podman.home / "digest").read_text().strip()
    assert registry.digest(repository, form) == digest
    assert podman("image", "inspect", "--format", "{{.Digest}}", remote) == digest
    assert podman("image", "inspect", "--format", "{{.Id}}", remote) == image.removeprefix("sha256:")


def test_zstd_layers_are_stored_and_read(podman, registry, repository, image):
    remote = f"{registry.host}/{repository}:v1"

    podman("push", *trust(registry), "--compression-format", "zstd", image, f"docker://{remote}")
    podman("rmi", "--force", image)
    podman("pull", *trust(registry), remote)

    manifest = registry.manifest(repository, "v1")
    assert [layer["mediaType"] for layer in manifest["layers"]] == ["application/vnd.oci.image.layer.v1.tar+zstd"]


def test_manifest_list_is_pushed_with_its_images(podman, registry, repository, layout):
    remote, name = f"{registry.host}/{repository}:v1", f"localhost/{repository}:list"
    podman("manifest", "create", name)
    podman("manifest", "add", "--all", name, f"oci:{layout.path}:{TAG}")

    podman("manifest", "push", "--all", *trust(registry), name, f"docker://{remote}")
    podman("pull", *trust(registry), "--arch", "arm64", remote)

    children = registry.manifest(repository, "v1")["manifests"]
    assert {child["digest"] for child in children} == set(layout.images.values())
    assert podman("image", "inspect", "--format", "{{.Architecture}}", remote) == "arm64"


def test_tags_are_listed(podman, registry, repository, image):
    for tag in ("v2", "v10", "latest"):
        podman("push", *trust(registry), image, f"docker://{registry.host}/{repository}:{tag}")

    options = [] if registry.tls else ["--tls-verify=false"]  # it has no option for a certificate folder
    trusting = podman.with_environment(SSL_CERT_FILE=str(registry.authority)) if registry.tls else podman
    said = trusting("search", *options, "--list-tags", f"{registry.host}/{repository}")

    assert [line.split()[-1] for line in said.splitlines()] == ["TAG", "latest", "v10", "v2"]


def test_push_to_another_repository_mounts_the_layer(podman, registry, repository, image):
    podman("push", *trust(registry), image, f"docker://{registry.host}/{repository}:v1")

    podman("push", *trust(registry), image, f"docker://{registry.host}/{repository}/copy:v1")

    assert registry.digest(f"{repository}/copy", "v1") is not None
    assert registry.mounts(f"{repository}/copy") >= 1
