"""Workloads that push: blobs of three sizes in every way, a layer as docker does, mounts, whole images."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from functools import lru_cache

from bench import generators, plans
from bench.client import Client
from bench.loading import IMAGE, KIB, LAYER, MIB
from bench.plans import Step, Way
from bench.results import Sample
from bench.workloads import Round, Workload, rate_of, spending

CLIENTS = 4
REPOSITORY = "bench/pushed"
LAYERS = (64 * KIB, 16 * KIB, 4 * KIB)
AS_DOCKER = "push 64 MiB as docker pushes"
MAX_RATE = {KIB: 4000, MIB: 600}
"""Maximum pushes of one client in a second. Plans have this length, and a plan that runs out is an error."""


def blobs(size: int, way: Way) -> Callable[[Round], Sample]:
    """Push new blobs over `CLIENTS` connections."""

    def measure(round_: Round) -> Sample:
        if way is Way.SINGLE:
            _require_single(round_)
        count = MAX_RATE[size] * round_.seconds

        def steps(thread: int) -> Iterator[Step]:
            for number in range(count):
                text = f"{size}-{way.name}-{round_.number}-{thread}-{number}-"
                yield from plans.blob_push(REPOSITORY, text, size, way)

        return _replayed(round_, steps)

    return measure


def large(way: Way) -> Callable[[Round], Sample]:
    """Push one large blob, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        if way is Way.SINGLE:
            _require_single(round_)
        size, seed = round_.data.size.large, f"{way.name} {round_.number}"
        return _one_pushed(
            round_, size, seed, lambda client, content, digest: client.push(REPOSITORY, content, digest, way)
        )

    return measure


def layer_by_put(round_: Round) -> Sample:
    """Push one layer by POST and PUT with its length."""
    return _one_pushed(
        round_,
        LAYER,
        f"layer by PUT {round_.number}",
        lambda client, content, digest: client.push(REPOSITORY, content, digest, Way.PUT),
    )


def layer_as_docker(round_: Round) -> Sample:
    """Push one layer as docker does: POST, a PATCH of chunks without a length, an empty PUT."""
    return _one_pushed(
        round_,
        LAYER,
        f"layer as docker {round_.number}",
        lambda client, content, digest: client.push_as_docker(REPOSITORY, content, digest),
    )


def _one_pushed(round_: Round, size: int, seed: str, push: Callable[[Client, memoryview, str], float]) -> Sample:
    """Push one blob over one connection, MiB a second; CPU for each MiB."""
    content, digest = _large(size, seed)
    with round_.target.connect() as client, spending(round_.target) as spent:
        seconds = push(client, content, digest)
    return spent.sample(size / MIB / seconds, size / MIB)


def images(round_: Round) -> Sample:
    """Push whole images: three layers, a config and a manifest, all new."""

    def steps(thread: int) -> Iterator[Step]:
        for number in range(500 * round_.seconds):
            yield from plans.image_push(f"bench/images-{thread}", f"i-{round_.number}-{thread}-{number}", LAYERS)

    return _replayed(round_, steps)


def mounts(round_: Round) -> Sample:
    """Mount one blob into new repositories."""
    digest = round_.data.digest("1 KiB")

    def steps(thread: int) -> Iterator[Step]:
        for number in range(MAX_RATE[KIB] * round_.seconds):
            yield plans.mount(f"bench/mounts/{round_.number}-{thread}-{number}", digest, IMAGE)

    return _replayed(round_, steps)


def manifests(round_: Round) -> Sample:
    """Push an existing manifest under new tags."""

    def steps(thread: int) -> Iterator[Step]:
        for number in range(MAX_RATE[KIB] * round_.seconds):
            yield plans.manifest_push(IMAGE, f"m-{round_.number}-{thread}-{number}", round_.data.manifest)

    return _replayed(round_, steps)


def _replayed(round_: Round, steps: Callable[[int], Iterator[Step]]) -> Sample:
    written = round_.folder / "plan"
    plans.write(written, CLIENTS, steps)
    address, authorization = round_.target.address, round_.target.entrant.authorization
    return rate_of(
        round_,
        lambda: generators.replay(address, written, CLIENTS, seconds=round_.seconds, authorization=authorization),
    )


def _require_single(round_: Round) -> None:
    """Raise `NotOffered` if the subject does not accept a blob in one POST; the specification allows 202 instead."""
    content = f"single {round_.number}".encode()
    with round_.target.connect() as client:
        client.push(REPOSITORY, content, plans.digest_of(content), Way.SINGLE)


@lru_cache(maxsize=1)
def _large(size: int, seed: str) -> tuple[memoryview, str]:
    """Return content unique to the seed, and its digest; all subjects of a round get the same."""
    content = large_content(size, seed)
    return memoryview(content), f"sha256:{hashlib.sha256(content).hexdigest()}"


def large_content(size: int, seed: str) -> bytearray:
    """Return content unique to the seed."""
    content = bytearray(_block() * (size // MIB))
    content[: len(seed)] = seed.encode()
    return content


@lru_cache(maxsize=1)
def _block() -> bytes:
    return b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(MIB // 32))


def _all() -> list[Workload]:
    found = []
    for way, (size, name) in itertools.product(Way, ((KIB, "1 KiB"), (MIB, "1 MiB"))):
        title, measure = f"push {name}, {way}", blobs(size, way)
        found.append(Workload(title, title, "pushes/s", measure, quick=way is Way.PUT, writes=True))
    found += [Workload(f"push large, {way}", f"push {{large}}, {way}", "MiB/s", large(way), writes=True) for way in Way]
    by_put, together = f"push 64 MiB, {Way.PUT}", "push 64 MiB"
    return [
        *found,
        Workload(by_put, by_put, "MiB/s", layer_by_put, quick=True, writes=True, group=together),
        Workload(AS_DOCKER, AS_DOCKER, "MiB/s", layer_as_docker, quick=True, writes=True, group=together),
        Workload("images", "whole images, 4 clients", "images/s", images, quick=True, writes=True),
        Workload("mounts", "mounts into new repositories", "mounts/s", mounts, writes=True),
        Workload("tag pushes", "manifest PUT under a new tag", "pushes/s", manifests, writes=True),
    ]


WORKLOADS = _all()
