"""Reading pushed manifests: every kind that clients send is accepted, everything ambiguous is refused."""

import json

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import ManifestInvalid
from simple_registry.oci.manifests import MAX_ENTRIES, Manifest, parse_manifest
from support.documents import CONFIG, CONFIG_TYPE, EMPTY_TYPE, LAYER_TYPE, descriptor, encode, image, index

OCI = media_types.OCI_IMAGE_MANIFEST
OCI_INDEX = media_types.OCI_IMAGE_INDEX
ARTIFACT = media_types.OCI_ARTIFACT_MANIFEST
DOCKER = media_types.DOCKER_MANIFEST
DOCKER_LIST = media_types.DOCKER_MANIFEST_LIST


def digests(descriptors):
    return [each.digest for each in descriptors]


def refuse(document, content_type=OCI):
    data = document if isinstance(document, bytes) else encode(document)
    with pytest.raises(ManifestInvalid) as refused:
        parse_manifest(data, content_type)
    return refused.value.facts


# ---------------------------------------------------------------- accepted


def test_an_oci_image_needs_its_config_and_layers():
    manifest = parse_manifest(encode(image(b"one", b"two")), OCI)
    assert (manifest.media_type, manifest.artifact_type) == (OCI, CONFIG_TYPE)
    assert digests(manifest.blobs) == [digest_of(CONFIG), digest_of(b"one"), digest_of(b"two")]
    assert manifest.children == manifest.optional == ()
    assert manifest.subject is None


def test_an_oci_index_needs_its_children():
    manifest = parse_manifest(encode(index(b"amd64", b"arm64")), OCI_INDEX)
    assert (manifest.media_type, manifest.artifact_type) == (OCI_INDEX, None)
    assert digests(manifest.children) == [digest_of(b"amd64"), digest_of(b"arm64")]
    assert manifest.blobs == ()


def test_an_empty_index_is_accepted():
    assert parse_manifest(encode(index()), OCI_INDEX).children == ()


def test_an_image_without_layers_is_accepted():
    assert digests(parse_manifest(encode(image()), OCI).blobs) == [digest_of(CONFIG)]


def test_a_docker_image_keeps_its_type():
    document = image(b"one", config_type="application/vnd.docker.container.image.v1+json", mediaType=DOCKER)
    assert parse_manifest(encode(document), DOCKER).media_type == DOCKER


def test_a_docker_manifest_list_keeps_its_type():
    document = index(b"amd64", child_type=DOCKER, mediaType=DOCKER_LIST)
    assert parse_manifest(encode(document), DOCKER_LIST).media_type == DOCKER_LIST


