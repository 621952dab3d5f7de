"""The documents keep their promises: links lead somewhere, endpoints and errors are listed, commands run as written.

A `sh` block after the line `<!-- test: NAME -->` is a promise that it runs. Each is run below, in a folder of its own,
as it stands but for `SUBSTITUTIONS` (a free port, a data directory we may write to) and the port in `localhost:5000`.
"""

import json
import os
import re
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which

import pytest

from simple_registry.access.passwords import hash_password
from simple_registry.http.routes import ROUTES
from simple_registry.oci.errors import RegistryError
from support.foreign import INDEX, distribution

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse"
SECONDS = 30
MAX_WORDS = 2500

STARTED = "docs/getting-started.md"
RUNNING, BACKUP, FSCK = (f"docs/operations/{page}.md" for page in ("running", "backup", "fsck"))
QUOTAS, DISK = "docs/operations/quotas.md", "docs/operations/disk-space.md"
READ_ONLY, RETENTION, MOVING, UNDO, PURGE = (
    f"docs/operations/{page}.md" for page in ("read-only", "retention", "moving", "undo", "purge")
)
ENDPOINTS, ERRORS, CONTENT, TOKENS, HISTORY, MAINTENANCE = (
    f"docs/api/{page}.md" for page in ("README", "errors", "content", "tokens-and-health", "history", "maintenance")
)

SUBSTITUTIONS = {
    (STARTED, "start"): [("-addr 0.0.0.0:5000", "-addr 127.0.0.1:0")],
    (STARTED, "start-tls"): [("-datadir /var/lib/registry", "-datadir ./data -addr 127.0.0.1:0")],
    (STARTED, "start-authority"): [("-addr 0.0.0.0:5000", "-addr 127.0.0.1:0")],
    (BACKUP, "backup-check"): [("20270131T120000Z", "2*Z")],
    (BACKUP, "restore"): [("20270131T120000Z", "2*Z")],
    (STARTED, "curl"): [("-u admin ", f"-u 'admin:{PASSWORD}' ")],
    (STARTED, "curl-tls"): [("-u admin ", f"-u 'admin:{PASSWORD}' ")],
    (MOVING, "import-config"): [(f"/etc/docker/registry/{name}", f"./{name}") for name in ("config.yml", "htpasswd")],
    **{(MOVING, name): [("/var/lib/docker-registry", "./old")] for name in ("adopt-dry", "adopt")},
}
MOVING_NAMES = ("adopt-dry", "adopt", "export")
READY_NAMES = ("ready", "ready-command")
READY = {"status": "ready", "configuration": "current", "staleIssuers": [], "storage": "writable"}
API_NAMES = ("api-base", "api-range", "api-chunks", "api-manifest", "api-preconditions", "api-lists", "api-delete")
RUN = {
    *(
        (STARTED, name)
        for name in ("genhash", "password-file", "start", "curl", "certificate", "start-tls", "curl-tls")
    ),
    *((STARTED, name) for name in ("health", "authority", "start-authority", "curl-authority")),
    *((BACKUP, name) for name in ("backup", "backup-archive", "backup-check", "restore", "recover", "backup-by-hand")),
    *((RUNNING, name) for name in READY_NAMES),
    (FSCK, "fsck"),
    (QUOTAS, "usage"),
    *((DISK, name) for name in ("collect", "explain")),
    (MAINTENANCE, "api-maintenance"),
    (READ_ONLY, "read-only"),
    (RETENTION, "retention"),
    *((MOVING, name) for name in (*MOVING_NAMES, "import-config")),
    (UNDO, "undo"),
    (PURGE, "purge"),
    *((CONTENT, name) for name in API_NAMES),
}
"""Every marked block that a test of this module runs."""

BEGIN_UPLOAD = """
curl -sf -u "$USERPWD" -X POST -D head "$REGISTRY/v2/demo/hello/blobs/uploads/"
LOCATION=$(tr -d '\\r' < head | sed -n 's/^location: //p')
curl -sf -u "$USERPWD" -X PATCH --data-binary half "$REGISTRY$LOCATION"
"""
"""An upload that is under way when the backup is made."""

