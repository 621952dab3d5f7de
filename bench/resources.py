"""Workloads about resources: start-up time, and memory at rest and under uploads.

Each of these restarts the registry over the data that it was loaded with.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException

from bench.loading import IMAGE, MIB, TAG
from bench.processes import memory
from bench.results import Better, Sample
from bench.subjects import Target
from bench.workloads import Round, Workload
from harness.large_content import Content
from harness.subjects import DidNotStart, running

UPLOADS, UPLOAD_PIECES = 8, 512
REST_TIME = 1.0
"""Seconds after which a server that has answered counts as at rest."""
MAX_WAIT = 60.0


def start(round_: Round) -> Sample:
    """Seconds from the start of the process to the first manifest."""
    with _restarted(round_) as (target, began):
        _first_manifest(target)
        return Sample(time.perf_counter() - began)


def idle(round_: Round) -> Sample:
    """MiB of a server at rest after one answer."""
    with _restarted(round_) as (target, _):
        _first_manifest(target)
        time.sleep(REST_TIME)
        return Sample(memory(target.running.processes()) / MIB)


def uploading(round_: Round) -> Sample:
    """Peak MiB during 8 concurrent uploads of 512 MiB."""
    contents = [Content(1000 * round_.number + number, UPLOAD_PIECES) for number in range(UPLOADS)]
    digests = [_digest(content) for content in contents]
    with _restarted(round_) as (target, _):
        _first_manifest(target)
        with _peak(target) as peak, ThreadPoolExecutor(UPLOADS) as pool:
            for pushed in [pool.submit(_push, target, *upload) for upload in zip(contents, digests, strict=True)]:
                pushed.result()
        return Sample(peak[0] / MIB)


@lru_cache(maxsize=UPLOADS)
def _digest(content: Content) -> str:
    return content.digest()


def _push(target: Target, content: Content, digest: str) -> None:
    with target.connect() as client:
        session = client.start("bench/uploads")
        client.finish(session, content, digest, content.size)


@contextmanager
def _restarted(round_: Round) -> Iterator[tuple[Target, float]]:
    """Restart the subject over its data, without waiting until it is ready."""
    stopped = round_.target
    folder = round_.folder / f"again {stopped.name}"
    began = time.perf_counter()
    with running(stopped.entrant.subject, folder, data=stopped.running.data, wait=False) as registry:
        yield Target(stopped.entrant, registry), began
        registry.stop()


def _first_manifest(target: Target) -> None:
    deadline = time.monotonic() + MAX_WAIT
    while time.monotonic() < deadline and target.running.process.poll() is None:
        try:
            with target.connect() as client:
                client.read(f"/v2/{IMAGE}/manifests/{TAG}")
        except (OSError, HTTPException):
            time.sleep(0.002)
        else:
            return
    raise DidNotStart(f"{target.name} did not become ready")


@contextmanager
def _peak(target: Target) -> Iterator[list[int]]:
    """Sample the memory of the server; at the end of the block, the list has the maximum."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            peak[0] = max(peak[0], memory(target.running.processes()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()


LOWER = Better.LOWER
WORKLOADS = [
    Workload("start-up", "start until the first manifest", "s", start, LOWER, quick=True, stopped=True),
    Workload("idle memory", "memory at rest", "MiB", idle, LOWER, quick=True, stopped=True),
    Workload(
        "upload memory",
        f"peak memory under {UPLOADS} uploads of {UPLOAD_PIECES} MiB at once",
        "MiB",
        uploading,
        LOWER,
        stopped=True,
        writes=True,
        max_rounds=1,
    ),
]
