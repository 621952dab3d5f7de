"""Import: manifests after their parts, tags from names, everything verified, and what is there already skipped."""

import asyncio
import json

import pytest

from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from simple_registry.oci.layouts import INDEX, MARKER, LayoutInvalid, blob_path
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.moving.importing import Importer
from support.documents import CONFIG, LAYER_TYPE, descriptor, encode, image, index
from support.foreign import CONTENT, IMAGE, INDEX as IMAGE_INDEX, LAYER, SIGNATURE, layout
from support.moving import Files, defects, intake_of

A = RepositoryName("a")


@pytest.fixture
def files(tmp_path):
    root = layout(tmp_path / "layout").image().root
    return read(root)


def read(root):
    return Files({str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()})


def add(files, data, media_type, name=None):
    files.blob(data)
    document = json.loads(files.files[INDEX])
    annotations = {} if name is None else {"annotations": {"org.opencontainers.image.ref.name": name}}
    document["manifests"].append(descriptor(data, media_type, **annotations))
    files.files[INDEX] = json.dumps(document).encode()


def run(front, tally, files, repository="app", *, pipe=False):
    importer = Importer(intake_of(front), tally)
    front.run(importer.receive(files, repository) if pipe else importer.run(files, repository))


@pytest.mark.parametrize("pipe", [False, True])
@pytest.mark.parametrize("index_first", [False, True])
def test_a_layout_is_imported_with_its_tags_and_referrers(front, tally, files, pipe, index_first):
    if index_first:
        files.files = {MARKER: b"{}", INDEX: files.files.pop(INDEX), **files.files}
    run(front, tally, files, pipe=pipe)
    assert defects(tally) == {}
    assert front.get("/v2/app/manifests/v1").body == IMAGE_INDEX
    assert front.get(f"/v2/app/manifests/{digest_of(IMAGE)}").body == IMAGE
    assert front.get(f"/v2/app/blobs/{digest_of(LAYER)}").body == LAYER
    (referrer,) = front.get(f"/v2/app/referrers/{digest_of(IMAGE_INDEX)}").json["manifests"]
    assert referrer["digest"] == str(digest_of(SIGNATURE))
    assert (tally.repositories, tally.tags, tally.manifests) == (1, 1, 3)


@pytest.mark.parametrize("pipe", [False, True])
def test_what_is_there_is_not_read_again(front, tally, files, pipe):
    run(front, tally, files, pipe=pipe)
    blobs = tally.blobs
    files.opened.clear()
    with front.unchanged():
        run(front, tally, files, pipe=pipe)
    assert (tally.blobs, tally.manifests) == (blobs, 3)
    assert not {digest_of(LAYER), digest_of(CONFIG)} & set(files.opened)


def test_a_manifest_gets_the_tags_of_all_its_names(front, tally, files):
    add(files, IMAGE_INDEX, media_types.OCI_IMAGE_INDEX, "v2")
    add(files, IMAGE, media_types.OCI_IMAGE_MANIFEST, "amd64")
    run(front, tally, files)
    assert front.get("/v2/app/tags/list").json["tags"] == ["amd64", "v1", "v2"]
    assert front.get("/v2/app/manifests/amd64").body == IMAGE


def test_names_with_repositories_lead_there(front, tally, tmp_path):
    made = layout(tmp_path / "several").image("a:v1", referrer=f"a@{digest_of(SIGNATURE)}")
    made.entry(IMAGE, media_types.OCI_IMAGE_MANIFEST, "team/b:v2")
    run(front, tally, read(made.root), None)
    assert front.get("/v2/a/manifests/v1").body == IMAGE_INDEX
    assert front.get(f"/v2/a/manifests/{digest_of(SIGNATURE)}").status == 200
    assert front.get("/v2/team/b/manifests/v2").body == IMAGE
    assert front.get(f"/v2/team/b/manifests/{digest_of(IMAGE_INDEX)}").status == 404
    assert tally.repositories == 2


