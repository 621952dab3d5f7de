"""Adoption: everything that another registry serves, and a report of what it cannot."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.moving.adopting import Adopter, DryTaker, StoreTaker
from simple_registry.operations.moving.tally import Tally
from simple_registry.storage.filesystem.adoption import FilesystemAdoption
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.foreign.detection import open_source
from simple_registry.storage.sources import Transfer
from storage.filesystem.disks import WatchedDisk
from support.checking import check
from support.documents import CONFIG, descriptor, encode, image
from support.foreign import IMAGE, INDEX, LAYER, SIGNATURE, distribution, layout, simple_registry
from support.front import Front
from support.moving import defects, intake_of
from support.stores import on_disk


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "other"
    path.mkdir()
    return path


@pytest.fixture
def adopt(disk_front, root, tally):
    def run(transfer=Transfer.AUTO, *, dry=False):
        before = snapshot(root)
        try:
            adopt_with(disk_front, root, tally, Disk(), transfer, dry=dry)
        finally:
            assert snapshot(root) == before

    return run


def adopt_with(front, root, tally, disk, transfer, *, dry=False):
    threads, contents = Threads(), front.services.registry.contents
    files = FilesystemAdoption(front.kept.layout, disk, threads)
    store = StoreTaker(intake_of(front, None), front.kept.stores.rows.blobs, contents, files, transfer)
    try:
        front.run(Adopter(DryTaker() if dry else store, tally, manifest_size=4 * 1024 * 1024).run(open_source(root)))
    finally:
        threads.close()


def snapshot(root):
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in root.rglob("*")}


def fill(root, kind):
    if kind == "layouts":
        layout(root / "team" / "app").image()
        layout(root / "b").image("v2")
        return
    links = {"distribution": distribution, "simple-registry": simple_registry}[kind](root)
    links.image("team/app")
    links.image("b", "v2")


@pytest.mark.parametrize("transfer", [Transfer.AUTO, Transfer.LINK])
@pytest.mark.parametrize("kind", ["distribution", "simple-registry", "layouts"])
def test_all_that_was_served_is_served(disk_front, root, adopt, tally, kind, transfer):
    fill(root, kind)
    adopt(transfer)
    assert defects(tally) == {}
    for name, tag in (("team/app", "v1"), ("b", "v2")):
        assert disk_front.get(f"/v2/{name}/manifests/{tag}").body == INDEX
        for data in (IMAGE, INDEX, SIGNATURE):
            assert disk_front.get(f"/v2/{name}/manifests/{digest_of(data)}").body == data
        for data in (CONFIG, LAYER):
            assert disk_front.get(f"/v2/{name}/blobs/{digest_of(data)}").body == data
        (referrer,) = disk_front.get(f"/v2/{name}/referrers/{digest_of(INDEX)}").json["manifests"]
        assert referrer["digest"] == str(digest_of(SIGNATURE))
    assert (tally.repositories, tally.tags, tally.manifests, tally.blobs) == (2, 2, 6, 2)
    assert check(disk_front, deep=True) == []


def test_a_second_run_changes_nothing(disk_front, root, adopt, tally):
    fill(root, "distribution")
    adopt()
    with disk_front.unchanged():
        adopt()
    assert (tally.blobs, tally.manifests, tally.tags) == (2, 6, 2)


def test_a_dry_run_verifies_and_changes_nothing(disk_front, root, adopt, tally):
    fill(root, "distribution")
    distribution_blob = root / "docker/registry/v2/blobs/sha256" / digest_of(LAYER).encoded[:2]
    (distribution_blob / digest_of(LAYER).encoded / "data").write_bytes(b"A LAYER")
    with disk_front.unchanged():
        adopt(dry=True)
    assert (tally.repositories, tally.manifests, tally.tags, tally.blobs, tally.present) == (2, 6, 2, 1, 1)
    assert set(defects(tally)) >= {f"b@{digest_of(LAYER)}", f"team/app@{digest_of(LAYER)}"}


def test_what_is_broken_is_reported_and_the_rest_is_taken(disk_front, root, adopt, tally):
    links = distribution(root)
    links.image("app")
    other = encode(image(b"other", b"missing"))
    links.layer("app", b"other").write_text(str(digest_of(b"other")))
    links.manifest("app", other, "other")
    links.blob(LAYER).write_bytes(b"A LAYER")
    links.blob(SIGNATURE).unlink()
    gone = links.manifest("app", encode(image()), "gone")
    links.blob(encode(image())).write_bytes(b"{}")
    schema1 = links.manifest("app", b'{"schemaVersion": 1, "fsLayers": []}', "old")
    assert gone.exists()
    assert schema1.exists()
    adopt()
    found = defects(tally)
    app = "app@"
    image_digest, layer = digest_of(IMAGE), digest_of(LAYER)
    lacking = "it lacks parts there, and is taken without them: "
    assert found.pop(f"{app}{layer}").endswith(f"its bytes hash to {digest_of(b'A LAYER')}")
    assert found.pop(f"{app}{image_digest}") == f"{lacking}{layer}"
    assert found.pop(f"{app}{digest_of(other)} app:other") == f"{lacking}{digest_of(b'missing')}"
    assert found.pop(f"{app}{digest_of(SIGNATURE)}") == "its bytes are missing"
    assert found.pop(f"{app}{digest_of(encode(image()))} app:gone").endswith(f"hash to {digest_of(b'{}')}")
    assert "fsLayers" in found.popitem()[1]
    assert found == {}
    assert disk_front.get("/v2/app/tags/list").json["tags"] == ["other", "v1"]
    assert disk_front.get("/v2/app/manifests/other").body == other
    assert disk_front.get(f"/v2/app/blobs/{layer}").status == 404


def test_defects_of_the_source_and_unfinished_uploads_are_counted(root, adopt, tally):
    links = distribution(root)
    links.image("Team")
    links.image("app")
    links.link("app/_manifests/tags/bad/current", digest_of(LAYER), "")
    (links.base / "repositories/app/_uploads/0b1c").mkdir(parents=True)
    adopt()
    assert set(defects(tally)) == {"repositories/Team", "repositories/app/_manifests/tags/bad/current/link"}
    assert tally.uploads == 1


def test_a_descriptor_with_a_wrong_size_is_taken_as_it_is(disk_front, root, adopt, tally):
    data = encode(image(layers=[descriptor(LAYER) | {"size": 1}]))
    links = distribution(root)
    links.image("app")
    links.manifest("app", data, "odd")
    adopt()
    assert defects(tally) == {}
    assert disk_front.get("/v2/app/manifests/odd").body == data


def test_a_broken_child_is_one_defect(root, adopt, tally):
    links = distribution(root)
    links.image("app")
    links.blob(IMAGE).write_bytes(b"{}")
    found = []
    tally.found = found.append
    adopt()
    assert [defect.path for defect in found] == [f"app@{digest_of(IMAGE)}"]


def test_a_tag_of_a_layout_whose_target_is_no_manifest_is_a_defect(root, adopt, tally):
    made = layout(root / "app").image()
    made.entry(LAYER, "application/x", "odd")
    adopt()
    assert defects(tally) == {"app:odd": f"it points at {digest_of(LAYER)}, which is no manifest there"}


def test_a_manifest_over_the_limit_is_a_defect(disk_front, root, adopt, tally):
    links = distribution(root)
    links.manifest("app", b" " * (4 * 1024 * 1024 + 1), "large")
    adopt()
    ((_, reason),) = defects(tally).items()
    assert reason == "it has 4194305 bytes; a manifest has up to 4194304"
    assert disk_front.get("/v2/app/tags/list").status == 404


def test_a_way_that_is_impossible_ends_the_run(disk_front, root, adopt, monkeypatch):
    fill(root, "distribution")
    monkeypatch.setattr(Disk, "link", lambda *_: False)
    with disk_front.unchanged(), pytest.raises(StorageFault, match="use -copy"):
        adopt(Transfer.LINK)


def test_parts_that_ended_while_a_repository_was_taken_are_taken_again(disk_front, root, tally, monkeypatch, clock):
    """A server's collector runs while the blobs of one repository take longer than the grace."""
    distribution(root).image("app")
    put = StoreTaker.take_manifest

    async def late(self, *arguments):
        clock.advance(25 * 3600)
        await disk_front.services.garbage.collect()
        return await put(self, *arguments)

    monkeypatch.setattr(StoreTaker, "take_manifest", late)
    adopt_with(disk_front, root, tally, Disk(), Transfer.COPY)
    assert defects(tally) == {}
    assert (tally.manifests, tally.blobs) == (3, 2)
    clock.advance(25 * 3600)
    disk_front.run(disk_front.services.garbage.collect())
    for data in (CONFIG, LAYER):
        assert disk_front.get(f"/v2/app/blobs/{digest_of(data)}").body == data
    assert check(disk_front, deep=True) == []


class Died(Exception):
    """The process ended here."""


class DyingDisk(WatchedDisk):
    """Makes `left` changing calls, and then none."""

    def __init__(self, left):
        self.left = left

    def watch(self, name, arguments):
        if not self.left:
            raise Died
        self.left -= 1


def test_a_run_that_ends_at_any_point_is_continued(root, clock, tmp_path):
    fill(root, "distribution")
    died, point = True, 0
    while died:
        with on_disk(tmp_path / str(point), clock) as kept, Front(kept, clock) as front:
            died = ends_early(front, root, DyingDisk(point))
            tally = Tally(print)
            adopt_with(front, root, tally, Disk(), Transfer.LINK)
            assert tally.defects == 0
            assert front.get("/v2/team/app/manifests/v1").body == INDEX
            findings = check(front, deep=True)
            assert {finding.kind for finding in findings} <= {"leftover"}
        point += 1
    assert point > 10


def ends_early(front, root, disk):
    try:
        adopt_with(front, root, Tally(print), disk, Transfer.LINK)
    except Died:
        return True
    return False
