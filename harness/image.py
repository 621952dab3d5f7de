"""The container image of a commit.

    Python:  build(ROOT, "HEAD", ["podman"])
    shell:   python -m harness.image [OPTION ...]      (options for the engine's `build`)

What is built is the commit, not the working tree. `ENGINE` names the engine, the tag is `IMAGE` or `simple-registry`,
`TARGET` is a stage of packaging/container/Containerfile, and `BASE` its argument.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from urllib.parse import urlsplit

from harness import ROOT
from harness.dist import extract, time_of

ENGINES = ("buildah", "podman", "docker")
"""In this order: a machine can have docker's client without its daemon."""
CONTAINERFILE = "packaging/container/Containerfile"
OPTIONS = {"BASE": "--build-arg=BASE=", "TARGET": "--target="}
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


def build(repository: Path, commit: str, engine: Sequence[str], options: Sequence[str] = (), tag: str = "") -> None:
    """Build the image of `commit` with the first words of an engine's command, such as `podman --root …`.

    Raises: CalledProcessError.
    """
    with tempfile.TemporaryDirectory() as source:
        extract(repository, commit, Path(source))
        version = _version(Path(source))
        labels = labels_of(repository, commit, version)
        tags = [tag] if tag else [f"simple-registry:{each}" for each in (version, "latest")]
        words = arguments(Path(engine[0]).name, time_of(repository, commit), labels, tags)
        subprocess.run([*engine, "build", *words, *options, f"--file={source}/{CONTAINERFILE}", source], check=True)


def arguments(engine: str, time: int, labels: Mapping[str, str], tags: Sequence[str]) -> Iterator[str]:
    """Yield the options of an engine's `build`. `time`, in Unix time, is that of the image and its files."""
    if engine == "docker":
        yield f"--build-arg=SOURCE_DATE_EPOCH={time}"
    else:
        yield from ("--format=docker", f"--timestamp={time}")
    yield from (f"--label=org.opencontainers.image.{name}={value}" for name, value in labels.items())
    yield from (f"--tag={each}" for each in tags)


def labels_of(repository: Path, commit: str, version: str) -> dict[str, str]:
    """Return the labels that depend on the commit, by the last part of their names."""
    labels = {
        "version": version,
        "revision": _git(repository, "rev-parse", commit),
        "created": datetime.fromtimestamp(time_of(repository, commit), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    source = public_address(_git(repository, "config", "--default", "", "--get", "remote.origin.url"))
    return labels | ({"source": source} if source else {})


def public_address(remote: str) -> str:
    """Return an HTTPS remote without credentials, or nothing for a remote of another kind."""
    address = urlsplit(remote)
    if address.scheme != "https" or not address.hostname:
        return ""
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _version(source: Path) -> str:
    found = _VERSION.search((source / "src/simple_registry/__init__.py").read_text("utf-8"))
    assert found is not None
    return found[1]


def _git(repository: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def main(options: Sequence[str], environment: Mapping[str, str]) -> None:
    engine = environment.get("ENGINE") or next(filter(which, ENGINES), None)
    if engine is None:
        sys.exit(f"none of {', '.join(ENGINES)} is installed")
    given = [option + environment[name] for name, option in OPTIONS.items() if environment.get(name)]
    build(ROOT, "HEAD", engine.split(), [*given, *options], environment.get("IMAGE", ""))


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
