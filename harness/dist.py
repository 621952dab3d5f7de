"""The wheel and the source distribution of a commit, byte for byte the same at each build.

    Python:  build(ROOT, "HEAD", folder) → paths of the files
    shell:   python -m harness.dist            (into dist/)

What is built is the commit, not the working tree. Times are those of the commit, owners and permissions are fixed,
and members have one order.
"""

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from harness import ROOT

PERMISSIONS = 0o755
"""The most that a file may have; what git keeps of permissions is only whether a file can be executed."""


def build(repository: Path, commit: str, target: Path) -> list[Path]:
    """Build `commit` of `repository` into the folder `target`; return the paths of wheel and source distribution.

    Raises: CalledProcessError.
    """
    time = time_of(repository, commit)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        source, built = Path(scratch, "source"), Path(scratch, "built")
        extract(repository, commit, source)
        for kind in ("--sdist", "--wheel"):
            _run_backend(source, kind, built, time)
        made = [target / path.name for path in sorted(built.iterdir())]
        for path in made:
            content = (built / path.name).read_bytes()
            path.write_bytes(_same_archive(content, time) if path.suffix == ".gz" else content)
    return made


def time_of(repository: Path, commit: str) -> int:
    """Return the Unix time of a commit. Raises: CalledProcessError."""
    return int(_git(repository, "show", "--no-patch", "--format=%ct", commit))


def extract(repository: Path, commit: str, target: Path) -> None:
    """Write the files of `commit` of `repository` into the folder `target`.

    Raises: CalledProcessError.
    """
    with tarfile.open(fileobj=io.BytesIO(_git(repository, "archive", commit))) as archive:
        archive.extractall(target, filter=_normal)  # noqa: S202 (our own commit)


def _run_backend(source: Path, kind: str, built: Path, time: int) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", str(built), str(source)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(time)}
    subprocess.run(command, env=environment, umask=0o022, check=True, stdout=subprocess.DEVNULL)


def _same_archive(content: bytes, time: int) -> bytes:
    """Return a source distribution with the members of another one, without traces of the place where it was made."""
    written = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as old,
        gzip.GzipFile(fileobj=written, mode="wb", filename="", mtime=time) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda each: each.name):
            data = old.extractfile(member)
            member.pax_headers = {}
            member.mtime, member.uid, member.gid, member.uname, member.gname = time, 0, 0, "", ""
            new.addfile(_normal(member), data)
    return written.getvalue()


def _normal(member: tarfile.TarInfo, _: str = "") -> tarfile.TarInfo:
    can_run = member.isdir() or member.mode & 0o100
    return member.replace(mode=PERMISSIONS if can_run else PERMISSIONS & 0o666, deep=False)


def _git(repository: Path, *words: str) -> bytes:
    return subprocess.run(["git", "-C", str(repository), *words], check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    for made in build(ROOT, "HEAD", ROOT / "dist"):
        print(f"{made.relative_to(ROOT)}  {made.stat().st_size} bytes")
