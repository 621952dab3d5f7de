"""Container engines of this machine with all their storage below one folder, and podman without root.

    buildah(home)       builds; its RUN steps need neither namespaces nor a bridge
    podman(home)        runs, as an ordinary user where the machine permits it

Root becomes an ordinary user in a mount namespace in which /etc/passwd and the lists of subordinate ids have that user.
"""

import os
import signal
import stat
from dataclasses import dataclass
from pathlib import Path

from e2e.commands import Command, environment, installed

USER = 61999
SUBORDINATE_IDS = "1200000000:65536"
BECOME = f"""\
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/ids" /etc/subuid && mount --bind "$1/ids" /etc/subgid || exit
mount --bind "$1/tun" /dev/net/tun
shift
exec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all "$@"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{home}/images"
runroot = "{home}/run/containers"
"""


@dataclass(frozen=True, slots=True)
class Podman:
    """A podman command, and whether it runs without root; otherwise the reason."""

    command: Command
    rootless: bool
    reason: str = ""


def buildah(home: Path) -> Command:
    """Return buildah; containers have the network of the machine."""
    command = installed("buildah", home)
    return command.with_environment(BUILDAH_ISOLATION="chroot", **_storage(home))


def podman(home: Path) -> Podman:
    """Return podman: without root, or as root with the reason why not without."""
    if os.geteuid() != 0:
        return Podman(_podman(home), rootless=True)
    user = _as_user(home / "user")
    attempt = user.attempt("unshare", "true")
    if attempt.accepted:
        return Podman(user, rootless=True)
    return Podman(_podman(home), rootless=False, reason=attempt.said)


def forget(engine: Podman) -> None:
    """Remove the storage, whose files have other owners, and end the process that keeps the user's namespaces."""
    if engine.rootless:
        engine.command.attempt("unshare", "rm", "-rf", engine.command.home / "share")
        pid = Path(engine.command.environment["XDG_RUNTIME_DIR"], "libpod/tmp/pause.pid")
        os.kill(int(pid.read_text()), signal.SIGTERM)


def _podman(home: Path) -> Command:
    words = ["--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    if Path("/sys/fs/cgroup/unified").exists():  # both versions of control groups, which crun refuses
        words += ["--runtime", "runc"]
    timers = {} if Path("/run/systemd/system").exists() else {"DISABLE_HC_SYSTEMD": "true"}
    return installed("podman", home, *words).with_environment(**_storage(home), **timers)


def _as_user(home: Path) -> Command:
    """Return podman as an ordinary user whose home is `home`."""
    home.mkdir()
    command = _podman(home)
    (home / "passwd").write_text(Path("/etc/passwd").read_text() + f"tester:x:{USER}:{USER}::{home}:/bin/sh\n")
    os.mknod(home / "tun", stat.S_IFCHR | 0o666, os.makedev(10, 200))
    (home / "tun").chmod(0o666)
    (home / "ids").write_text(f"tester:{SUBORDINATE_IDS}\n")
    for path in (home, *home.rglob("*")):
        os.chown(path, USER, USER)
    home.parent.chmod(0o711)
    become = ("unshare", "--mount", "sh", "-c", BECOME, "sh", str(home))
    return Command((*become, *command.words), home, command.environment)


def _storage(home: Path) -> dict[str, str]:
    file = home / "storage.conf"
    file.write_text(STORAGE.format(home=home))
    (home / "auth.json").write_text("{}")  # a file that is named must be there
    return environment(home) | {"CONTAINERS_STORAGE_CONF": str(file)}
