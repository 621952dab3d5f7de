"""External programs: found or built, run in a home of their own, with all their output in a failure.

skopeo = installed("skopeo", home, "--insecure-policy")
skopeo("list-tags", reference)             → standard output; any exit code but 0 fails the test
skopeo.refused("login", …)                 → all it printed; exit code 0 fails the test
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import pytest

from harness.gotools import GoTool, ToolUnavailable, build

TIMEOUT_SECONDS = 120


@contextmanager
def temporary_home() -> Iterator[Path]:
    """Make a home whose path is short, as sockets need it, and can be part of an image reference.

    The names of `tempfile` hold underscores, which references allow in few places; buildah takes `oci:PATH` for one.
    """
    home = Path(tempfile.gettempdir(), f"sr-{secrets.token_hex(4)}")
    home.mkdir(mode=0o700)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of a command that may fail, and its whole output."""

    accepted: bool
    said: str


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its first arguments, working directory and whole environment."""

    words: tuple[str, ...]
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, stdin: str | bytes = b"") -> str:
        """Run it and return standard output, without the white space around it."""
        finished = self._run(arguments, stdin)
        if finished.returncode:
            pytest.fail(f"exit code {finished.returncode}\n{_transcript(finished)}", pytrace=True)
        return finished.stdout.decode(errors="replace").strip()

    def refused(self, *arguments: str | Path, stdin: str | bytes = b"") -> str:
        """Run it, expect failure, and return all that it printed."""
        finished = self._run(arguments, stdin)
        if not finished.returncode:
            pytest.fail(f"this was to fail\n{_transcript(finished)}", pytrace=True)
        return (finished.stdout + finished.stderr).decode(errors="replace")

    def attempt(self, *arguments: str | Path, stdin: str | bytes = b"") -> Attempt:
        """Run it and return what came of it."""
        finished = self._run(arguments, stdin)
        return Attempt(not finished.returncode, (finished.stdout + finished.stderr).decode(errors="replace"))

    def with_environment(self, **variables: str) -> "Command":
        """Return the same command with more environment variables."""
        return replace(self, environment={**self.environment, **variables})

    def _run(self, arguments: tuple[str | Path, ...], stdin: str | bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.words, *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            env=dict(self.environment),
            cwd=self.home,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )


def installed(name: str, home: Path, *words: str) -> Command:
    """Return a program of the machine, or end the test as `unavailable` does."""
    path = shutil.which(name, path=_search_path())
    return Command((path or unavailable(f"{name} is not installed"), *words), home, environment(home))


def built(tool: GoTool, home: Path, *words: str) -> Command:
    """Return a program built from its Go module, or end the test as `unavailable` does."""
    try:
        path = build(tool)
    except ToolUnavailable as error:
        unavailable(str(error))
    return Command((str(path), *words), home, environment(home))


def unavailable(reason: str) -> NoReturn:
    """Skip the test on a developer's machine; fail it in CI, where every client must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def environment(home: Path) -> dict[str, str]:
    """Return an environment in which a client finds and leaves nothing outside `home`."""
    places = {
        "HOME": home,
        "TMPDIR": home / "tmp",
        "XDG_RUNTIME_DIR": home / "run",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_DATA_HOME": home / "share",
        "DOCKER_CONFIG": home / "docker",
    }
    for folder in places.values():
        folder.mkdir(parents=True, exist_ok=True)
    files = {"REGISTRY_AUTH_FILE": home / "auth.json", "REGCTL_CONFIG": home / "regctl.json"}
    return {"PATH": _search_path(), **{name: str(path) for name, path in (places | files).items()}}


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


def _transcript(finished: subprocess.CompletedProcess[bytes]) -> str:
    output = (finished.stdout[-4000:] + finished.stderr[-4000:]).decode(errors="replace")
    return f"$ {' '.join(map(str, finished.args))}\n{output}"
