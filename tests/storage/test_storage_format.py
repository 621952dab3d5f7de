"""The operator's page on storage agrees with the program."""

import re
import subprocess
from pathlib import Path

import apsw
import pytest

from simple_registry.oci.digests import ALGORITHMS, digest_of
from simple_registry.operations.session_turns import LIFE
from simple_registry.storage.filesystem.data_directory import FORMAT
from simple_registry.storage.life import CONTENTS, HOLDINGS
from simple_registry.storage.sqlite.engine.migrate import APPLICATION_ID, migrate, migrations
from storage.support import ManualClock, disk_stores, push, run

PAGE = Path(__file__).parents[2] / "docs" / "storage-format.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text()


def documented_tables(page):
    tables = {}
    for section in re.split(r"^### ", page, flags=re.MULTILINE)[1:]:
        name = re.match(r"`(\w+)`", section)[1]
        tables[name] = re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], flags=re.MULTILINE)
    return tables


def test_every_table_and_column_is_documented(tmp_path):
    path = str(tmp_path / "registry.db")
    migrate(path)
    connection = apsw.Connection(path)
    ours = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    names = [name for (name,) in connection.execute(ours).fetchall()]
    tables = {
        name: [column for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (name,)).fetchall()]
        for name in names
    }
    connection.close()
    assert documented_tables(PAGE.with_name("tables.md").read_text()) == tables


@pytest.mark.parametrize("life", [LIFE, HOLDINGS, CONTENTS])
def test_lives_are_documented(life):
    page = PAGE.with_name("lives.md").read_text()
    events = [f"| {state} | {event} | {following} |" for state in life for event, following in life[state].items()]
    assert "| state | event | next |\n|---|---|---|\n" + "\n".join(events) + "\n" in page


def test_format_schema_and_application_are_those_of_the_program(page):
    assert f"**format {FORMAT}** with **schema {len(migrations())}**" in page
    assert f"0x{APPLICATION_ID:X}" in page
    assert all(f"`{algorithm}`" in page for algorithm in ALGORITHMS)


def test_every_file_is_documented(page, tmp_path):
    documented = re.findall(r"`([^`]+)`", page.partition("## Tree")[2].partition("## Database")[0])
    data = tmp_path / "data"
    with disk_stores(data, ManualClock()) as stores:
        run(push(stores, "s", b"data"))
        found = {path.relative_to(data).parts[0] for path in data.rglob("*")}
    kept_aside = re.compile(r"\.(before|broken)-")
    assert found == {
        entry.partition("/")[0]
        for entry in documented
        if entry.startswith(tuple(found)) and not kept_aside.search(entry)
    }
    encoded = digest_of(b"data").encoded
    assert (data / "blobs" / "sha256" / encoded[:2] / encoded).is_file()


def test_the_check_of_a_backup_works(page, tmp_path):
    (command,) = re.findall(r"^    (cd blobs.*)$", page, flags=re.MULTILINE)
    with disk_stores(tmp_path / "data", ManualClock()) as stores:
        run(push(stores, "s", b"data"))
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path / "data", check=False).returncode == 0
    encoded = digest_of(b"data").encoded
    file = tmp_path / "data" / "blobs" / "sha256" / encoded[:2] / encoded
    file.chmod(0o644)
    file.write_bytes(b"dat*")
    assert (
        subprocess.run(["sh", "-c", command], cwd=tmp_path / "data", check=False, capture_output=True).returncode != 0
    )
