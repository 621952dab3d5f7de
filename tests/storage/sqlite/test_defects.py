"""Every planted defect is found once, in order, page by page, and is gone after its repair."""

import apsw
import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.inspection import Defect
from simple_registry.storage.sqlite.defects import QUERIES, WELL_FORMED
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from storage.support import run

A, B, C = sorted(str(digest_of(data)) for data in (b"a", b"b", b"c"))
REPOSITORY = "INSERT INTO repositories VALUES ('x')"
CONTENT = "INSERT INTO contents (digest, size, state) VALUES ('{}', 1, '{}')"
HOLDING = "INSERT INTO repository_blobs (repository, digest, state) VALUES ('x', '{}', '{}')"
MANIFEST = "INSERT INTO manifests (repository, digest, media_type, annotations) VALUES ('{}', '{}', 'type', '{{}}')"
CHILD = "INSERT INTO manifest_children VALUES ('x', '{}', {}, '{}')"

PLANTED = {
    Defect.TAG_WITHOUT_MANIFEST: [
        f"INSERT INTO tags (repository, tag, digest) VALUES ('{name}', 't', '{A}')" for name in "xy"
    ],
    Defect.TAG_MALFORMED: [
        f"INSERT INTO tags (repository, tag, digest) VALUES ('{name}', 't', 'sha256:')" for name in "xy"
    ],
    Defect.PART_MISSING: [
        REPOSITORY,
        CONTENT.format(A, "whole"),
        MANIFEST.format("x", A),
        *(CHILD.format(A, position, B) for position in range(2)),
    ],
    Defect.BLOB_WITHOUT_CONTENT: [REPOSITORY, *(HOLDING.format(digest, "unneeded") for digest in (A, B))],
    Defect.MANIFEST_WITHOUT_CONTENT: [REPOSITORY, *(MANIFEST.format("x", digest) for digest in (A, B))],
    Defect.HOLDING_WITHOUT_REPOSITORY: [
        CONTENT.format(A, "whole"),
        HOLDING.format(A, "unneeded"),
        MANIFEST.format("y", A),
    ],
    Defect.PARTS_WITHOUT_MANIFEST: [
        f"INSERT INTO manifest_children VALUES ('x', '{digest}', 0, '{A}')" for digest in (A, B)
    ],
    Defect.CONDEMNED_HELD: [
        REPOSITORY,
        *(CONTENT.format(digest, "condemned") for digest in (A, B)),
        HOLDING.format(A, "deleted"),
        MANIFEST.format("x", B),
    ],
    Defect.WHOLE_UNHELD: [CONTENT.format(A, "whole"), CONTENT.format(B, "damaged")],
    Defect.NEEDED_UNREFERRED: [
        REPOSITORY,
        *(CONTENT.format(digest, "whole") for digest in (A, B)),
        *(HOLDING.format(digest, "needed") for digest in (A, B)),
    ],
    Defect.REFERRED_UNNEEDED: [
        REPOSITORY,
        *(CONTENT.format(digest, "whole") for digest in (A, B, C)),
        *(HOLDING.format(digest, "unneeded") for digest in (A, B)),
        MANIFEST.format("x", C),
        CHILD.format(C, 0, A),
        CHILD.format(C, 1, B),
    ],
    Defect.USAGE: [
        REPOSITORY,
        "DROP TRIGGER usage_of_blob",  # a counter that forgets
        CONTENT.format(A, "whole"),
        HOLDING.format(A, "deleted"),
        "UPDATE usage_by_state SET bytes = 7",
    ],
    Defect.MALFORMED: [CONTENT.format("sha256:x", "condemned"), CONTENT.format("sha1:x", "condemned")],
}
REPAIRED = (
    Defect.TAG_MALFORMED,
    Defect.HOLDING_WITHOUT_REPOSITORY,
    Defect.PARTS_WITHOUT_MANIFEST,
    Defect.CONDEMNED_HELD,
    Defect.WHOLE_UNHELD,
    Defect.NEEDED_UNREFERRED,
    Defect.REFERRED_UNNEEDED,
    Defect.USAGE,
)
"""The defects whose repair needs only rows."""


@pytest.fixture
def rows(path, clock):
    database = Database(path)
    yield SqliteRowInspection(database, clock)
    run(database.close())


@pytest.fixture
def plant(path):
    def execute(statements):
        connection = apsw.Connection(path)
        connection.execute("PRAGMA foreign_keys = OFF")
        for sql in statements:
            connection.execute(sql)
        connection.close()

    return execute


def every(rows, defect):
    found, after = [], None
    while page := run(rows.page_defects(defect, after, 1)):
        found += page
        after = page[-1]
    return found


def test_every_defect_has_its_query():
    assert set(QUERIES) == set(PLANTED) == set(Defect)


@pytest.mark.parametrize("defect", Defect)
def test_a_defect_is_found_alone_and_once(rows, plant, defect):
    plant(PLANTED[defect])
    assert {each: len(every(rows, each)) for each in Defect if every(rows, each)} == {defect: 2}
    keys = [each.key for each in every(rows, defect)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("defect", REPAIRED)
def test_a_repair_removes_its_defect_and_causes_no_other(rows, plant, defect):
    plant(PLANTED[defect])
    first, second = every(rows, defect)
    assert run(rows.repair(first))
    assert not run(rows.repair(first))
    assert every(rows, defect) == [second]
    assert run(rows.repair(second))
    assert all(every(rows, each) == [] for each in Defect)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (A, True),
        (str(digest_of(b"", "sha512")), True),
        (A.upper(), False),
        (A + "0", False),
        (A[:-1], False),
        (f"{A}\n", False),
        (f"{A[:-1]}g", False),
        ("", False),
    ],
)
def test_only_digests_are_well_formed(look, text, good):
    assert bool(look(f"SELECT {WELL_FORMED} FROM (SELECT ? AS digest)", text)[0][0]) is good


@pytest.mark.parametrize(
    "forgotten",
    [
        "DELETE FROM usage",
        "DELETE FROM usage_by_identity",
        "DELETE FROM usage_by_state",
        "UPDATE usage SET tags = tags + 1",
        "UPDATE usage_by_identity SET blobs = 0",
        "INSERT INTO usage_by_identity VALUES ('eve', 0, 1, 1)",
        "INSERT INTO usage_by_state VALUES ('damaged', 1, 0)",
    ],
)
def test_counters_are_restored_from_the_rows(rows, plant, look, forgotten):
    owned = "INSERT INTO repository_blobs (repository, digest, state, owner) VALUES ('x', '{}', '{}', 'ada')"
    plant([REPOSITORY, CONTENT.format(A, "whole"), owned.format(A, "unneeded")])
    counters = {table: f"SELECT * FROM {table} ORDER BY 2" for table in ("usage_by_identity", "usage_by_state")}
    counters["usage"] = "SELECT repository, tags, manifests, blobs, bytes, unneeded_bytes, deleted_bytes FROM usage"
    before = {table: look(sql) for table, sql in counters.items()}
    plant([forgotten])
    (found,) = every(rows, Defect.USAGE)
    assert run(rows.repair(found))
    assert every(rows, Defect.USAGE) == []
    after = {table: [row for row in look(sql) if any(row[1:])] for table, sql in counters.items()}
    assert after == before
