"""Rows that refer to nothing or contradict each other: found, and repaired where nothing can be lost by it."""

import pytest

from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of, parse_digest
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.manifests import Required
from simple_registry.storage.inspection import Defect
from simple_registry.storage.records import Actor
from support.checking import check, execute
from support.documents import encode, image, index, push_image
from support.front import ADMINISTRATOR

LAYER = b"a layer"
DIGEST = str(digest_of(LAYER))
ACTOR = Actor("operator")


@pytest.fixture
def manifest(disk_front):
    data = push_image(disk_front, "a", "v1", LAYER)
    return str(digest_of(data))


def delete_needed(front, digest):
    """Delete a blob that a manifest needs, as `manifests.deleteReferenced: allow` permits it."""
    rows = front.kept.stores.rows
    front.run(rows.blobs.remove_blob(RepositoryName("a"), parse_digest(digest), actor=ACTOR))


def facts(findings):
    return [(finding.kind, finding.repository, finding.tag, finding.digest, finding.repaired) for finding in findings]


def delete(front, table, digest):
    """Delete what a manifest needs, which no client may."""
    execute(front, f"UPDATE {table} SET state = 'deleted' WHERE repository = 'a' AND digest = ?", digest)


def without_versions(snapshot):
    """Return the files and rows of a snapshot, without what is lost with them: placements, their stamps, and owners."""
    files, rows = snapshot
    owned = {
        table: [tuple(value for value in row if value not in {"", ADMINISTRATOR}) for row in rows[table]]
        for table in ("manifests", "repository_blobs")
    }
    contents = [row[:3] + row[4:5] for row in rows["contents"]]
    return files, {**rows, **owned, "contents": contents, "counters": [], "usage_by_identity": []}


def test_a_tag_whose_manifest_is_gone_gets_it_back_from_its_bytes(disk_front, manifest):
    before = disk_front.kept.snapshot()
    execute(disk_front, "DELETE FROM manifest_children WHERE repository = 'a'")
    execute(disk_front, "DELETE FROM manifests WHERE repository = 'a'")
    found = facts(check(disk_front))
    assert ("dangling", "a", "v1", manifest, False) in found
    assert disk_front.get("/v2/a/manifests/v1").status == 404
    assert facts(check(disk_front, repair=True)) == [("dangling", "a", "v1", manifest, True)]
    assert without_versions(disk_front.kept.snapshot()) == without_versions(before)
    assert disk_front.get("/v2/a/manifests/v1").status == 200


def test_a_tag_whose_manifest_has_no_bytes_either_stays_for_the_push_that_heals_it(disk_front, manifest):
    data = disk_front.get("/v2/a/manifests/v1").body
    execute(disk_front, "DELETE FROM manifests WHERE repository = 'a'")
    execute(disk_front, "DELETE FROM manifest_children WHERE repository = 'a'")
    execute(disk_front, "DELETE FROM contents WHERE digest = ?", manifest)
    disk_front.kept.write(digest_of(data), None)
    found = check(disk_front, repair=True)
    assert facts(found[:1]) == [("dangling", "a", "v1", manifest, False)]
    assert [(each.defect, each.repaired) for each in found[1:]] == [(Defect.NEEDED_UNREFERRED, True)] * 2
    disk_front.push_manifest("a", manifest, data)
    assert disk_front.get("/v2/a/manifests/v1").body == data
    assert check(disk_front, deep=True) == []


def test_a_missing_part_is_reported_with_the_tags_that_need_it_and_healed_by_a_push(disk_front, manifest):
    delete_needed(disk_front, DIGEST)
    (finding,) = check(disk_front, repair=True)
    assert facts([finding]) == [("dangling", "a", None, manifest, False)]
    assert finding.tags == ("a:v1",)
    assert finding.part == DIGEST
    disk_front.push_blob("a", LAYER)
    assert check(disk_front) == []


def test_content_of_another_repository_is_not_a_part(disk_front, manifest):
    disk_front.push_blob("other", LAYER)
    delete_needed(disk_front, DIGEST)
    assert len(check(disk_front, repair=True)) == 1
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").status == 404


@pytest.mark.parametrize(
    ("required", "blobs", "children"),
    [(Required(), 1, 1), (Required(children=False), 1, 0), (Required(blobs=False, children=False), 0, 0)],
)
def test_parts_may_be_missing_where_the_configuration_allows_it(disk_front, manifest, required, blobs, children):
    data = disk_front.get("/v2/a/manifests/v1").body
    disk_front.push_manifest("a", "all", encode(index(data)), media_types.OCI_IMAGE_INDEX)
    delete_needed(disk_front, DIGEST)
    assert len(check(disk_front, required=required)) == blobs
    disk_front.push_blob("a", LAYER)
    disk_front.delete("/v2/a/manifests/v1")
    rows = disk_front.kept.stores.rows.manifests
    disk_front.run(rows.remove_manifest(RepositoryName("a"), parse_digest(manifest), tags=(), actor=ACTOR))
    assert len(check(disk_front, required=required)) == children


def test_foreign_layers_may_be_missing(disk_front):
    foreign = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": DIGEST, "size": 7}
    disk_front.push_blob("a", b"{}")
    disk_front.push_manifest("a", "v1", encode(image(layers=[foreign])))
    assert check(disk_front, deep=True) == []