def test_foreign_layers_may_stay_away():
    foreign = descriptor(b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", urls=["https://x/"])
    manifest = parse_manifest(encode(image(layers=[descriptor(b"own"), foreign])), OCI)
    assert digests(manifest.blobs) == [digest_of(CONFIG), digest_of(b"own")]
    assert digests(manifest.optional) == [digest_of(b"windows")]


def test_an_artifact_manifest_of_the_release_candidates_is_accepted():
    document = {"mediaType": ARTIFACT, "artifactType": "application/x.sbom", "blobs": [descriptor(b"sbom")]}
    manifest = parse_manifest(encode(document), ARTIFACT)
    assert (manifest.media_type, manifest.artifact_type) == (ARTIFACT, "application/x.sbom")
    assert digests(manifest.blobs) == [digest_of(b"sbom")]


def test_an_artifact_with_the_empty_config_is_known_by_its_artifact_type():
    document = image(b"sig", config_type=EMPTY_TYPE, artifactType="application/x.signature")
    assert parse_manifest(encode(document), OCI).artifact_type == "application/x.signature"


@pytest.mark.parametrize("kind", ["application/vnd.dev.sigstore.bundle+json;version=0.2", "text/plain; charset=utf-8"])
def test_types_of_parts_and_artifacts_may_have_parameters(kind):
    document = image(layers=[descriptor(b"one", kind)], config_type=kind, artifactType=kind)
    assert parse_manifest(encode(document), OCI).artifact_type == kind
    assert parse_manifest(encode(image(config_type=kind)), OCI).artifact_type == kind
    children = parse_manifest(encode(index(b"one", child_type=kind)), OCI_INDEX).children
    assert [child.media_type for child in children] == [kind]


def test_types_of_parts_may_be_one_word():
    document = image(layers=[descriptor(b"one", "sbom")], config_type="config")
    manifest = parse_manifest(encode(document), OCI)
    assert [blob.media_type for blob in manifest.blobs] == ["config", "sbom"]


def test_a_foreign_layer_with_parameters_may_stay_away():
    foreign = descriptor(b"windows", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip; a=b")
    assert digests(parse_manifest(encode(image(layers=[foreign])), OCI).optional) == [digest_of(b"windows")]


def test_an_index_has_no_artifact_type_but_its_own():
    assert (
        parse_manifest(encode(index(artifactType="application/x.set")), OCI_INDEX).artifact_type == "application/x.set"
    )


def test_a_buildkit_cache_index_lists_layers_and_its_config():
    cache = [
        descriptor(b"layer", LAYER_TYPE, annotations={"buildkit/createdat": "2024-01-01T00:00:00Z"}),
        descriptor(CONFIG, "application/vnd.buildkit.cacheconfig.v0"),
    ]
    manifest = parse_manifest(encode(index(manifests=cache)), OCI_INDEX)
    assert digests(manifest.children) == [digest_of(b"layer"), digest_of(CONFIG)]


@pytest.mark.parametrize(
    ("config_type", "layer_type"),
    [
        ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
        ("application/vnd.wasm.config.v0+json", "application/wasm"),
        ("application/vnd.wasm.config.v1+json", "application/vnd.wasm.content.layer.v1+wasm"),
        ("application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.dev.sigstore.bundle.v0.3+json"),
        ("application/vnd.cncf.flux.config.v1+json", "application/vnd.cncf.flux.content.v1.tar+gzip"),
    ],
)
def test_images_that_are_not_containers_are_known_by_the_type_of_their_config(config_type, layer_type):
    document = image(config_type=config_type, layers=[descriptor(b"content", layer_type)])
    assert parse_manifest(encode(document), OCI).artifact_type == config_type


@pytest.mark.parametrize("content_type", [OCI, OCI + "; charset=utf-8", "", None, "application/json", OCI.upper()])
def test_an_image_without_media_type_is_detected_by_header_or_shape(content_type):
    assert parse_manifest(encode(image(b"one", mediaType=None)), content_type).media_type == OCI


@pytest.mark.parametrize("content_type", [OCI_INDEX, "", None, "application/octet-stream"])
def test_an_index_without_media_type_is_detected_by_header_or_shape(content_type):
    assert parse_manifest(encode(index(b"one", mediaType=None)), content_type).media_type == OCI_INDEX


def test_an_empty_media_type_counts_as_absent():
    assert parse_manifest(encode(image(mediaType="")), OCI).media_type == OCI


@pytest.mark.parametrize("content_type", [OCI, OCI + ";charset=utf-8", f" {OCI} ", "", None])
def test_a_declared_type_applies_with_or_without_the_header(content_type):
    assert parse_manifest(encode(image()), content_type).media_type == OCI


def test_unknown_fields_are_accepted_at_any_depth():
    document = image(
        b"one", config={**descriptor(CONFIG, CONFIG_TYPE), "x": {"y": [1, None, 1.5]}}, vendor={"Deep": [{"a": 1}]}
    )
    assert isinstance(parse_manifest(encode(document), OCI), Manifest)


@pytest.mark.parametrize("field", ["layers", "annotations", "subject", "artifactType"])
def test_nulls_as_go_writes_them_are_absent_values(field):
    document = image() | {field: None}
    manifest = parse_manifest(encode(document), OCI)
    assert (manifest.annotations, manifest.subject) == ({}, None)


def test_an_index_whose_manifests_are_null_is_empty():
    data = b'{"schemaVersion":2,"manifests":null}'
    assert parse_manifest(data, OCI_INDEX).children == ()


def test_subject_and_annotations_are_drawn_out():
    subject = encode(image())
    document = image(subject=descriptor(subject, OCI), annotations={"b": "2", "a": "\u00e4\U0001f600"})
    manifest = parse_manifest(encode(document), OCI)
    assert manifest.subject is not None
    assert manifest.subject.digest == digest_of(subject)
    assert manifest.annotations == {"b": "2", "a": "\u00e4\U0001f600"}


def test_descriptors_with_platform_data_and_urls_are_accepted():
    further = {"platform": {"os": "linux", "architecture": "amd64"}, "data": "bQ==", "urls": ["https://x/"]}
    child = descriptor(b"m", OCI) | further
    assert len(parse_manifest(encode(index(manifests=[child])), OCI_INDEX).children) == 1


def test_sha512_parts_are_accepted():
    document = image(layers=[descriptor(b"one", algorithm="sha512")])
    assert parse_manifest(encode(document), OCI).blobs[1].digest == digest_of(b"one", "sha512")


# ---------------------------------------------------------------- refused: ambiguous


@pytest.mark.parametrize("content_type", [OCI, OCI_INDEX, "", None])
def test_a_document_that_is_both_image_and_index_is_refused(content_type):
    refuse(image(b"one", mediaType=None, manifests=[descriptor(b"child", OCI)]), content_type)


@pytest.mark.parametrize("field", ["manifests", "blobs", "fsLayers"])
def test_an_image_with_a_field_of_another_kind_is_refused_even_when_it_is_empty(field):
    assert refuse(image() | {field: []})["field"] == field
    assert refuse(image() | {field: None})["field"] == field


@pytest.mark.parametrize("field", ["config", "layers", "blobs", "fsLayers"])
def test_an_index_with_a_field_of_another_kind_is_refused(field):
    assert refuse(index() | {field: None}, OCI_INDEX)["field"] == field


@pytest.mark.parametrize(
    ("document", "content_type"),
    [(image(), DOCKER), (image(), OCI_INDEX), (index(), OCI), (image(mediaType=DOCKER), OCI), (image(), "text/html")],
)
def test_a_content_type_that_differs_from_the_media_type_is_refused(document, content_type):
    assert refuse(document, content_type)["field"] == "mediaType"


def test_a_media_type_that_differs_only_in_case_is_refused():
    refuse(image(mediaType=OCI.upper()))


@pytest.mark.parametrize(
    "kind", ["text/html", "application/json", "a", "image/svg+xml", " " + OCI, OCI + "\n", OCI + ";a=b"]
)
def test_a_document_cannot_choose_its_own_type(kind):
    assert refuse(image(mediaType=kind), None)["field"] == "mediaType"


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/xml", "*/*", "application/vnd.x+json"])
def test_a_header_cannot_choose_a_foreign_type(kind):
    assert refuse(image(mediaType=None), kind)["field"] == "mediaType"


def test_schema_1_is_refused():
    document = {
        "schemaVersion": 1,
        "name": "a",
        "tag": "b",
        "fsLayers": [{"blobSum": str(digest_of(b""))}],
        "history": [],
    }
    refuse(document, "application/vnd.docker.distribution.manifest.v1+json")
    refuse(document, "application/vnd.docker.distribution.manifest.v1+prettyjws")
    refuse(document, None)


@pytest.mark.parametrize("version", [None, 1, 3, "2", 2.5, [2], True])
def test_any_other_schema_version_is_refused(version):
    refuse(image() | {"schemaVersion": version})


def test_a_document_without_schema_version_is_refused():
    assert refuse(image(schemaVersion=None))["field"] == "schemaVersion"
    assert refuse(index(schemaVersion=None), OCI_INDEX)["field"] == "schemaVersion"


def test_an_image_without_config_is_refused():
    assert refuse(image(config=None))["field"] == "config"


def test_an_index_without_manifests_is_refused():
    assert refuse(index(manifests=None), OCI_INDEX)["field"] == "manifests"


@pytest.mark.parametrize(
    "key", ["MediaType", "Layers", "CONFIG", "Subject", "manifestS", "artifacttype", "SchemaVersion"]
)
def test_a_key_that_a_reader_without_case_would_take_for_a_known_one_is_refused(key):
    assert refuse(image() | {key: None})["field"] == key


@pytest.mark.parametrize("key", ["Digest", "SIZE", "MediaType", "dIgest", "Platform", "\u017fize"])
def test_the_same_holds_inside_descriptors(key):
    spoilt = descriptor(b"one") | {key: None}
    assert refuse(image(layers=[descriptor(b"two"), spoilt]))["field"] == f"layers.{key}"
    assert refuse(image(config=spoilt))["field"] == f"config.{key}"
    assert refuse(image(subject=spoilt))["field"] == f"subject.{key}"
    assert refuse(index(manifests=[spoilt]), OCI_INDEX)["field"] == f"manifests.{key}"


def test_annotations_may_have_any_key():
    parse_manifest(encode(image(annotations={"Digest": "x", "digest": "y", "MediaType": "z"})), OCI)


@pytest.mark.parametrize("key", ["layer\u017f", "\u017fubject", "mediatype"])
def test_letters_that_fold_to_those_of_a_known_key_count_as_its_case(key):
    refuse(image() | {key: None})


def _with(text: bytes) -> bytes:
    return encode(image(b"one")).rstrip(b"}") + b"," + text + b"}"


@pytest.mark.parametrize(
    "text",
    [
        b'"mediaType":"text/html"',
        b'"config":null',
        b'"x":1,"x":2',
        b'"x":{"y":[{"z":1,"z":1}]}',
        b'"annotations":{"a":"1","a":"2"}',
        b'"\\u006dediaType":"text/html"',
    ],
)
def test_a_key_twice_at_any_depth_is_refused(text):
    refuse(_with(text))


# ---------------------------------------------------------------- refused: malformed


@pytest.mark.parametrize("entry", ["[]", "{}", "1", '{"a":[]}'])
def test_more_entries_than_any_index_has_are_refused_before_they_are_parsed(entry, monkeypatch):
    marks = sum(map(entry.count, "[{,")) + 1
    document = b'{"x":[' + b",".join([entry.encode()] * (MAX_ENTRIES // marks + 1)) + b"]}"
    monkeypatch.setattr("simple_registry.oci.manifests.json.loads", pytest.fail)
    assert refuse(document) == {"reason": "it has more than 250,000 lists, objects and commas"}


def test_an_index_of_as_many_children_as_4_mib_hold_is_accepted():
    child = '{"mediaType":"a/b","digest":"sha256:%064x","size":2}'
    children = ",".join(child % number for number in range(35_000))
    data = f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{children}]}}'.encode()
    assert 3.5 * 2**20 < len(data) <= 4 * 2**20
    assert len(parse_manifest(data, OCI_INDEX).children) == 35_000


@pytest.mark.parametrize(
    "data", [b"", b" ", b"null", b"[]", b"{}", b"1", b'"x"', b"{", b"{]", b"\xff\xfe", b"\0", b"<html>"]
)
def test_anything_but_a_json_object_with_a_known_type_is_refused(data):
    refuse(data)


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b".5", b"'x'", b"0x10", b"1_0"])
def test_values_that_are_not_json_are_refused(value):
    refuse(_with(b'"x":' + value))


def test_a_byte_order_mark_is_refused():
    refuse(b"\xef\xbb\xbf" + encode(image()))
    refuse(encode(image()).decode().encode("utf-16"))
    refuse(encode(image()).decode().encode("utf-32-le"))


def test_text_after_the_document_is_refused():
    refuse(encode(image()) + b"{}")
    refuse(encode(image()) + b"\0")


@pytest.mark.parametrize("text", [rb'"x":"\ud800"', rb'"annotations":{"a":"\udfff"}', rb'"annotations":{"\ud800":"a"}'])
def test_lone_surrogates_are_refused(text):
    refuse(_with(text))


def test_invalid_utf8_is_refused():
    refuse(_with(b'"x":"\xff"'))
    refuse(_with(b'"x":"\xed\xa0\x80"'))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(opening):
    closing = b"]" if opening == b"[" else b"}"
    refuse(_with(b'"x":' + opening * 100_000 + b"1" + closing * 100_000))


@pytest.mark.parametrize(
    "number", [b"9" * 5000, b"-" + b"9" * 5000, b"1e999999", b"9223372036854775808", b"1" * 400 + b".5"]
)
@pytest.mark.parametrize("field", [b'"x":', b'"config":{"size":', b'"schemaVersion":'])
def test_huge_numbers_cost_nothing(number, field):
    text = field + number + (b"}" if b"{" in field else b"")
    try:
        parse_manifest(_with(text) if field == b'"x":' else b"{" + text + b"}", OCI)
    except ManifestInvalid:
        return
    assert field == b'"x":'


@pytest.mark.parametrize("size", [-1, 2**63, 2**64, 1.5, "1", None, True, 1e3, [], {}])
def test_sizes_that_are_not_whole_numbers_are_refused(size):
    refuse(image(layers=[descriptor(b"one") | {"size": size}]))


@pytest.mark.parametrize(
    "digest", [None, "", 1, "sha256:abc", "sha256:" + "A" * 64, str(digest_of(b"")) + "\n", "md5:" + "0" * 32]
)
@pytest.mark.parametrize("place", ["config", "subject"])
def test_bad_digests_are_refused_wherever_they_stand(place, digest):
    refuse(image() | {place: descriptor(b"one") | {"digest": digest}})


@pytest.mark.parametrize("field", ["digest", "size", "mediaType"])
def test_a_descriptor_that_lacks_a_field_is_refused(field):
    broken = descriptor(b"one")
    del broken[field]
    refuse(image(layers=[broken]))
    refuse(index(manifests=[broken]), OCI_INDEX)
    refuse(image(subject=broken))


@pytest.mark.parametrize("annotations", [{"a": 1}, {"a": None}, {"a": ["b"]}, [], "x"])
def test_annotations_map_text_to_text(annotations):
    refuse(image(annotations=annotations))


@pytest.mark.parametrize("kind", ["x", "a/b\n", "a/b;c", "<script>/x", "a/" + "b" * 200])
def test_an_artifact_type_is_a_media_type(kind):
    assert refuse(image(artifactType=kind)) == {
        "field": "artifactType",
        "reason": "not a media type",
        "artifactType": kind[:160],
    }


def test_a_type_that_cannot_be_read_is_shown_where_it_stands():
    for document, field in (
        (image(layers=[descriptor(b"one"), descriptor(b"two", "a b")]), "layers[1].mediaType"),
        (image(config_type="a b"), "config.mediaType"),
        (image(subject=descriptor(b"one", "a b")), "subject.mediaType"),
    ):
        assert refuse(document) == {"field": field, "reason": "not a media type", "mediaType": "a b"}
    refused = refuse(index(manifests=[descriptor(b"one", "a b")]), OCI_INDEX)
    assert refused == {"field": "manifests[0].mediaType", "reason": "not a media type", "mediaType": "a b"}


@pytest.mark.parametrize("layers", [{}, "x", [None], [[]], [1]])
def test_layers_are_a_list_of_descriptors(layers):
    refuse(image() | {"layers": layers})


# ---------------------------------------------------------------- properties

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
fields = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
    "annotations",
    "artifactType",
]


@given(st.binary(), st.none() | st.text())
def test_any_bytes_are_refused_and_nothing_worse(data, content_type):
    with pytest.raises(ManifestInvalid):
        parse_manifest(data, content_type)


@given(
    st.dictionaries(st.sampled_from(fields) | st.text(), json_values), st.sampled_from([None, OCI, OCI_INDEX, ARTIFACT])
)
def test_any_document_is_read_or_refused_and_nothing_worse(document, content_type):
    try:
        manifest = parse_manifest(json.dumps(document).encode(), content_type)
    except ManifestInvalid:
        return
    assert manifest.media_type in media_types.MANIFESTS


@given(st.sampled_from(fields), json_values, st.sampled_from(["image", "index"]))
def test_a_good_document_with_one_field_spoilt_is_read_or_refused(field, value, kind):
    document = (image(b"one") if kind == "image" else index(b"one")) | {field: value}
    try:
        manifest = parse_manifest(json.dumps(document).encode(), None)
    except ManifestInvalid:
        return
    assert manifest.media_type in media_types.MANIFESTS


@given(st.lists(st.binary(), max_size=5), st.dictionaries(st.text(), st.text(), max_size=5), st.integers(0, 4))
def test_a_good_image_is_read_in_whatever_way_it_is_written(layers, annotations, indent):
    document = image(*layers, annotations=annotations)
    data = json.dumps(document, indent=indent, ensure_ascii=bool(indent % 2)).encode("utf-8")
    manifest = parse_manifest(data, OCI)
    assert digests(manifest.blobs) == [digest_of(CONFIG), *map(digest_of, layers)]
    assert dict(manifest.annotations) == annotations