def test_a_pipe_may_name_its_only_repository(front, tally, tmp_path):
    files = read(layout(tmp_path / "one").image("team/a:v1", referrer=f"team/a@{digest_of(SIGNATURE)}").root)
    files.files = {INDEX: files.files.pop(INDEX), **files.files}
    run(front, tally, files, None, pipe=True)
    assert front.get("/v2/team/a/manifests/v1").body == IMAGE_INDEX


def several(files):
    add(files, IMAGE, media_types.OCI_IMAGE_MANIFEST, "a:v1")
    add(files, IMAGE, media_types.OCI_IMAGE_MANIFEST, "b:v1")


@pytest.mark.parametrize(
    ("change", "repository", "pipe", "said"),
    [
        (lambda files: None, None, False, "has no repository; give one"),
        (several, "app", False, "of 2 repositories; give no repository"),
        (lambda files: files.files.pop(INDEX), "app", True, "it has no index.json"),
        (lambda files: files.files.update({INDEX: b"{"}), "app", False, "index.json: "),
        (lambda files: add(files, IMAGE, media_types.OCI_IMAGE_MANIFEST, "not a name"), "app", False, "neither a tag"),
        (lambda files: None, None, True, "does not come first; give a repository"),
    ],
)
def test_an_unusable_layout_changes_nothing(memory_front, tally, files, change, repository, pipe, said):
    change(files)
    if pipe:
        files.files = {
            path: data for path, data in files.files.items() if not path.startswith("blobs") or not repository
        }
    with memory_front.unchanged(), pytest.raises(LayoutInvalid, match=said):
        run(memory_front, tally, files, repository, pipe=pipe)


def test_several_repositories_do_not_come_through_a_pipe(memory_front, tally, files):
    several(files)
    files.files = {INDEX: files.files.pop(INDEX), **files.files}
    with memory_front.unchanged(), pytest.raises(LayoutInvalid, match="which need a file or a directory"):
        run(memory_front, tally, files, None, pipe=True)


@pytest.mark.parametrize("pipe", [False, True])
def test_damaged_and_missing_content_is_a_defect_and_its_manifest_is_left_out(front, tally, files, pipe):
    other = encode(image(b"other layer"))
    files.blob(b"other layer")
    add(files, other, media_types.OCI_IMAGE_MANIFEST, "other")
    files.files[blob_path(digest_of(LAYER))] = b"A LAYER"
    del files.files[blob_path(digest_of(SIGNATURE))]
    run(front, tally, files, pipe=pipe)
    found = defects(tally)
    assert "provided digest did not match" in found[blob_path(digest_of(LAYER))] or pipe
    assert f"unknown to registry (digest {digest_of(LAYER)})" in found[blob_path(digest_of(IMAGE))]
    assert found[blob_path(digest_of(IMAGE_INDEX))] == f"its child {digest_of(IMAGE)} was left out"
    assert found[blob_path(digest_of(SIGNATURE))] == "it is missing"
    assert front.get("/v2/app/tags/list").json["tags"] == ["other"]
    assert front.get("/v2/app/manifests/other").body == other


@pytest.mark.parametrize(
    ("data", "media_type", "said"),
    [
        (b"{}", "application/x", "it is not a manifest, but application/x"),
        (b"{}", media_types.OCI_IMAGE_MANIFEST, "manifest invalid"),
        (b" " * (4 * 1024 * 1024 + 1), media_types.OCI_IMAGE_MANIFEST, "a manifest has up to 4194304"),
        (IMAGE, media_types.DOCKER_MANIFEST, "differs from the Content-Type"),
    ],
)
def test_what_is_no_manifest_is_a_defect(memory_front, tally, files, data, media_type, said):
    add(files, data, media_type, "odd")
    run(memory_front, tally, files)
    assert said in defects(tally)[blob_path(digest_of(data))]
    assert memory_front.get("/v2/app/tags/list").json["tags"] == ["v1"]


