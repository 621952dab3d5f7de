"""What differs between two manifests."""

from simple_registry.oci.digests import digest_of
from simple_registry.ui.comparison import Change, PlatformChange, compare_configs, compare_layers, compare_platforms
from simple_registry.ui.image_configs import ImageConfig
from simple_registry.ui.kinds import Described, Kind
from simple_registry.ui.manifest_documents import Entry, ManifestDocument, Platform


def layer(name):
    return Entry("layer", digest_of(name.encode()), 1)


def image(names):
    return ManifestDocument(Described(Kind.IMAGE), layers=[layer(each) for each in names])


def child(name, platform=None, **annotations):
    return Entry("manifest", digest_of(name.encode()), 1, annotations=annotations, platform=platform)


def index(*children):
    return ManifestDocument(Described(Kind.INDEX), children=children)


def test_layers_are_shared_by_digest():
    parts = compare_layers(image("abc"), image("acd"))
    assert (parts.removed, parts.shared, parts.added) == ([layer("b")], [layer("a"), layer("c")], [layer("d")])


def test_equal_images_share_all_layers():
    parts = compare_layers(image("ab"), image("ab"))
    assert (parts.removed, parts.shared, parts.added) == ([], [layer("a"), layer("b")], [])


def test_platforms_are_compared_by_their_manifests():
    amd, arm, riscv = (Platform("linux", each) for each in ("amd64", "arm64", "riscv64"))
    same, old, new, added = child("same", amd), child("old", arm), child("new", arm), child("added", riscv)
    attestation = child("x", Platform("unknown", "unknown"), **{"vnd.docker.reference.type": "attestation-manifest"})
    changes = compare_platforms(index(same, old, attestation, child("none")), index(added, new, same))
    assert changes == [
        PlatformChange("linux/amd64", same, same),
        PlatformChange("linux/arm64", old, new),
        PlatformChange("linux/riscv64", None, added),
    ]
    assert [each.is_same for each in changes] == [True, False, False]


def test_the_first_manifest_of_a_platform_counts():
    amd = Platform("linux", "amd64")
    first = child("first", amd)
    (change,) = compare_platforms(index(first, child("second", amd)), index())
    assert change.before == first


def test_settings_that_differ_are_named():
    before = ImageConfig(user="root", entrypoint=["/a", "b"], environment={"A": "1", "B": "2"}, labels={"x": "1"})
    after = ImageConfig(entrypoint=["/a", "c"], environment={"A": "1", "B": "3", "C": ""}, labels={"x": "1"})
    assert compare_configs(before, after) == [
        Change("user", "", "root", None),
        Change("entrypoint", "", "/a b", "/a c"),
        Change("environment", "B", "2", "3"),
        Change("environment", "C", None, ""),
    ]
    assert compare_configs(after, after) == []
