"""Blobs whose files were changed: no read gets a complete body of wrong bytes, whichever read comes first."""

import itertools
import shutil
import subprocess

import pytest

from faults.client import Client, digest_of
from faults.damage.content import DAMAGE
from harness.subjects import OURS, running

SIZE = 300_000
"""More than one piece, so that a wrong body has begun before the last one is held back."""
CHANGES = ("flipped", "zeroed", "exchanged")
SPANS = ("", "bytes=0-9", "bytes=100-250000", "bytes=-10", "bytes=0-0,299990-", "bytes=0-")
ROUNDS = 3


def reads(client, path):
    for span in SPANS:
        yield span or "GET", lambda span=span: client.get(path, **({"range": span} if span else {}))
    yield "HEAD", lambda: client.ask("HEAD", path)


def test_no_wrong_byte_is_served_complete(tmp_path):
    wrong, count = [], 0
    with running(OURS, tmp_path) as registry:
        client = Client(registry.address)
        names = [name for name, _ in reads(client, "")]
        for number, change, name in itertools.product(range(ROUNDS), CHANGES, names):
            data = f"{number}-{change}-{name}".encode().ljust(SIZE, b"x")
            path = f"/v2/changed/blobs/{digest_of(data)}"
            client.push_image("changed", "v1", data)
            if number:
                client.get(path)  # the caches are warm
            DAMAGE[change](registry.blob_path(digest_of(data)))
            for read, ask in [*(each for each in reads(client, path) if each[0] == name), *reads(client, path)]:
                answer, count = ask(), count + 1
                if answer.status in {200, 206}:
                    wrong.append((number, change, name, read))
    print(f"\n{len(wrong)} of {count} reads were answered")
    assert wrong == []


@pytest.mark.parametrize("change", CHANGES)
def test_curl_notices_a_body_that_ends_early(tmp_path, change):
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    data = change.encode().ljust(SIZE, b"x")
    with running(OURS, tmp_path) as registry:
        client = Client(registry.address)
        client.push_image("changed", "v1", data)
        DAMAGE[change](registry.blob_path(digest_of(data)))
        url = f"http://{registry.address}/v2/changed/blobs/{digest_of(data)}"
        first = subprocess.run(["curl", "-sSf", url, "-o", tmp_path / "body"], check=False, timeout=60)
        second = subprocess.run(["curl", "-sSf", url, "-o", tmp_path / "body"], check=False, timeout=60)
        assert (first.returncode, second.returncode) == (18, 22)
        assert client.push_in_one_put("changed", data).status == 201
        assert subprocess.run(["curl", "-sSf", url], check=True, timeout=60, capture_output=True).stdout == data
