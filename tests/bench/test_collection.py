"""A made store loses the deleted images, and nothing else."""

import asyncio

from bench.collection import Image, make, measure
from harness.subjects import our_blob


def test_a_round_collects_the_deleted_images_and_nothing_else(tmp_path):
    images = [Image(number) for number in range(20)]
    make(tmp_path / "data", images)
    for gone in (images[:2], [], images[2:4]):
        sample, swept = asyncio.run(measure(tmp_path / "data", gone))
        assert (swept.manifests, swept.blobs) == (len(gone), 10 * len(gone))
        assert swept.removed.count == 11 * len(gone)
        assert sample.value > 0
    assert not our_blob(tmp_path / "data", images[0].manifest).exists()
