"""The Debian package: installed, upgraded, removed and purged in a Debian of its own, and started by its systemd."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.commands import installed, temporary_home, unavailable
from e2e.daemons import running
from e2e.server import READY, Registry
from harness import ROOT
from harness.certificates import issue
from harness.deb import build
from installation.mirrors import apt_options
from simple_registry import __version__

pytestmark = pytest.mark.installation

SUITE, PYTHON = "bookworm", (3, 11)
INCLUDED = "adduser,ca-certificates,debconf,init-system-helpers,python3,systemd-sysv"
CONFIGURATION, DATA, PROGRAM = "etc/simple-registry", "var/lib/simple-registry", "usr/bin/simple-registry"
VARIABLES = {
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TMPDIR": "/tmp",
}
CLIENT = """\
import base64, http.client, pathlib, sys

path, credentials, *until = sys.argv[1:]
proof = "Basic " + base64.b64encode(credentials.encode()).decode()
while True:
    connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": proof} if path != "/healthz" else {})
        print(connection.getresponse().status, flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    connection.close()
    if not until or pathlib.Path(until[0]).exists():
        break
"""
TRUST = 'context=ssl.create_default_context(cafile="/etc/simple-registry/authority/ca.crt")'
SECURE_CLIENT = "import ssl\n" + CLIENT.replace("HTTPConn", "HTTPSConn").replace("timeout=30", f"timeout=30, {TRUST}")
SYSTEM_LIBRARIES = {"libc", "libm", "libdl", "libpthread", "librt", "libutil", "libgcc_s", "libstdc++"}
EXPOSURE = 15
"""As in tests/docs/test_unit.py."""
START_SECONDS, STOP_SECONDS = 60.0, 60.0
PASSWORD = re.compile(r"^ +password +(\w+)$", re.MULTILINE)
MAX_PACKAGE = 40_000_000


@pytest.fixture(scope="module")
def home():
    if os.geteuid() != 0:
        unavailable("root directories are made by root")
    if sys.version_info[:2] != PYTHON:
        pytest.skip(f"{SUITE} has another Python")
    with temporary_home() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "debian", folder], check=True)  # dpkg syncs each file that it writes
        yield folder
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def base(home):
    """The root directory of a minimal Debian."""
    make = installed("mmdebstrap", home).words
    options = ("--quiet", "--variant=minbase", "--mode=root", f"--include={INCLUDED}", *apt_options())
    subprocess.run([*make, *options, SUITE, home / "base"], check=True)
    return home / "base"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return build(ROOT, "HEAD", tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def newer(package, home):
    """The same package with a higher version."""
    dpkg = installed("dpkg-deb", home)
    dpkg("--raw-extract", package, home / "newer")
    control = home / "newer/DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {__version__}\n", "Version: 999\n"))
    dpkg("-Znone", "--build", home / "newer", home / "newer.deb")
    return home / "newer.deb"


@pytest.fixture
def debian(base, home, package, newer):
    """A Debian with both packages at the top."""
    root = home / "debian"
    subprocess.run(["cp", "--archive", "--reflink=auto", base, root], check=True)
    shutil.copyfile(package, root / "package.deb")
    shutil.copyfile(newer, root / "newer.deb")
    namespaces = ("--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc")
    yield Debian(root, installed("unshare", home, *namespaces, "chroot", str(root)).with_environment(**VARIABLES))
    shutil.rmtree(root)


class Debian:
    """A root directory, and the command that runs others in it."""

    def __init__(self, root, run):
        self.root = root
        self.run = run

    def owner_of(self, path):
        """Return mode and names of user and group."""
        return self.run("stat", "--format=%a %U:%G", f"/{path}")

    def has(self, path):
        return os.path.lexists(self.root / path)


def test_it_is_installed_upgraded_removed_and_purged(debian):
    debian.run("dpkg", "--install", "/package.deb")
    assert debian.run("simple-registry", "version").startswith(f"simple-registry {__version__} ")
    assert debian.owner_of(CONFIGURATION) == "750 root:registry"
    assert debian.has("etc/systemd/system/multi-user.target.wants/simple-registry.service")

    settings = debian.root / CONFIGURATION / "settings.yaml"
    settings.write_text(settings.read_text().replace("127.0.0.1:5000", "127.0.0.1:0"))
    changed = settings.read_text()
    (debian.root / CONFIGURATION / "users.yaml").write_text("")
    (debian.root / DATA).mkdir()
    debian.run("dpkg", "--install", "/newer.deb")
    assert settings.read_text() == changed
    assert debian.owner_of(CONFIGURATION) == "750 root:registry"

    debian.run("dpkg", "--remove", "simple-registry")
    assert (settings.read_text(), debian.has(PROGRAM)) == (changed, False)

    assert "stays in /var/lib/simple-registry" in debian.run.attempt("dpkg", "--purge", "simple-registry").said
    assert [debian.has(path) for path in (f"{CONFIGURATION}/settings.yaml", DATA)] == [False, True]
    assert debian.has(f"{CONFIGURATION}/users.yaml")  # not a file of the package

    debian.run("dpkg", "--install", "/package.deb")
    debian.run("debconf-set-selections", stdin="simple-registry simple-registry/purge-data boolean true\n")
    debian.run("dpkg", "--purge", "simple-registry")
    assert not debian.has(DATA)


def test_its_server_starts_as_its_user_with_the_settings_of_the_package(debian):
    debian.run("dpkg", "--install", "/package.deb")
    debian.run("install", "--directory", "--owner=registry", "--mode=0700", f"/{DATA}")
    settings = debian.root / CONFIGURATION / "settings.yaml"
    settings.write_text(settings.read_text().replace("127.0.0.1:5000", "127.0.0.1:0"))
    command = ["chroot", "--userspec=registry:registry", debian.root, f"/{PROGRAM}", "-cfgdir", f"/{CONFIGURATION}"]
    with running(command, debian.run.home, READY.search):
        log = debian.run.home / "daemon.log"
        host, password = READY.search(log.read_text())[2], PASSWORD.search(log.read_text())[1]
        registry = Registry("http", host, host, log, 0, None, "admin", password)
        assert registry.request("GET", "/v2/").status == 200


def test_it_needs_only_what_it_depends_on(package, home):
    assert package.stat().st_size < MAX_PACKAGE
    dpkg = installed("dpkg-deb", home)
    files = home / "files"
    dpkg("--raw-extract", package, files)
    libraries = [str(path) for path in files.rglob("*.so*")]
    resolved = installed("ldd", home).attempt(*libraries).said  # fails at those that need nothing
    assert "not found" not in resolved
    outside = set(re.findall(r" => /(?:usr/)?lib/\S*/(\S+) ", resolved))
    assert {name.partition(".so")[0] for name in outside} <= SYSTEM_LIBRARIES


# ---------------------------------------------------------------- systemd


@pytest.fixture
def booted(debian):
    """A Debian whose systemd runs, with a network of its own; skips with the reason where none can."""
    boot = installed("systemd-nspawn", debian.run.home)
    options = ("--boot", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off", "--link-journal=no")
    command = [*boot.words, "--directory", debian.root, f"--machine={debian.run.home.name}", *options]
    log = debian.run.home / "nspawn.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--console=pipe"], env=boot.environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
    try:
        yield Debian(debian.root, enter(debian.run.home, process, log))
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def enter(home, process, log):
    """Return the command that runs others inside, once the system is up."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := children.read_text().split():
            namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
            inside = installed("nsenter", home, "--target", found[0], *namespaces).with_environment(**VARIABLES)
            if inside.attempt("systemctl", "is-system-running").said.strip() == "running":
                return inside
        time.sleep(0.2)
    pytest.skip(f"systemd does not start in a container on this machine: {log.read_text(errors='replace')[-2000:]}")


def status(inside, path, credentials="nobody:nothing"):
    return inside("python3", "/client.py", path, credentials)


def test_systemd_starts_reloads_and_restarts_it(booted):
    inside = booted.run
    (booted.root / "client.py").write_text(CLIENT)
    inside("dpkg", "--install", "/package.deb")
    assert inside("systemctl", "is-active", "simple-registry.service") == "active"
    password = PASSWORD.search(inside("journalctl", "--output=cat", "--unit=simple-registry"))[1]
    assert status(inside, "/v2/", f"admin:{password}") == "200"
    inside("systemd-analyze", "security", f"--threshold={EXPOSURE}", "simple-registry.service")

    wrong = booted.root / CONFIGURATION / "wrong.yaml"
    wrong.write_text("kind: Nonsense\n")
    inside.refused("systemctl", "reload", "simple-registry")
    assert "wrong.yaml:1: " in inside.attempt("systemctl", "status", "simple-registry").said
    assert status(inside, "/v2/", f"admin:{password}") == "200"
    wrong.unlink()
    inside("systemctl", "reload", "simple-registry")

    inside("systemctl", "stop", "simple-registry.service")
    inside("systemctl", "enable", "--now", "simple-registry.socket")
    inside("systemctl", "start", "simple-registry.service")
    with asked_all_the_time(booted) as answers:
        inside("systemctl", "restart", "simple-registry.service")
        inside("dpkg", "--install", "/newer.deb")
    assert answers == {"200"}

    inside("dpkg", "--purge", "simple-registry")
    assert inside("systemctl", "list-units", "--all", "--plain", "--no-legend", "simple-registry.*") == ""
    assert list((booted.root / "etc/systemd").rglob("*simple-registry*")) == []


def test_systemd_starts_the_unit_of_the_project_with_credentials_tls_and_an_audit_log(booted):
    inside, configuration = booted.run, booted.root / CONFIGURATION
    inside("dpkg", "--install", "/package.deb")
    inside("systemctl", "disable", "--now", "simple-registry.service")
    (booted.root / "opt/simple-registry").symlink_to("/usr/lib/simple-registry")
    # Another name, so that what differs on Debian does not apply.
    shutil.copyfile(ROOT / "packaging/systemd/simple-registry.service", booted.root / "etc/systemd/system/own.service")
    certificates = issue(configuration)
    certificates.certificate.rename(configuration / "registry.crt")
    certificates.key.rename(configuration / "registry.key")
    (configuration / "admin-password").write_text("correct horse")
    inside("chmod", "0600", f"/{CONFIGURATION}/admin-password")
    inside("chown", "root:registry", f"/{CONFIGURATION}/registry.crt", f"/{CONFIGURATION}/registry.key")
    inside("chmod", "0640", f"/{CONFIGURATION}/registry.crt", f"/{CONFIGURATION}/registry.key")

    inside("systemctl", "daemon-reload")
    inside("systemctl", "start", "own.service")
    (booted.root / "client.py").write_text(SECURE_CLIENT)
    assert status(inside, "/v2/", "admin:correct horse") == "200"
    assert booted.owner_of("var/log/simple-registry/audit.jsonl") == "600 registry:registry"
    inside("systemctl", "reload", "own.service")
    inside("systemctl", "stop", "own.service")
    assert inside("systemctl", "list-units", "--failed", "--plain", "--no-legend") == ""


@contextmanager
def asked_all_the_time(debian):
    """Send one request after the other while the block runs; yield the distinct answers, complete after the block."""
    command = [*debian.run.words, "python3", "/client.py", "/healthz", "nobody:nothing", "/over"]
    process = subprocess.Popen(command, env=dict(debian.run.environment), stdout=subprocess.PIPE, text=True)
    answers = {process.stdout.readline().strip()}
    try:
        yield answers
    finally:
        (debian.root / "over").touch()
        answers.update(process.communicate(timeout=STOP_SECONDS)[0].split())
