"""Collections take nothing that was acknowledged; and the campaign that says so catches collectors that do."""

import re

import pytest

from faults.collection.campaign import collection, held
from faults.scores import Scale

ATTEMPTS = 3
"""Campaigns in which a planted bug has to show: it depends on the order of two processes."""


def test_collections_take_what_nothing_needs_and_nothing_else(tmp_path, scale):
    score = collection(held(), tmp_path, scale)
    print(f"\n{score}")
    assert score.passed, str(score)


@pytest.mark.parametrize(
    ("bug", "sign"),
    [
        ("no-lease", "refused: 404 MANIFEST_BLOB_UNKNOWN"),
        ("no-grace", "refused: 404"),
        ("mark-without-referrers", "lost: /v2/signed/"),
        ("mark-without-blobs-of-indexes", "lost: /v2/cache/"),
        ("sweep-without-recheck", "lost: "),
        ("parts-do-not-wait", "refused: 404 MANIFEST_UNKNOWN|lost: /v2/restore/"),
        ("many-collectors", "refused: 404|lost: "),
        ("condemned-content-revives", "refused: 404|lost: "),
        ("dead-collectors-leave", "the collector dies at .*: not removed"),
        ("idle-collector", "still served|not removed"),
    ],
)
def test_a_planted_bug_is_caught_by_collections(bug, sign, tmp_path):
    scores = []
    for number in range(ATTEMPTS):
        scores.append(collection(held(bug=bug), tmp_path / str(number), Scale.PROOF))
        print(f"\n{scores[-1]}")
        if any(re.search(sign, fault) for fault in scores[-1].faults):
            return
    pytest.fail("\n".join(map(str, scores)))
