"""What 3dc49e3 (version 0.1, schema 2) wrote: served whole by this version, from every schema between the two.

`from_3dc49e3.tar.xz` is what `python -m upgrades.make` wrote; `tests/installation/test_upgrades.py` makes it again.
"""

import io
import shutil
import sys
import tarfile
from pathlib import Path

import apsw
import pytest

from harness import ROOT
from harness.subjects import Command, DidNotStart, Subject, our_blob, running
from simple_registry.cli.fsck import fsck
from simple_registry.cli.policy import policy
from simple_registry.storage.sqlite.engine.migrate import APPLICATION_ID, migrate, migrations
from upgrades.content import assert_all_is_served
from upgrades.make import DOCUMENTS

MADE = Path(__file__).with_name("from_3dc49e3.tar.xz")
SCHEMA = 2
NEWEST = len(migrations())


@pytest.fixture
def made(tmp_path):
    """The data directory, and the token."""
    with tarfile.open(MADE) as archive:
        archive.extractall(tmp_path / "made", filter="tar")  # with the modes of files
    return tmp_path / "made/data", (tmp_path / "made/token").read_text().strip()


def this_version(*options):
    def command(_folder, data, address):
        words = ["-datadir", str(data), "-addr", address, "-workers", "1", "-cfgdir", str(DOCUMENTS), *options]
        return Command([sys.executable, "-m", "simple_registry", "serve", *words])

    return Subject("this version", command, our_blob)


def schema(data, path="registry.db"):
    connection = apsw.Connection(str(data / path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute("PRAGMA user_version").fetchall()[0][0]
    finally:
        connection.close()


def dump(data):
    """Every row of the database."""
    connection = apsw.Connection(str(data / "registry.db"))
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables}
    connection.close()
    return rows


def advance(data, last):
    """Bring the database to the schema that the version with migration `last` had."""
    connection = apsw.Connection(str(data / "registry.db"))
    for number, sql in enumerate(migrations()[SCHEMA:last], start=SCHEMA + 1):
        connection.execute(f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {number}; COMMIT")
    assert connection.execute("PRAGMA application_id").fetchall() == [(APPLICATION_ID,)]
    connection.close()


def checked(data):
    stdout = io.StringIO()
    fsck(["-deep", "-datadir", str(data)], {}, stdout, io.StringIO())
    return stdout.getvalue()


def test_the_archive_has_the_old_schema(made):
    assert schema(made[0]) == SCHEMA
    assert MADE.stat().st_size < 200_000


def test_everything_is_served_after_the_upgrade(made, tmp_path):
    data, token = made
    before = {path: path.read_bytes() for path in data.glob("blobs/*/*/*")}
    with running(this_version(), tmp_path / "run", data=data) as registry:
        assert_all_is_served(registry, token)
        registry.stop()
    assert schema(data) == NEWEST
    assert schema(data, f"registry.db.before-{SCHEMA + 1}") == SCHEMA
    assert {path: path.read_bytes() for path in before} == before
    assert "nothing is wrong" in checked(data)
    with running(this_version(), tmp_path / "again", data=data) as registry:
        assert_all_is_served(registry, token)


@pytest.mark.parametrize("number", range(SCHEMA, NEWEST))
def test_every_schema_since_is_upgraded_without_a_finding(made, number):
    data, _ = made
    advance(data, number)
    migrate(str(data / "registry.db"))
    assert schema(data) == NEWEST
    assert schema(data, f"registry.db.before-{number + 1}") == number
    assert "nothing is wrong" in checked(data)


def test_the_copy_from_before_is_the_way_back(made):
    data, _ = made
    before = dump(data)
    migrate(str(data / "registry.db"))
    shutil.move(data / f"registry.db.before-{SCHEMA + 1}", data / "registry.db")
    for name in ("registry.db-wal", "registry.db-shm"):
        (data / name).unlink(missing_ok=True)
    assert schema(data) == SCHEMA
    assert dump(data) == before


def test_a_newer_schema_is_refused_with_what_to_do(made, tmp_path):
    data, _ = made
    connection = apsw.Connection(str(data / "registry.db"))
    connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    connection.close()
    with pytest.raises(DidNotStart) as refused, running(this_version(), tmp_path / "run", data=data):
        pass
    line = f"a newer version wrote it (schema {NEWEST + 1}, this one knows {NEWEST}); use that version"
    assert line in str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert schema(data) == NEWEST + 1


def test_old_documents_load(tmp_path):
    stdout = io.StringIO()
    assert policy(["check", str(DOCUMENTS)], {}, stdout) == 0
    assert stdout.getvalue().splitlines() == [
        f"warning: {DOCUMENTS}/access.yaml:52: the Token 'deploy' never expires; give it an expiresAt",
        "the documents load: 3 users, 3 roles, 3 bindings, 1 token, 1 issuer; 1 warning",
    ]


CONFIGURATION = "kind: Configuration\nmetadata: {{name: c}}\nspec: {}\n"
TOKEN = """\
kind: User
metadata: {name: a}
---
kind: Token
metadata: {name: t}
spec: {username: a, value: abcdefghijklmnop}
"""
ISSUERS = """\
kind: TokenIssuer
metadata: {name: a}
spec: {issuer: a, audience: r, keys: {jwksURL: "https://a.example"}, userPrefix: "ci:"}
---
kind: TokenIssuer
metadata: {name: b}
spec: {issuer: b, audience: r, keys: {jwksURL: "https://b.example"}, userPrefix: "ci:b:"}
"""
REFUSED = {
    "limits.tagsPerPush": (CONFIGURATION.format("{limits: {tagsPerPush: 100}}"), "write at most 64"),
    "web.tokenSecret": (CONFIGURATION.format("{web: {tokenSecret: abcdefghijklmnop}}"), "at least 32 characters"),
    "`value` of a Token": (TOKEN, "use at least 32 random characters"),
    "`userPrefix`": (ISSUERS, "give one of them another userPrefix"),
    "last line": (CONFIGURATION.format("{log: {level: info}}").rstrip(), "the last line has no end"),
}
"""What version 0.1 accepted in documents and this one refuses, by words of `docs/upgrading.md`, with its advice."""


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_now_says_what_to_do(tmp_path, words):
    text, advice = REFUSED[words]
    (tmp_path / "old.yaml").write_text(text)
    stdout = io.StringIO()
    assert policy(["check", str(tmp_path)], {}, stdout) == 1
    assert advice in stdout.getvalue()
    assert words in (ROOT / "docs/upgrading.md").read_text()