def test_held_content_without_its_row_gets_it_back_from_its_bytes(disk_front, manifest):
    before = disk_front.kept.snapshot()
    execute(disk_front, "DELETE FROM contents")
    findings = check(disk_front)
    assert {(finding.kind, finding.repository) for finding in findings} == {("dangling", "a")}
    assert len(findings) == 3
    assert all(finding.repaired for finding in check(disk_front, repair=True))
    assert without_versions(disk_front.kept.snapshot()) == without_versions(before)


def test_held_content_without_row_and_bytes_waits_for_its_push(disk_front, manifest):
    execute(disk_front, "DELETE FROM contents WHERE digest = ?", DIGEST)
    disk_front.kept.write(digest_of(LAYER), b"damaged")
    assert facts(check(disk_front, repair=True)) == [("dangling", "a", None, DIGEST, False)]
    disk_front.push_blob("b", LAYER)
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(disk_front, deep=True) == []


def test_a_repository_without_a_row_gets_it_back(disk_front, manifest):
    execute(disk_front, "DELETE FROM repositories")
    assert facts(check(disk_front)) == [("dangling", "a", None, None, False)]
    assert facts(check(disk_front, repair=True)) == [("dangling", "a", None, None, True)]
    assert check(disk_front) == []
    assert disk_front.get("/v2/_catalog").json["repositories"] == ["a"]


def test_parts_of_a_manifest_that_is_gone_are_removed(disk_front, manifest):
    execute(disk_front, "INSERT INTO manifest_children VALUES ('b', ?, 0, ?)", manifest, DIGEST)
    assert facts(check(disk_front)) == [("dangling", "b", None, manifest, False)]
    assert facts(check(disk_front, repair=True)) == [("dangling", "b", None, manifest, True)]
    assert check(disk_front) == []


def test_condemned_content_that_is_held_is_kept_from_the_collector(disk_front, manifest):
    execute(disk_front, "UPDATE contents SET state = 'condemned' WHERE digest = ?", DIGEST)
    assert facts(check(disk_front)) == [("miscounted", None, None, DIGEST, False)]
    found = check(disk_front, repair=True)
    assert [(each.kind, each.digest, each.repaired) for each in found] == [
        ("miscounted", DIGEST, True),
        ("damaged", DIGEST, True),
    ]
    assert disk_front.run(disk_front.services.garbage.collect()).contents == 0
    assert disk_front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER
    assert check(disk_front, deep=True) == []


def test_content_without_a_holding_is_left_to_the_collector(disk_front, manifest):
    disk_front.push_blob("b", b"unheld")
    execute(disk_front, "DELETE FROM repository_blobs WHERE repository = 'b'")
    digest = str(digest_of(b"unheld"))
    assert facts(check(disk_front)) == [("miscounted", None, None, digest, False)]
    assert facts(check(disk_front, repair=True)) == [("miscounted", None, None, digest, True)]
    assert disk_front.run(disk_front.services.garbage.collect()).contents == 1
    assert check(disk_front) == []


@pytest.mark.parametrize(
    ("sql", "defect"),
    [
        ("UPDATE repository_blobs SET state = 'unneeded' WHERE digest = ?", Defect.REFERRED_UNNEEDED),
        ("DELETE FROM manifest_children WHERE child = ?", Defect.NEEDED_UNREFERRED),
    ],
)
def test_whether_a_blob_is_needed_follows_the_manifests(disk_front, manifest, sql, defect):
    execute(disk_front, sql, DIGEST)
    assert [(each.defect, each.digest, each.repaired) for each in check(disk_front)] == [(defect, DIGEST, False)]
    assert [(each.defect, each.digest, each.repaired) for each in check(disk_front, repair=True)] == [
        (defect, DIGEST, True)
    ]
    assert check(disk_front) == []


def test_unheld_content_that_a_manifest_lacks_is_not_left_to_the_collector(disk_front, manifest, clock):
    execute(disk_front, "DELETE FROM repository_blobs WHERE digest = ?", DIGEST)
    found = check(disk_front, repair=True)
    assert [(finding.kind, finding.repaired) for finding in found] == [("dangling", False), ("miscounted", False)]
    clock.advance(2 * 24 * 3600)
    assert disk_front.run(disk_front.services.garbage.collect()).contents == 0


def test_a_tag_that_does_not_point_at_a_digest_is_removed(disk_front, manifest):
    execute(disk_front, "INSERT INTO tags (repository, tag, digest) VALUES ('a', 'v2', 'sha256:zz')")
    assert facts(check(disk_front)) == [("malformed", "a", "v2", None, False)]
    assert facts(check(disk_front, repair=True)) == [("malformed", "a", "v2", None, True)]
    assert disk_front.get("/v2/a/tags/list").json["tags"] == ["v1"]


def test_a_row_without_a_digest_is_reported(disk_front, manifest):
    execute(disk_front, "INSERT INTO contents (digest, size) VALUES ('sha256:ABC', 1)")
    (finding,) = check(disk_front, repair=True)
    assert facts([finding]) == [("malformed", None, None, None, False)]
    assert finding.reason == "'sha256:ABC'"
