"""Damaged content is noticed by every request and healed by every push, with real clients too."""

import shutil
import subprocess

import pytest

from faults.client import Client, digest_of
from faults.damage.content import DAMAGE, damage
from faults.scores import Scale
from harness.subjects import OURS, ours, running


def test_damage_is_noticed_and_healed(tmp_path, scale):
    score = damage(OURS, tmp_path, scale)
    print(score)
    assert score.passed, str(score)


@pytest.mark.parametrize(
    "bug",
    ["no-size-check", "stamps-ignored", "manifests-unchecked", "manifests-from-memory", "existing-content-is-kept"],
)
def test_planted_bugs_are_caught(tmp_path, bug):
    score = damage(ours(bug=bug), tmp_path, Scale.PROOF)
    print(score)
    assert not score.passed


@pytest.mark.parametrize("kind", DAMAGE)
def test_every_damage_has_the_effect_of_its_name(tmp_path, kind):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = path.stat()
    DAMAGE[kind](path)
    changed = (
        not path.exists() or path.is_dir() or path.read_bytes() != b"content" or path.stat().st_mode != before.st_mode
    )
    assert changed
    if kind.startswith("flipped"):
        assert len(path.read_bytes()) == len(b"content")
        assert (path.stat().st_mtime_ns == before.st_mtime_ns) == (kind == "flipped with its times")


@pytest.mark.parametrize("part", ["layer", "manifest"])
@pytest.mark.parametrize("kind", ["missing", "truncated", "longer", "a directory"])
def test_a_push_by_skopeo_heals_content(tmp_path, kind, part):
    if shutil.which("skopeo") is None:
        pytest.skip("no skopeo here")

    def copy(source, target):
        subprocess.run(
            [
                "skopeo",
                "--insecure-policy",
                "copy",
                "--quiet",
                "--preserve-digests",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                source,
                target,
            ],
            check=True,
            timeout=60,
        )

    layer = b"layer".ljust(5000, b".")
    with running(OURS, tmp_path) as registry:
        client = Client(registry.address)
        image = client.push_image("clients/skopeo", "v1", layer)
        reference, kept = f"docker://{registry.address}/clients/skopeo:v1", f"dir:{tmp_path / 'kept'}"
        copy(reference, kept)
        DAMAGE[kind](registry.blob_path(digest_of(layer if part == "layer" else image)))
        copy(kept, reference)
        assert client.get("/v2/clients/skopeo/manifests/v1").body == image
        assert client.get(f"/v2/clients/skopeo/blobs/{digest_of(layer)}").body == layer
        copy(reference, f"dir:{tmp_path / 'again'}")
        registry.stop()
