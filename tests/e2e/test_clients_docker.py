"""docker: the command and a daemon of its own; see `e2e.daemons`."""

import json
import re

import pytest

from e2e.commands import installed
from e2e.daemons import dockerd
from e2e.images import layer_archive
from e2e.server import serve

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module", params=["plain", "tls"])
def registry(request, tmp_path_factory):
    """A server on 127.0.0.1 without TLS, or at registry.test with it."""
    folder = tmp_path_factory.mktemp("registry")
    if request.param == "plain":
        with serve(folder) as running:
            yield running
    else:
        with serve(folder, tls=True, address="[::1]:0", name="registry.test") as running:
            yield running


@pytest.fixture(scope="module")
def daemon(registry, engine_home):
    """The home of a daemon that is ready."""
    with dockerd(engine_home, registry) as home:
        yield home


def client(daemon, home):
    return installed("docker", home, "--host", f"unix://{daemon / 'socket'}")


def login(registry):
    return ["login", "-u", registry.username, "--password-stdin", registry.host]


@pytest.fixture(scope="module")
def docker(registry, daemon):
    """Docker, logged in."""
    command = client(daemon, daemon)
    command(*login(registry), stdin=registry.password)
    return command


@pytest.fixture
def image(docker, tmp_path):
    """The ID of a new image in the daemon's storage."""
    archive = tmp_path / "root.tar"
    archive.write_bytes(layer_archive())
    return docker("import", archive)


def push(docker, image, reference):
    """Push an image under a name and return its digest and the output of docker."""
    docker("tag", image, reference)
    said = docker("push", reference)
    digest = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
    assert digest, said
    return digest[1], said


def test_wrong_password_is_refused(registry, daemon, tmp_path):
    said = client(daemon, tmp_path).refused(*login(registry), stdin="wrong")

    assert "unauthorized" in said.lower()


def test_pull_without_login_is_refused(registry, daemon, tmp_path, repository):
    said = client(daemon, tmp_path).refused("pull", f"{registry.host}/{repository}:v1")

    assert "no basic auth credentials" in said or "unauthorized" in said


def test_an_image_is_pulled_with_an_equal_digest(docker, registry, repository, image):
    reference = f"{registry.host}/{repository}:v1"

    digest, _ = push(docker, image, reference)
    docker("rmi", "--force", image)
    said = docker("pull", reference)

    assert registry.digest(repository, "v1") == digest
    assert f"Digest: {digest}" in said
    assert docker("image", "inspect", "--format", "{{.Id}}", reference) == image


def test_image_is_pulled_by_digest(docker, registry, repository, image):
    digest, _ = push(docker, image, f"{registry.host}/{repository}:v1")
    docker("rmi", "--force", image)

    docker("pull", f"{registry.host}/{repository}@{digest}")

    assert docker("image", "inspect", "--format", "{{.Id}}", f"{registry.host}/{repository}@{digest}") == image


def test_a_second_push_sends_nothing(docker, registry, repository, image):
    push(docker, image, f"{registry.host}/{repository}:v1")

    _, said = push(docker, image, f"{registry.host}/{repository}:v2")

    assert "Layer already exists" in said


def test_all_tags_are_pushed_and_pulled(docker, registry, repository, image):
    name = f"{registry.host}/{repository}"
    for tag in ("v2", "v10", "latest"):
        docker("tag", image, f"{name}:{tag}")

    docker("push", "--all-tags", name)
    docker("rmi", "--force", image)
    docker("pull", "--all-tags", name)

    assert set(docker("image", "ls", "--format", "{{.Tag}}", name).split()) == {"latest", "v2", "v10"}


def test_push_to_another_repository_mounts_the_layer(docker, registry, repository, image):
    push(docker, image, f"{registry.host}/{repository}:v1")

    _, said = push(docker, image, f"{registry.host}/{repository}/copy:v1")

    assert f"Mounted from {repository}" in said
    assert registry.mounts(f"{repository}/copy") >= 1


# `docker manifest` works without the daemon and takes all loopback addresses for plain HTTP.
@pytest.mark.parametrize("registry", ["plain"], indirect=True)
def test_manifest_list_is_pushed_and_its_platform_pulled(docker, registry, repository, tmp_path):
    name, archive, images = f"{registry.host}/{repository}", tmp_path / "root.tar", {}
    for tag in ("amd64", "arm64"):
        archive.write_bytes(layer_archive())
        images[tag] = docker("import", archive)
        push(docker, images[tag], f"{name}:{tag}")

    docker("manifest", "create", "--insecure", f"{name}:v1", f"{name}:amd64", f"{name}:arm64")
    docker("manifest", "annotate", "--arch", "arm64", f"{name}:v1", f"{name}:arm64")
    digest = docker("manifest", "push", "--insecure", f"{name}:v1").splitlines()[-1]
    docker("pull", f"{name}:v1")

    assert registry.digest(repository, "v1") == digest
    assert docker("image", "inspect", "--format", "{{.Id}}", f"{name}:v1") == images["amd64"]


def test_large_layer_is_streamed(docker, registry, repository, tmp_path):
    archive = tmp_path / "root.tar"
    archive.write_bytes(layer_archive(50_000_000))
    image = docker("import", archive)

    push(docker, image, f"{registry.host}/{repository}:v1")
    docker("rmi", "--force", image)
    docker("pull", f"{registry.host}/{repository}:v1")

    shown = json.loads(docker("image", "inspect", f"{registry.host}/{repository}:v1"))
    assert shown[0]["Id"] == image
