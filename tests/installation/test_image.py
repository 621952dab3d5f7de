"""The container image: built without any registry, run with a read-only root, pushed into itself and pulled back."""

import json
import os
import re
import socket
import subprocess
import time

import pytest

from e2e.commands import installed, temporary_home
from harness import ROOT
from harness.image import build
from installation.engines import buildah, forget, podman
from installation.mirrors import apt_options
from simple_registry import __version__

pytestmark = pytest.mark.installation

IMAGE = "localhost/simple-registry"
BASE = "localhost/debian"
DEBIAN_BASE = ROOT / "packaging/container/debian-base"
MAX_COMPRESSED = {"whole": 80_000_000, "small": 50_000_000}
STOP_SECONDS = 5.0
START_SECONDS = 60.0
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
PASSWORD = re.compile(r"^ +password +(\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def home():
    with temporary_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def builder(home):
    """Return buildah, which has a Debian made of its packages as base."""
    (home / "builder").mkdir()
    command = buildah(home / "builder")
    installed("mmdebstrap", home / "builder")
    made = subprocess.run(
        [DEBIAN_BASE, BASE, "trixie", *apt_options()],
        env=command.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return command


def pip_options(folder):
    """Options that let pip in a build use the index as this machine's pip does."""
    index = os.environ.get("PIP_INDEX_URL")
    settings = ["[global]", "cert = /etc/pip.crt", *([f"index-url = {index}"] if index else [])]
    (folder / "pip.conf").write_text("\n".join(settings) + "\n")
    return [f"--volume={folder}/pip.conf:/etc/pip.conf:ro", f"--volume={AUTHORITIES}:/etc/pip.crt:ro"]


@pytest.fixture(scope="module", params=["whole", "small"])
def image(request, builder, tmp_path_factory):
    """Return the archive of an image and its kind."""
    kind, archive = request.param, builder.home / f"{request.param}.tar"
    options = ["--layers", f"--build-arg=BASE={BASE}", f"--target={kind}", *pip_options(builder.home)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in builder.environment.items():
            patch.setenv(name, value)
        build(ROOT, "HEAD", list(builder.words), options, f"{IMAGE}:{kind}")
    builder("push", f"{IMAGE}:{kind}", f"docker-archive:{archive}:{IMAGE}:{kind}")
    return kind, archive


@pytest.fixture(scope="module")
def engine(home, builder):
    found = podman(home)
    print("podman runs without root" if found.rootless else f"podman runs as root; without root: {found.reason}")
    yield found
    forget(found)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, name, port):
    """Run the image with what this machine permits: a published port, or else the network of the machine."""
    words = ["run", "--detach", "--name=registry", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all"]
    words += ["--security-opt=no-new-privileges", "--volume=data:/var/lib/simple-registry"]
    published = command.attempt(*words, f"--publish=127.0.0.1:{port}:5000", name)
    if not published.accepted:
        print(f"the container has the network of this machine, where no port can be published: {published.said}")
        command.attempt("rm", "--force", "registry")
        command(*words, "--network=host", name, "-addr", f"127.0.0.1:{port}")


def wait_until_healthy(command):
    deadline = time.monotonic() + START_SECONDS
    while not (asked := command.attempt("healthcheck", "run", "registry")).accepted:
        assert time.monotonic() < deadline, asked.said + command.attempt("logs", "registry").said
        time.sleep(0.2)


def test_it_runs_prints_a_password_and_holds_itself(image, engine, home):
    kind, archive = image
    command, name, port = engine.command, f"{IMAGE}:{kind}", free_port()
    command("load", "--input", archive)
    try:
        run(command, name, port)
        wait_until_healthy(command)
        password = PASSWORD.search(command.attempt("logs", "registry").said)[1]

        pushed = f"localhost:{port}/simple-registry:{kind}"
        options = ("--tls-verify=false", f"--creds=admin:{password}")
        command("push", *options, name, f"docker://{pushed}")
        command("pull", *options, pushed)
        identities = [command("image", "inspect", "--format={{.Id}}", each) for each in (name, pushed)]
        assert identities[0] == identities[1]
        manifest = json.loads(installed("skopeo", home)("inspect", "--raw", *options, f"docker://{pushed}"))
        size = sum(layer["size"] for layer in manifest["layers"])
        print(f"{kind}: {size:,} bytes compressed")
        assert size < MAX_COMPRESSED[kind]

        started = time.monotonic()
        command("stop", "--time=30", "registry")
        assert time.monotonic() - started < STOP_SECONDS
        assert command("inspect", "--format={{.State.ExitCode}}", "registry") == "0"
    finally:
        command.attempt("rm", "--force", "--volumes", "registry")
        command.attempt("volume", "rm", "--force", "data")


def test_it_says_what_it_is(image, engine):
    kind, _ = image
    found = json.loads(engine.command("image", "inspect", f"{IMAGE}:{kind}"))[0]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in found["Labels"].items()}
    assert {"title", "description", "licenses", "version", "revision", "created"} <= labels.keys()
    assert labels["version"] == __version__
    git = ["git", "-C", str(ROOT), "show", "--no-patch", "--format=%H %ct", "HEAD"]
    revision, moment = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split()
    assert labels["revision"] == revision
    assert labels["created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(moment)))
    assert found["Created"] == labels["created"]
    assert found["Config"]["User"] == "65532:65532"
    assert found["Config"]["ExposedPorts"].keys() == {"5000/tcp"}
    assert found["Config"]["Volumes"].keys() == {"/var/lib/simple-registry"}


MISSING = """
import importlib.util, shutil
print([each for each in ("pip", "setuptools", "build") if importlib.util.find_spec(each)])
print([each for each in ("cc", "gcc", "pip", "pip3") if shutil.which(each)])
"""


def test_it_has_neither_pip_nor_a_compiler(image, engine):
    kind, _ = image
    words = ("run", "--rm", "--network=none", "--read-only", "--entrypoint=python3", f"{IMAGE}:{kind}", "-c", MISSING)
    assert engine.command(*words) == "[]\n[]"