_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_MARKED = re.compile(r"^<!-- test: ([a-z-]+) -->\n```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_READY = re.compile(r"listening on (?:https?)://\S+?:(\d+)\b")


def documents() -> list[Path]:
    folders = (ROOT / name for name in ("bench", "docs", "faults", "harness", "src", "tests"))
    return sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))])


def written_by_hand() -> list[Path]:
    return [path for path in documents() if path.parent.name != "results" and path.name != "CHANGELOG.md"]


@cache
def blocks(document: str) -> dict[str, str]:
    found = _MARKED.findall((ROOT / document).read_text("utf-8"))
    assert len(dict(found)) == len(found), f"{document} uses a name twice"
    return dict(found)


def block(document: str, name: str) -> str:
    text = blocks(document)[name]
    for old, new in SUBSTITUTIONS.get((document, name), ()):
        assert text.count(old) == 1, f"{document} {name}: {old!r} is not there once"
        text = text.replace(old, new)
    return text


def yaml_of(document: str) -> str:
    """The first YAML example of a document."""
    return re.findall(r"^```yaml\n(.*?)^```$", (ROOT / document).read_text("utf-8"), re.DOTALL | re.MULTILINE)[0]


# ---------------------------------------------------------------- links


def anchors(document: Path) -> set[str]:
    """The names that a forge gives to headings: lower case, without punctuation, hyphens for spaces."""
    headings = _HEADING.findall(_FENCE.sub("", document.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document):
    broken = []
    for link in _LINK.findall(_FENCE.sub("", document.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("document", written_by_hand(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_is_too_long_to_read(document):
    assert len(document.read_text("utf-8").split()) <= MAX_WORDS


# ---------------------------------------------------------------- the API's document


def shape(pattern: str) -> str:
    """`/v2/(?P<name>.+)/blobs/uploads/?` as a document writes it: `/v2/<name>/blobs/uploads/`."""
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pattern).removesuffix("?")


def test_each_decision_has_a_number_of_its_own():
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    assert all(record.read_text().startswith(f"# {record.name[:4]}: ") for record in records)


def test_every_endpoint_is_listed_with_its_methods():
    listed = {}
    for methods, path in re.findall(
        r"^    ((?:[A-Z]+  +)+)(/\S*)", (ROOT / ENDPOINTS).read_text("utf-8"), re.MULTILINE
    ):
        listed[path] = set(methods.split())

    assert listed == {shape(route.pattern.pattern): set(route.endpoints) for route in ROUTES}


def test_every_method_of_every_endpoint_has_its_text():
    text = "".join((ROOT / page).read_text("utf-8") for page in (CONTENT, TOKENS, HISTORY, MAINTENANCE))
    sections = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    missing = [
        f"{method} {path}"
        for path, methods in ((shape(route.pattern.pattern), route.endpoints) for route in ROUTES)
        for method in methods
        if not any(f"`{method}" in section and _speaks_of(section, path) for section in sections)
    ]

    assert missing == []


def _speaks_of(section: str, path: str) -> bool:
    if "<reference>" in path:
        return any(path.replace("<reference>", word) in section for word in ("<reference>", "<digest>"))
    return path in section


def test_every_error_is_listed_with_its_status():
    listed, code = set(), ""
    for first, status in re.findall(
        r"^\| (`[A-Z_]+` )?\| (\d{3}) \|", (ROOT / ERRORS).read_text("utf-8"), re.MULTILINE
    ):
        code = first.strip("` ") or code
        listed.add((code, int(status)))

    assert listed == {(error.code, error.status) for error in errors(RegistryError)} | {("UNKNOWN", 500)}


def errors(kind: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for error in kind.__subclasses__():
        if error.__module__.startswith("simple_registry."):
            yield from errors(error)
            if getattr(error, "code", ""):
                yield error


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with a shell in which `simple-registry` is a command, and the port that replaces 5000."""

    folder: Path
    port: int = 5000

    def run(self, *commands: str) -> str:
        """Run blocks in one shell that stops at the first failure; return what they print."""
        script = "set -euo pipefail\n" + "".join(commands).replace("localhost:5000", f"localhost:{self.port}")
        done = subprocess.run(
            ["bash", "-c", script],
            input=f"{PASSWORD}\n",
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self.environment(),
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        registry = f"http://localhost:{self.port}"
        return {"PATH": path, "HOME": str(self.folder), "REGISTRY": registry, "USERPWD": f"admin:{PASSWORD}"}

    @contextmanager
    def server(self, command: str) -> Iterator["Desk"]:
        """Run a block that starts a server, until the `with` block ends."""
        with (self.folder / "log").open("wb") as log:
            words = shlex.split(command.replace("\\\n", " "))
            process = subprocess.Popen(
                [self.folder / "bin" / words[0], *words[1:]], cwd=self.folder, env=self.environment(), stderr=log
            )
        try:
            yield Desk(self.folder, self._port(process))
        finally:
            process.terminate()
            code = process.wait(SECONDS)
        assert code == 0

    def _port(self, process: subprocess.Popen[bytes]) -> int:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if found := _READY.search((self.folder / "log").read_text("utf-8")):
                return int(found[1])
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text("utf-8"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    command = tmp_path / "bin" / "simple-registry"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m simple_registry "$@"\n')
    command.chmod(0o755)
    return Desk(tmp_path)


def require(*programs: str) -> None:
    missing = [program for program in programs if which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def all_of(document: str, names: Sequence[str]) -> list[str]:
    return [block(document, name) for name in names]


def test_every_marked_block_is_run():
    marked = {(str(path.relative_to(ROOT)), name) for path in documents() for name in blocks(str(path))}

    assert marked == RUN


def test_genhash_prints_a_hash(desk):
    assert re.fullmatch(r"\$2b\$12\$[./A-Za-z0-9]{53}\n", desk.run(block(STARTED, "genhash")))


def test_the_registry_starts_and_answers(desk):
    require("curl")
    desk.run(block(STARTED, "password-file"))

    with desk.server(block(STARTED, "start")) as running:
        assert "every user of this machine" not in (desk.folder / "log").read_text()
        assert running.run(block(STARTED, "curl")) == "{}"
        assert running.run(block(STARTED, "health")) == '{"status":"ok"}'
        for name in READY_NAMES:
            ready = json.loads(running.run(block(RUNNING, name)))
            del ready["warnings"]  # the disk of this machine may be nearly full
            assert ready == READY
        (desk.folder / "documents").mkdir()
        (desk.folder / "documents" / "retention.yaml").write_text(yaml_of(RETENTION))
        assert running.run(block(RETENTION, "retention")) == ""  # there are no tags yet
        assert running.run(block(READ_ONLY, "read-only")).count("read-only mode is on since") == 2


def test_another_registry_is_taken_over_and_its_images_are_moved_as_files(desk):
    require("curl")
    distribution(desk.folder / "old").image("demo/hello", "latest")

    said = desk.run(block(STARTED, "password-file"), *all_of(MOVING, MOVING_NAMES))

    assert said.count("; no defects (") == len(MOVING_NAMES) + 1
    with desk.server(block(STARTED, "start")) as running:
        moved = [
            running.run(f"curl -sf -u 'admin:{PASSWORD}' $REGISTRY/v2/{name}/hello/manifests/latest")
            for name in ("demo", "copy")
        ]
    assert moved == [INDEX.decode()] * 2


def test_the_configuration_of_another_registry_becomes_documents(desk):
    (desk.folder / "config.yml").write_text("version: 0.1\nauth: {htpasswd: {path: x}}\nhttp: {addr: 127.0.0.1:5000}\n")
    (desk.folder / "htpasswd").write_text(f"alice:{hash_password(PASSWORD, 4)}\n")
    said = desk.run(block(MOVING, "import-config"))
    assert "the documents load: 1 user, 1 role, 1 binding, 0 tokens, 0 issuers" in said


def test_the_registry_starts_with_a_certificate_of_its_own(desk):
    require("curl", "openssl")
    desk.run(block(STARTED, "password-file"), block(STARTED, "certificate"))

    with desk.server(block(STARTED, "start-tls")) as running:
        assert running.run(block(STARTED, "curl-tls")) == "{}"


def test_the_registry_starts_with_a_certificate_of_an_authority(desk):
    require("curl", "openssl")
    desk.run(block(STARTED, "password-file"), block(STARTED, "authority"))

    with desk.server(block(STARTED, "start-authority")) as running:
        assert running.run(block(STARTED, "curl-authority")) == '{"status":"ok"}'


def test_the_examples_of_the_api_work_and_backups_hold_what_they_pushed(desk):
    require("curl", "gzip", "sqlite3", "tar")
    desk.run(block(STARTED, "password-file"))

    with desk.server(block(STARTED, "start")) as running:
        said = running.run(*all_of(CONTENT, API_NAMES))
        undone = running.run(block(UNDO, "undo"))
        running.run(BEGIN_UPLOAD)
        running.run(*all_of(BACKUP, ("backup", "backup-archive", "backup-by-hand")))
        planned = running.run(block(MAINTENANCE, "api-maintenance"))
        explained = running.run(block(DISK, "explain"))
        collected = running.run(block(DISK, "collect"))
        used = running.run(block(QUOTAS, "usage"))
        checked = running.run(block(FSCK, "fsck"))

    assert "restored tag v1\n" in undone
    assert '"dryRun":true,"complete":true' in planned
    assert "demo/hello: the manifest is needed by the tag latest: sha256:" in explained
    assert '"state": "needed"' in explained
    assert "\nremoved: " in collected
    assert '"complete": true' in collected
    assert "by a command" in used
    assert checked.endswith(": nothing is wrong\n")
    assert "demo/hello" in used
    assert said.startswith("{}ell{")
    assert "201\n412\n" in said
    assert '"tags":["latest"]' in said
    assert '"repositories":["demo/hello"]' in said
    assert desk.run(block(BACKUP, "backup-check")).endswith(": nothing is wrong\n")
    assert desk.run(block(BACKUP, "restore")).endswith(": nothing is wrong\n")
    desk.run("simple-registry restore registry.tar -datadir from-archive\n")
    desk.run("gunzip < registry.tar.gz | simple-registry restore - -datadir from-pipe\n")
    (made,) = (desk.folder / "backups").iterdir()
    for folder in (made, *(desk.folder / name for name in ("restored", "from-archive", "from-pipe"))):
        assert modes(folder) == {
            folder.name: 0o700,
            "format": 0o600,
            "registry.db": 0o600,
            "signing-keys.json": 0o600,
            "uploads": 0o700,
        }
    assert desk.run(check_of("by-hand")).endswith(": nothing is wrong; 1 remark\n")
    assert desk.run(block(BACKUP, "recover")) == "registry.db is sound; nothing to recover\n"
    for name in ("restored", "from-archive", "by-hand"):
        assert '"layers"' in pulled_from(desk, name)
        assert "nothing is wrong" in desk.run(check_of(name))
    assert "removed tag demo/hello:latest\n" in desk.run(block(PURGE, "purge"))


def modes(folder: Path) -> dict[str, int]:
    return {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.glob("*")) if path.name != "blobs"
    }


def check_of(name: str) -> str:
    return f"simple-registry fsck --deep -datadir ./{name}\n"


def pulled_from(desk: Desk, name: str) -> str:
    with desk.server(block(STARTED, "start").replace("-datadir ./data", f"-datadir ./{name}")) as restored:
        return restored.run(f"curl -sf -u 'admin:{PASSWORD}' $REGISTRY/v2/demo/hello/manifests/latest")


def test_make_shows_a_remedy_if_the_clone_is_read_only():
    require("make")
    nowhere = "VENV=/proc/no-such-place/venv"
    done = subprocess.run(
        ["make", "-C", ROOT, "run", nowhere], capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 2
    advice = "make run VENV=$HOME/.cache/simple-registry/venv DATADIR=$HOME/registry"
    assert advice in (ROOT / STARTED).read_text()
    assert os.path.expandvars(advice) in done.stderr
    assert "Errno" not in done.stderr
