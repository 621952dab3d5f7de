"""Export: what is selected, with all that it names and all that names it, each content once and verified."""

import json

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import ManifestUnknown, NameUnknown
from simple_registry.oci.layouts import INDEX, MARKER, REF_NAME, blob_path
from simple_registry.operations.moving import exporting
from simple_registry.operations.moving.exporting import Exporter, Selection
from support.documents import CONFIG, LAYER_TYPE, descriptor, encode, image, index, push_image
from support.moving import Files, defects

LAYER = b"layer"


def export(front, tally, *selections, target=None):
    registry, rows = front.services.registry, front.kept.stores.rows
    target = Files() if target is None else target
    exporter = Exporter(registry.manifests, rows.manifests, registry.blobs, registry.tags, tally)
    front.run(exporter.run([Selection(*each) for each in selections], target))
    return target


def names(target):
    entries = json.loads(target.files[INDEX])["manifests"]
    return [(entry.get("annotations", {}).get(REF_NAME), entry["digest"]) for entry in entries]


def content(target):
    return {path: data for path, data in target.files.items() if path.startswith("blobs/")}


def by_path(*contents):
    return {blob_path(digest_of(each)): each for each in contents}


def test_an_image_is_exported_with_its_parts(front, tally):
    data = push_image(front, "a", "v1", LAYER)
    push_image(front, "a", "v2", b"another layer")
    target = export(front, tally, ("a", "v1"))
    assert names(target) == [("v1", str(digest_of(data)))]
    assert content(target) == by_path(CONFIG, LAYER, data)
    assert next(iter(target.files)) == MARKER
    assert list(target.files)[-1] == INDEX
    assert (tally.repositories, tally.tags, tally.manifests, tally.blobs) == (1, 1, 1, 2)


def test_the_index_of_an_archive_comes_first(front, tally):
    push_image(front, "a", "v1", LAYER)
    target = export(front, tally, ("a",), target=Files(index_first=True))
    assert list(target.files)[:2] == [MARKER, INDEX]


def test_a_repository_is_exported_with_all_its_tags(front, tally, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 2)
    data = push_image(front, "a", "v1", LAYER)
    for tag in ("v2", "v3", "v4"):
        front.push_manifest("a", tag, data)
    target = export(front, tally, ("a",))
    assert names(target) == [(tag, str(digest_of(data))) for tag in ("v1", "v2", "v3", "v4")]
    assert content(target) == by_path(CONFIG, LAYER, data)


def test_children_at_any_depth_and_layers_of_a_cache_are_exported(front, tally):
    inner = push_image(front, "a", "inner", LAYER)
    outer = encode(index(inner))
    front.push_manifest("a", "outer", outer, media_types.OCI_IMAGE_INDEX)
    top = encode(index(outer, child_type=media_types.OCI_IMAGE_INDEX))
    front.push_manifest("a", "top", top, media_types.OCI_IMAGE_INDEX)
    front.push_blob("a", b"cached")
    cache = encode(index(manifests=[descriptor(b"cached", LAYER_TYPE), descriptor(CONFIG, "application/x")]))
    front.push_manifest("a", "cache", cache, media_types.OCI_IMAGE_INDEX)
    target = export(front, tally, ("a", "top"), ("a", "cache"))
    assert content(target) == by_path(CONFIG, LAYER, inner, outer, top, b"cached", cache)
    assert tally.defects == 0


def test_referrers_are_exported_without_names(front, tally):
    data = push_image(front, "a", "v1", LAYER)
    subject = descriptor(data, media_types.OCI_IMAGE_MANIFEST)
    signature = push_image(front, "a", "signed", b"signature", subject=subject)
    second = encode(image(b"signature", subject=descriptor(signature, media_types.OCI_IMAGE_MANIFEST)))
    front.push_manifest("a", str(digest_of(second)), second)
    target = export(front, tally, ("a", "v1"))
    digests = [str(digest_of(each)) for each in (data, signature, second)]
    assert names(target) == [("v1", digests[0]), (None, digests[1]), (None, digests[2])]
    target = export(front, tally, ("a",))
    assert sorted(names(target), key=str) == sorted(
        [("v1", digests[0]), ("signed", digests[1]), (None, digests[2])], key=str
    )


def test_several_repositories_are_in_all_names(front, tally):
    data = push_image(front, "a", "v1", LAYER)
    push_image(front, "team/b", "v1", LAYER)
    signature = encode(image(subject=descriptor(data, media_types.OCI_IMAGE_MANIFEST)))
    front.push_manifest("a", str(digest_of(signature)), signature)
    target = export(front, tally, ("a",), ("team/b", digest_of(data)), ("team/b", "v1"))
    digest = str(digest_of(data))
    assert names(target) == [
        ("a:v1", digest),
        (f"a@{digest_of(signature)}", str(digest_of(signature))),
        ("team/b:v1", digest),
    ]


@pytest.mark.parametrize("selection", [("a", "none"), ("a", digest_of(b"x")), ("none",)])
def test_what_is_not_there_is_refused_before_anything_is_written(front, tally, selection):
    push_image(front, "a", "v1", LAYER)
    target = Files()
    with pytest.raises((ManifestUnknown, NameUnknown)):
        export(front, tally, ("a", "v1"), selection, target=target)
    assert target.files == {}


def test_an_earlier_export_is_continued(front, tally):
    push_image(front, "a", "v1", LAYER)
    target = export(front, tally, ("a",))
    export(front, tally, ("a",), target=target)
    assert (tally.blobs, tally.manifests, tally.present) == (2, 1, 3)


@pytest.mark.parametrize("index_first", [False, True])
def test_a_damaged_blob_is_a_defect_or_ends_an_archive(front, tally, index_first):
    push_image(front, "a", "v1", LAYER)
    front.kept.write(digest_of(LAYER), b"LAYER")
    target = Files(index_first=index_first)
    if index_first:
        with pytest.raises(StorageFault, match=f"cannot export a@{digest_of(LAYER)}: "):
            export(front, tally, ("a",), target=target)
        return
    export(front, tally, ("a",), target=target)
    ((where, reason),) = defects(tally).items()
    assert where == f"a@{digest_of(LAYER)}"
    assert reason.endswith(str(digest_of(b"LAYER")))
    assert blob_path(digest_of(LAYER)) not in target.files


def test_what_is_missing_is_a_defect(front, tally):
    push_image(front, "a", "v1", LAYER)
    gone = push_image(front, "a", "v2", b"second")
    front.kept.write(digest_of(LAYER), None)
    front.kept.write(digest_of(gone), None)
    target = export(front, tally, ("a",))
    assert set(defects(tally)) == {f"a@{digest_of(LAYER)}", "a:v2"}
    assert [name for name, _ in names(target)] == ["v1"]


def test_foreign_layers_may_be_missing(front, tally):
    foreign = descriptor(b"foreign", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
    push_image(front, "a", "v1", layers=[foreign])
    target = export(front, tally, ("a",))
    assert tally.defects == 0
    assert blob_path(digest_of(b"foreign")) not in target.files
