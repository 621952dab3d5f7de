"""The units are ones that systemd takes, and the service is confined."""

import re
import subprocess
from shutil import which

import pytest

from simple_registry.cli.main import main
from simple_registry.cli.options import parse_command_line
from simple_registry.server.worker import GRACE
from support.sources import ROOT

GUIDE = (ROOT / "docs/operations/service.md").read_text("utf-8")
UNITS = ROOT / "packaging/systemd"
UNIT = (UNITS / "simple-registry.service").read_text("utf-8")
DEBIAN = ROOT / "packaging/debian"
EXPOSURE = 15
"""The maximum of `systemd-analyze security`, times ten."""


def settings(unit):
    return dict(re.findall(r"^(\w+)=((?:.*\\\n)*.*)$", unit, re.MULTILINE))


def test_the_command_is_one_that_the_program_takes():
    program, *words = settings(UNIT)["ExecStart"].replace("\\\n", " ").split()
    assert program == "/opt/simple-registry/bin/simple-registry"
    given = parse_command_line(words, {}).flags
    assert {"adminpwd-file", "datadir", "audit-log"} <= given.keys()


def test_all_written_paths_are_in_directories_of_the_unit():
    unit = settings(UNIT)
    given = parse_command_line(unit["ExecStart"].replace("\\\n", " ").split()[1:], {}).flags
    assert unit["ProtectSystem"] == "strict"
    assert given["datadir"].text == f"/var/lib/{unit['StateDirectory']}"
    assert given["audit-log"].text.startswith(f"/var/log/{unit['LogsDirectory']}/")
    assert f"unix:/run/{unit['RuntimeDirectory']}/" in GUIDE


def test_starts_reloads_and_stops_are_notified_and_have_timeouts():
    unit = settings(UNIT)
    assert unit["Type"] == "notify"  # systemd of Debian 12 does not know `notify-reload`
    assert unit["ExecReload"].split()[1:] == ["reload", "-datadir", f"/var/lib/{unit['StateDirectory']}"]
    assert unit["KillMode"] == "mixed"
    assert int(unit["TimeoutStopSec"]) > GRACE
    assert unit["RestartPreventExitStatus"] == "2"


def test_the_unit_of_the_debian_package_takes_its_settings_from_its_documents(capsys):
    lines = re.findall(r"^ExecStart=(.*)$", (DEBIAN / "debian.conf").read_text("utf-8"), re.MULTILINE)
    assert lines == ["", "/usr/bin/simple-registry -cfgdir /etc/simple-registry"]  # the first one ends that of the unit
    assert main(["config", "show", "-cfgdir", str(DEBIAN)]) == 0
    values = dict(re.findall(r"^(\S+) +(\S+)", capsys.readouterr().out, re.MULTILINE))
    assert values["dataDir"] == f"/var/lib/{settings(UNIT)['StateDirectory']}"
    assert main(["config", "check", "-cfgdir", str(DEBIAN)]) == 0


@pytest.fixture(scope="module")
def analyze(tmp_path_factory):
    """Return a function that has systemd look at a unit."""
    program = which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path_factory.mktemp("unit")
    for path in UNITS.glob("simple-registry.*"):
        text = path.read_text("utf-8").replace("/opt/simple-registry/bin/simple-registry", "/bin/true")
        (folder / path.name).write_text(text)

    def run(*words, unit="simple-registry.service"):
        return subprocess.run(
            [program, *words, str(folder / unit)],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )

    return run


@pytest.mark.parametrize("unit", ["simple-registry.service", "simple-registry.socket"])
def test_systemd_finds_nothing_wrong_with_it(analyze, unit):
    done = analyze("verify", "--man=no", unit=unit)
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_finds_it_confined(analyze):
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager")
    assert done.returncode == 0, done.stdout
