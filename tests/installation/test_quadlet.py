"""The quadlet, as podman's generator turns it into a unit; podman of Debian 12 has none, that of Debian 13 has."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from e2e.commands import installed, temporary_home
from harness import ROOT
from simple_registry.server.worker import GRACE

pytestmark = pytest.mark.installation

GENERATORS = (Path("/usr/libexec/podman/quadlet"), Path("/usr/lib/podman/quadlet"))


@pytest.fixture(scope="module")
def home():
    with temporary_home() as folder:
        yield folder


@pytest.fixture(scope="module")
def unit():
    """The service that the generator prints."""
    generator = next(filter(Path.exists, GENERATORS), None)
    if generator is None:
        pytest.skip("this podman has no generator of units; it is older than 4.4")
    environment = os.environ | {"QUADLET_UNIT_DIRS": str(ROOT / "packaging/systemd")}
    done = subprocess.run([generator, "-dryrun"], env=environment, capture_output=True, text=True, check=True)
    name, _, text = done.stdout.partition("\n")
    assert name == "---simple-registry.service---"
    return text


def settings(unit):
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))


def test_the_container_is_confined_and_has_one_volume(unit):
    words = shlex.split(settings(unit)["ExecStart"])
    assert {"--read-only", "--security-opt=no-new-privileges"} <= set(words)
    assert words[words.index("--cap-drop") + 1] == "all"
    assert words[words.index("-v") + 1] == "simple-registry:/var/lib/simple-registry"
    assert words[-1] == "localhost/simple-registry:latest"


def test_starts_are_notified_by_the_registry_and_stops_have_time(unit):
    found = settings(unit)
    words = shlex.split(found["ExecStart"])
    assert (found["Type"], found["NotifyAccess"]) == ("notify", "all")
    assert "--sdnotify=container" in words
    (timeout,) = (int(word.partition("=")[2]) for word in words if word.startswith("--stop-timeout="))
    assert int(found["TimeoutStopSec"]) > timeout > GRACE
    assert found["RestartPreventExitStatus"] == "2"


def test_systemd_finds_nothing_wrong_with_the_unit(unit, home):
    (home / "simple-registry.service").write_text(unit)
    analyze = installed("systemd-analyze", home)
    assert analyze("verify", "--man=no", home / "simple-registry.service") == ""
