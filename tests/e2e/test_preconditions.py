"""Compare-and-swap of tags on a real server with two workers: of all that try at once, one succeeds."""

import hashlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.server import serve

WRITERS = 8
ROUNDS = 12
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def index(note):
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": {"n": note}}).encode()


def put(registry, data, **conditions):
    headers = {"Content-Type": INDEX} | {name.replace("_", "-"): value for name, value in conditions.items()}
    return registry.request("PUT", "/v2/a/manifests/v1", body=data, headers=headers)


@pytest.fixture
def registry(tmp_path):
    with serve(tmp_path, options=["-workers", "2"]) as registry:
        yield registry


def test_exactly_one_of_many_writers_moves_a_tag_each_time(tmp_path):
    with serve(tmp_path, options=["-workers", "2"]) as registry, ThreadPoolExecutor(WRITERS) as pool:
        gate = threading.Barrier(WRITERS)
        condition = {"If_None_Match": "*"}
        for turn in range(ROUNDS):
            contents = [index(f"{turn} {writer}") for writer in range(WRITERS)]

            def push(data, condition=condition):
                gate.wait()
                return put(registry, data, **condition)

            answers = list(pool.map(push, contents))
            assert sorted(answer.status for answer in answers) == [201] + [412] * (WRITERS - 1)
            won = next(data for data, answer in zip(contents, answers, strict=True) if answer.status == 201)
            assert registry.request("GET", "/v2/a/manifests/v1").body == won
            for answer in answers:
                if answer.status == 412:
                    assert json.loads(answer.body)["errors"][0]["detail"]["reference"] == "v1"
            condition = {"If_Match": f'"{digest_of(won)}"'}
    command = [sys.executable, "-m", "simple_registry", "fsck", "-datadir", str(tmp_path / "data")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stdout  # bytes of the losers are left to the collector


def test_a_counter_in_a_tag_loses_no_step(registry):
    """Each writer reads, adds one and tries again until it is the one that moved the tag."""
    assert put(registry, index("0")).status == 201

    def step(_number):
        while True:
            seen = registry.request("GET", "/v2/a/manifests/v1")
            count = int(json.loads(seen.body)["annotations"]["n"])
            if put(registry, index(str(count + 1)), If_Match=seen.headers["etag"]).status == 201:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(step, range(20)))
    assert registry.manifest("a", "v1")["annotations"]["n"] == "20"
