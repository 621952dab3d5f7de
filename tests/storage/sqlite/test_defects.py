"""Every defect can be planted, is found once, in order, page by page, and goes when it is mended."""

import apsw
import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.inspection import Defect
from simple_registry.storage.sqlite.defects import MENDING, QUERIES, WELL_FORMED
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from storage.support import run

A, B = sorted(str(digest_of(data)) for data in (b"a", b"b"))
BLOB = "INSERT INTO contents (digest, size, state) VALUES ('{}', 1, '{}')"
MANIFEST = """
INSERT INTO manifests (repository, digest, media_type, artifact_type, subject, annotations)
VALUES ('{}', '{}', 'type', NULL, NULL, '{{}}')
"""

PLANTED = {
    Defect.TAG_WITHOUT_MANIFEST: [f"INSERT INTO tags VALUES ('{name}', 't', '{A}')" for name in "xy"],
    Defect.TAG_MALFORMED: [f"INSERT INTO tags VALUES ('{name}', 't', 'sha256:')" for name in "xy"],
    Defect.PART_MISSING: [
        "INSERT INTO repositories VALUES ('x')",
        BLOB.format(A, "whole"),
        MANIFEST.format("x", A),
        *(f"INSERT INTO manifest_children VALUES ('x', '{A}', {position}, '{B}')" for position in range(2)),
    ],
    Defect.BLOB_WITHOUT_CONTENT: [
        "INSERT INTO repositories VALUES ('x')",
        *(f"INSERT INTO repository_blobs (repository, digest) VALUES ('x', '{digest}')" for digest in (A, B)),
    ],
    Defect.MANIFEST_WITHOUT_CONTENT: [
        "INSERT INTO repositories VALUES ('x')",
        *(MANIFEST.format("x", digest) for digest in (A, B)),
    ],
    Defect.HOLDER_WITHOUT_REPOSITORY: [
        BLOB.format(A, "whole"),
        f"INSERT INTO repository_blobs (repository, digest) VALUES ('x', '{A}')",
        MANIFEST.format("y", A),
    ],
    Defect.PARTS_WITHOUT_MANIFEST: [
        f"INSERT INTO manifest_children VALUES ('x', '{digest}', 0, '{A}')" for digest in (A, B)
    ],
    Defect.HELD_AS_UNHELD: [
        "INSERT INTO repositories VALUES ('x')",
        *(BLOB.format(digest, "condemned") for digest in (A, B)),
        f"INSERT INTO repository_blobs (repository, digest) VALUES ('x', '{A}')",
        MANIFEST.format("x", B),
    ],
    Defect.UNHELD_AS_HELD: [BLOB.format(digest, "whole") for digest in (A, B)],
    Defect.MALFORMED: [BLOB.format("sha256:x", "condemned"), BLOB.format("sha1:x", "condemned")],
}


@pytest.fixture
def rows(path, clock):
    rows = SqliteRowInspection(path, clock)
    yield rows
    run(rows.close())


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


@pytest.mark.parametrize("defect", MENDING)
def test_what_is_mended_is_a_defect_no_more_and_nothing_else_is(rows, plant, defect):
    plant(PLANTED[defect])
    first, second = every(rows, defect)
    assert run(rows.mend(first))
    assert not run(rows.mend(first))
    assert every(rows, defect) == [second]
    assert run(rows.mend(second))
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
