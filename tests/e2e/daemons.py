"""Daemons of container engines, started over temporary folders, without networks or containers.

dockerd runs in a mount namespace in which /etc/hosts and /etc/docker are ours: `registry.test` is `::1` there, an
address that it does not take for insecure as it takes 127.0.0.0/8, and the private authority is in certs.d.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2e.commands import environment, unavailable
from e2e.server import Registry

START_SECONDS = 60
STOP_SECONDS = 60
NAMESPACE = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/docker && shift 2 && exec dockerd "$@"'
CONTAINERD = """\
version = 2
root = "{home}/root"
state = "{home}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{home}/socket"
"""


@contextmanager
def dockerd(home: Path, registry: Registry | None = None) -> Iterator[Path]:
    """Run docker's daemon at `home/socket`, trusting the registry's authority if there is one."""
    _require("dockerd", "unshare", "nsenter", home=home)
    (home / "hosts").write_text("127.0.0.1 localhost\n::1 registry.test\n")
    (home / "etc").mkdir()
    os.makedirs("/etc/docker", exist_ok=True)  # a place to mount on; it stays empty
    if registry is not None and registry.tls:
        shutil.copytree(registry.certificates, home / "etc" / "certs.d" / registry.host)
    options = {
        "data-root": home / "data",
        "exec-root": home / "exec",
        "pidfile": home / "pid",
        "host": f"unix://{home / 'socket'}",
        "bridge": "none",
        "iptables": "false",
        "ip6tables": "false",
        "storage-driver": "vfs",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    command = ["unshare", "--mount", "sh", "-c", NAMESPACE, "sh", home / "hosts", home / "etc", *words]
    with running(command, home, lambda log: "API listen on" in log):
        yield home


@contextmanager
def containerd(home: Path) -> Iterator[Path]:
    """Run containerd at `home/socket`."""
    _require("containerd", "ctr", home=home)
    (home / "config.toml").write_text(CONTAINERD.format(home=home))
    with running(["containerd", "--config", home / "config.toml"], home, lambda log: "successfully booted" in log):
        yield home


def _require(*programs: str, home: Path) -> None:
    for program in programs:
        if shutil.which(program, path=environment(home)["PATH"]) is None:
            unavailable(f"{program} is not installed")
    if os.geteuid() != 0:
        unavailable(f"{programs[0]} needs root")


@contextmanager
def running(command: Sequence[str | Path], home: Path, is_ready: Callable[[str], bool]) -> Iterator[None]:
    """Run a daemon for the length of the block, once it is ready; `is_ready` is given its log (`daemon.log`)."""
    log = home / "daemon.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment(home)
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(log.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{command[0]} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
