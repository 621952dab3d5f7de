"""Makes the data directory of an earlier version, by that version: `python -m upgrades.make COMMIT FILE`.

The version is taken from the history, with the dependencies of its lock file in an environment of its own. It runs
with the documents of this folder, is filled by `upgrades.content`, and is stopped. FILE is an archive of `data/` and of
`token`, which it issued to bob for pulling below `team/`.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from harness import ROOT
from harness.subjects import Command, Subject, our_blob, running
from upgrades.content import fill

DOCUMENTS = Path(__file__).parent / "documents"
COMMIT = "3dc49e37fc4a3c7e28a62ddd15026277a3483667"
"""The last one of version 0.1 with schema 2."""
SCOPE = "repository:^team/:pull"


def is_known(commit: str) -> bool:
    """Return whether the history has a commit; a shallow clone does not."""
    done = subprocess.run(
        ["git", "-C", ROOT, "cat-file", "-e", f"{commit}^{{commit}}"], check=False, capture_output=True
    )
    return done.returncode == 0


def install(commit: str, folder: Path) -> list[str]:
    """Return the command of the version of a commit, installed below `folder`."""
    tree = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
        archive.extractall(folder / "tree", filter="data")
    python = folder / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
    lock = folder / "tree/requirements.lock"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock], check=True)
    return ["env", f"PYTHONPATH={folder / 'tree/src'}", str(python), "-m", "simple_registry"]


def make(commit: str, folder: Path) -> Path:
    """Return a folder with the data directory that a version made, and a token of it."""
    program = install(commit, folder)

    def command(_folder: Path, data: Path, address: str) -> Command:
        options = ["-datadir", str(data), "-addr", address, "-workers", "1", "-cfgdir", str(DOCUMENTS)]
        return Command([*program, "serve", *options])

    made = folder / "made"
    with running(Subject(commit, command, our_blob), folder / "run", data=made / "data") as registry:
        fill(registry)
        token = ["token", "create", "-user", "bob", "-scope", SCOPE, "-datadir", str(registry.data)]
        done = subprocess.run([*program, *token], check=True, capture_output=True, text=True)
        (made / "token").write_text(done.stdout)
        registry.stop()
    return made


def main(commit: str, file: str) -> None:
    """Write the archive."""
    with tempfile.TemporaryDirectory() as folder:
        made = make(commit, Path(folder))
        with tarfile.open(file, "w:xz") as archive:
            for name in ("data", "token"):
                archive.add(made / name, name)
    print(file, os.path.getsize(file), "bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