def test_a_child_that_the_layout_lacks_is_named(memory_front, tally, files):
    del files.files[blob_path(digest_of(IMAGE))]
    run(memory_front, tally, files)
    ((path, reason),) = defects(tally).items()
    assert path == blob_path(digest_of(IMAGE_INDEX))
    assert reason.endswith(f"unknown to registry (digest {digest_of(IMAGE)})")


def test_a_manifest_with_other_bytes_is_a_defect(memory_front, tally, files):
    files.files[blob_path(digest_of(IMAGE_INDEX))] = IMAGE
    run(memory_front, tally, files)
    assert defects(tally)[blob_path(digest_of(IMAGE_INDEX))] == f"its bytes hash to {digest_of(IMAGE)}"


def test_deep_indexes_with_doubled_edges_take_linear_time(memory_front, tally, files):
    outer = IMAGE_INDEX
    for _ in range(40):
        outer = encode(index(outer, outer, child_type=media_types.OCI_IMAGE_INDEX))
        files.blob(outer)
    add(files, outer, media_types.OCI_IMAGE_INDEX, "deep")
    files.opened.clear()
    run(memory_front, tally, files)
    assert tally.manifests == 43
    assert len(files.opened) < 200
    assert defects(tally) == {}


def test_layers_of_a_cache_index_are_blobs(memory_front, tally, files):
    cache = encode(index(manifests=[descriptor(b"cached", LAYER_TYPE)]))
    files.blob(b"cached")
    add(files, cache, media_types.OCI_IMAGE_INDEX, "cache")
    run(memory_front, tally, files)
    assert memory_front.get(f"/v2/app/blobs/{digest_of(b'cached')}").body == b"cached"
    assert memory_front.get("/v2/app/manifests/cache").body == cache


def test_foreign_layers_are_imported_if_they_are_there(memory_front, tally, files):
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    files.blob(CONFIG)
    files.blob(b"there")
    data = encode(image(layers=[descriptor(b"there", kind), descriptor(b"not there", kind)]))
    add(files, data, media_types.OCI_IMAGE_MANIFEST, "foreign")
    run(memory_front, tally, files)
    assert memory_front.get(f"/v2/app/blobs/{digest_of(b'there')}").body == b"there"
    assert memory_front.get("/v2/app/manifests/foreign").status == 200
    assert defects(tally) == {}


def test_the_content_of_the_fixture_is_complete(files):
    assert {blob_path(digest_of(each)) for each in CONTENT} == set(files.files) - {INDEX, MARKER}


class Slow(Files):
    """A layout of which each entry takes half a grace to arrive, while the collector runs."""

    def __init__(self, files, front):
        super().__init__(files)
        self.front = front

    async def pause(self):
        self.front.clock.advance(12 * 3600)
        await asyncio.sleep(0.05)
        await self.front.services.garbage.collect()

    async def open(self, digest):
        await self.pause()
        return await super().open(digest)

    async def entries(self):
        async for entry in super().entries():
            await self.pause()
            yield entry


@pytest.mark.parametrize("pipe", [False, True])
def test_blobs_wait_for_their_manifest_longer_than_a_grace(front, tally, tmp_path, pipe):
    layers = [b"layer %d" % number for number in range(6)]
    files = Slow({MARKER: b"{}", INDEX: b'{"schemaVersion":2,"manifests":[]}'}, front)
    for blob in (CONFIG, *layers):
        files.blob(blob)
    add(files, encode(image(*layers)), media_types.OCI_IMAGE_MANIFEST, "v1")
    importer = Importer(intake_of(front), tally, renew_every=0.01)
    front.run(importer.receive(files, A) if pipe else importer.run(files, A))
    assert defects(tally) == {}
    for layer in layers:
        assert front.get(f"/v2/a/blobs/{digest_of(layer)}").body == layer
