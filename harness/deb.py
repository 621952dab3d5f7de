"""A Debian package of a commit: the registry and its locked requirements in /usr/lib/simple-registry.

    Python:  build(ROOT, "HEAD", folder) → path of the package
    shell:   python -m harness.deb            (into dist/)

It is for the architecture of this machine, and for systems whose Python has the minor version of the one that runs
this: the requirements are compiled for both.
"""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import ROOT, dist

PREFIX = "usr/lib/simple-registry"
UNITS = "usr/lib/systemd/system"
_PYTHON = f"python3.{sys.version_info.minor}"
_PROGRAM = f"""\
#!/{PREFIX}/bin/python3
import sys

from simple_registry.cli.main import main

sys.exit(main())
"""
_COMPLETIONS = "src/simple_registry/cli/completions"
_FILES = {
    "packaging/debian/settings.yaml": "etc/simple-registry/settings.yaml",
    "packaging/debian/debian.conf": f"{UNITS}/simple-registry.service.d/debian.conf",
    "packaging/man/simple-registry.1": "usr/share/man/man1/simple-registry.1",
    f"{_COMPLETIONS}/bash": "usr/share/bash-completion/completions/simple-registry",
    f"{_COMPLETIONS}/fish": "usr/share/fish/vendor_completions.d/simple-registry.fish",
    f"{_COMPLETIONS}/zsh": "usr/share/zsh/vendor-completions/_simple-registry",
    "LICENSE": "usr/share/doc/simple-registry/copyright",
}
_SCRIPTS = ("postinst", "prerm", "postrm")


def build(repository: Path, commit: str, target: Path) -> Path:
    """Build `commit` of `repository` into the folder `target`; return the path of the package.

    Raises: CalledProcessError.
    """
    architecture = _output("dpkg", "--print-architecture")
    umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            source, root = Path(scratch, "source"), Path(scratch, "root")
            dist.extract(repository, commit, source)
            wheel = next(path for path in dist.build(repository, commit, Path(scratch)) if path.suffix == ".whl")
            version = wheel.name.split("-")[1]
            _install(source, wheel, root)
            _add_units(source, root)
            _add_files(source, root)
            _describe(source / "packaging/debian", root, version, architecture)
            target.mkdir(parents=True, exist_ok=True)
            made = target / f"simple-registry_{version}_{architecture}.deb"
            # xz would save a quarter, and take a hundred times as long.
            _run("dpkg-deb", "-Zzstd", "--root-owner-group", "--build", root, made)
            return made
    finally:
        os.umask(umask)


def _install(source: Path, wheel: Path, root: Path) -> None:
    """Make a virtual environment without pip, for the Python of the system on which it is used."""
    prefix = root / PREFIX
    packages = prefix / "lib" / _PYTHON / "site-packages"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", packages)
    locked = ("--require-hashes", "--only-binary=:all:", "-r", source / "requirements.lock")
    for words in (locked, ("--no-deps", wheel)):
        _run(*pip, *words)
        for folder in ("bin", "share"):  # programs for the interpreter that runs pip, pages that are added elsewhere
            shutil.rmtree(packages / folder, ignore_errors=True)
    # Times of files would decide whether these are stale, and packages do not keep them exactly.
    compiled = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/")
    _run(sys.executable, *compiled, packages)
    (prefix / "bin").mkdir()
    (prefix / "bin/python3").symlink_to(f"/usr/bin/{_PYTHON}")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    (prefix / "bin/simple-registry").write_text(_PROGRAM)
    (prefix / "bin/simple-registry").chmod(0o755)


def _add_units(source: Path, root: Path) -> None:
    """Add the units of the project, with the path of the program."""
    units = root / UNITS
    units.mkdir(parents=True)
    for path in (source / "packaging/systemd").glob("simple-registry.*"):
        if path.suffix in {".service", ".socket"}:
            text = path.read_text().replace("/opt/simple-registry/bin/", "/usr/bin/")
            (units / path.name).write_text(text)


def _add_files(source: Path, root: Path) -> None:
    for name, place in _FILES.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, root / place)
    changelog = gzip.compress((source / "CHANGELOG.md").read_bytes(), mtime=0)
    (root / "usr/share/doc/simple-registry/changelog.gz").write_bytes(changelog)
    (root / "usr/bin").mkdir()
    (root / "usr/bin/simple-registry").symlink_to("../lib/simple-registry/bin/simple-registry")


def _describe(control: Path, root: Path, version: str, architecture: str) -> None:
    """Add what dpkg reads: the description, the scripts, the list of configuration files."""
    size = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    minor = sys.version_info.minor
    values = {"VERSION": version, "ARCHITECTURE": architecture, "SIZE": str(size)}
    text = (control / "control").read_text()
    for name, value in (values | {"PYTHON": f"3.{minor}", "NEXT": f"3.{minor + 1}"}).items():
        text = text.replace(f"@{name}@", value)
    folder = root / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(text)
    (folder / "conffiles").write_text("".join(f"/{place}\n" for place in _FILES.values() if place.startswith("etc/")))
    shutil.copyfile(control / "templates", folder / "templates")
    for name in _SCRIPTS:
        shutil.copyfile(control / name, folder / name)
        (folder / name).chmod(0o755)


def _run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


if __name__ == "__main__":
    package = build(ROOT, "HEAD", ROOT / "dist")
    print(f"{package.relative_to(ROOT)}  {package.stat().st_size} bytes")
