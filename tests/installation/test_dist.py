"""What `make dist` builds is the same at each build, and is what people install."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from e2e.server import serve
from harness import ROOT
from harness.dist import build
from simple_registry import __version__

pytestmark = pytest.mark.installation

INSTALLERS = ("pipx==1.18.4", "uv==0.13.9")
MAX_INSTALLED = 60_000_000
PYTHONS = ("3.11", "3.12", "3.13")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    made = build(ROOT, "HEAD", tmp_path_factory.mktemp("dist"))
    assert [path.name for path in made] == [
        f"simple_registry-{__version__}-py3-none-any.whl",
        f"simple_registry-{__version__}.tar.gz",
    ]
    return made[0]


@pytest.fixture(scope="module")
def installers(tmp_path_factory):
    """The programs of people who install tools, in an environment of their own."""
    folder = tmp_path_factory.mktemp("installers")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/pip", "install", "--quiet", *INSTALLERS)
    return folder / "bin"


def run(*words, **variables):
    """Run a program with neither a compiler nor other programs on PATH."""
    environment = os.environ | {"PATH": str(Path(words[0]).parent)} | {name: str(it) for name, it in variables.items()}
    done = subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def python(version):
    """Return an interpreter of this version, or skip."""
    managed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob(f"{version}.*/bin/python")
    for found in (*managed, which(f"python{version}"), sys.executable):
        ask = [str(found), "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"]
        if found and subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == version:
            return found
    pytest.skip(f"there is no Python {version}")


def serves(program, folder, monkeypatch):
    """Whether the installed program starts and answers."""
    monkeypatch.setenv("E2E_REGISTRY", str(program))
    with serve(folder / "registry") as registry:
        return registry.request("GET", "/v2/").status == 200


def test_a_second_build_in_another_place_has_the_same_bytes(wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    run(which("git"), "clone", "--quiet", "--shared", "--no-checkout", ROOT, tmp_path / "clone")
    before = os.umask(0o077)
    try:
        again = build(tmp_path / "clone", "HEAD", tmp_path / "dist")
    finally:
        os.umask(before)
    for path in again:
        assert path.read_bytes() == (wheel.parent / path.name).read_bytes(), path.name


@pytest.mark.parametrize("version", PYTHONS)
def test_pip_installs_it_with_hashes_and_without_a_compiler(wheel, version, tmp_path, monkeypatch):
    run(python(version), "-m", "venv", tmp_path / "venv")
    empty = size(tmp_path / "venv")  # with pip, and setuptools for Python 3.11
    program = tmp_path / "venv/bin/python"
    pip = (program, "-m", "pip", "install", "--quiet")
    run(*pip, "--require-hashes", "--only-binary=:all:", "-r", ROOT / "requirements.lock")
    run(*pip, "--no-deps", wheel)
    assert run(program.with_name("simple-registry"), "version").startswith(f"simple-registry {__version__} ")
    assert "_shtab_simple_registry simple-registry" in run(program.with_name("simple-registry"), "completion", "bash")
    assert (tmp_path / "venv/share/man/man1/simple-registry.1").is_file()
    assert serves(program.with_name("simple-registry"), tmp_path, monkeypatch)
    assert size(tmp_path / "venv") - empty < MAX_INSTALLED


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_pipx_installs_it(wheel, installers, tmp_path, monkeypatch):
    places = {"PIPX_HOME": tmp_path / "home", "PIPX_BIN_DIR": tmp_path / "bin", "PIPX_MAN_DIR": tmp_path / "man"}
    run(installers / "pipx", "install", wheel, **places)
    assert serves(tmp_path / "bin/simple-registry", tmp_path, monkeypatch)


def test_uv_installs_it(wheel, installers, tmp_path, monkeypatch):
    places = {"UV_TOOL_DIR": tmp_path / "home", "UV_TOOL_BIN_DIR": tmp_path / "bin"}
    run(installers / "uv", "tool", "install", "--no-python-downloads", "--python", sys.executable, wheel, **places)
    assert serves(tmp_path / "bin/simple-registry", tmp_path, monkeypatch)
