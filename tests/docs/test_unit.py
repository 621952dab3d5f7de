"""The unit of the guide is one that systemd takes, and that confines the registry."""

import re
import subprocess
from shutil import which

import pytest

from simple_registry.cli.options import parse_command_line
from simple_registry.server.worker import GRACE
from support.sources import ROOT

GUIDE = (ROOT / "docs/operations/service.md").read_text("utf-8")
UNIT = re.search(r"```ini\n(\[Unit\].*?)```", GUIDE, re.DOTALL)[1]
OLDER = re.search(r"there, write\n\n((?:    .*\n)+)", GUIDE)[1].replace("    ", "")
"""The replacement of `Type=notify-reload` where systemd does not know it."""
KNOWS_NOTIFY_RELOAD = 253
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
    assert unit["Type"] == "notify-reload"
    assert "ExecReload" not in unit  # systemd sends SIGHUP by itself
    assert unit["KillMode"] == "mixed"
    assert int(unit["TimeoutStopSec"]) > GRACE
    assert unit["RestartPreventExitStatus"] == "2"


@pytest.fixture(scope="module")
def analyze(tmp_path_factory):
    """Return a function that has systemd look at the unit, in the form that its version knows."""
    program = which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    version = int(re.search(r"systemd (\d+)", subprocess.check_output([program, "--version"], text=True))[1])
    unit = UNIT if version >= KNOWS_NOTIFY_RELOAD else UNIT.replace("Type=notify-reload\n", OLDER)
    path = tmp_path_factory.mktemp("unit") / "simple-registry.service"
    path.write_text(unit.replace("/opt/simple-registry/bin/simple-registry", "/bin/true"))

    def run(*words):
        return subprocess.run(
            [program, *words, str(path)],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )

    return run


def test_systemd_finds_nothing_wrong_with_it(analyze):
    done = analyze("verify", "--man=no")
    assert (done.returncode, done.stdout) == (0, "")


def test_systemd_finds_it_confined(analyze):
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager")
    assert done.returncode == 0, done.stdout
