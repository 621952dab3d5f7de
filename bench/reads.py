"""Workloads that pull: manifests, blobs, lists."""

import json
import os
from collections.abc import Callable, Mapping
from enum import StrEnum

from bench import generators
from bench.generators import Load, LoadFailed, NotOffered
from bench.loading import IMAGE, KIB, MIB, REFERRERS, TAG, TAGS, repository, tag
from bench.plans import MANIFEST, digest_of
from bench.results import Sample
from bench.workloads import Round, Workload, rate_of, spending

TRANSFER_CONNECTIONS = 4
"""Connections of workloads that measure bytes a second."""
MAX_PAGE_SECONDS = 15
"""Seconds to wait for one page."""


class Credential(StrEnum):
    """The authentication of a request."""

    ANONYMOUS = "anonymous"
    BASIC = "Basic"
    BEARER = "Bearer"


def headers(round_: Round, credential: Credential) -> Mapping[str, str]:
    """Return the headers of a credential; none for a subject without users."""
    if credential is Credential.ANONYMOUS or not round_.target.entrant.authorization:
        return {}
    if credential is Credential.BASIC:
        return round_.target.headers
    with round_.target.connect() as client:
        token = json.loads(client.read(f"/token?scope=repository:{IMAGE}:pull"))["token"]
    return {"Authorization": f"Bearer {token}"}


def manifest_get(reference: Callable[[Round], str], credential: Credential) -> Callable[[Round], Sample]:
    """GET one manifest."""

    def measure(round_: Round) -> Sample:
        wanted = {"Accept": MANIFEST, **headers(round_, credential)}
        path = f"/v2/{IMAGE}/manifests/{reference(round_)}"
        return rate_of(
            round_, lambda: generators.get(round_.target.address, path, seconds=round_.seconds, headers=wanted)
        )

    return measure


def blob_head(round_: Round) -> Sample:
    """HEAD of a small blob."""
    path = round_.data.blob_path("1 KiB")
    return rate_of(round_, lambda: generators.head(round_.target.address, path, seconds=round_.seconds))


def blob_get(blob: str, span: str = "") -> Callable[[Round], Sample]:
    """GET a blob, or a range of it."""

    def measure(round_: Round) -> Sample:
        path = round_.data.blob_path(blob)
        wanted = {"Range": f"bytes={span}"} if span else {}
        return rate_of(
            round_, lambda: generators.get(round_.target.address, path, seconds=round_.seconds, headers=wanted)
        )

    return measure


def blob_transfer(blob: str, connections: int) -> Callable[[Round], Sample]:
    """GET a blob repeatedly, MiB a second; CPU for each MiB."""

    def measure(round_: Round) -> Sample:
        with spending(round_.target) as spent:
            path, seconds = round_.data.blob_path(blob), max(round_.seconds, 2)
            threads = min(connections, os.cpu_count() or 1)
            load = generators.get(
                round_.target.address, path, seconds=seconds, connections=connections, threads=threads
            )
        return spent.sample(load.received / MIB / load.seconds, load.received / MIB)

    return measure


def page(path: Callable[[Round], str]) -> Callable[[Round], Sample]:
    """GET one page of a list."""

    def measure(round_: Round) -> Sample:
        with round_.target.connect() as client:
            if client.request("GET", path(round_)).status == 404:
                raise NotOffered(path(round_))
        return rate_of(round_, lambda: _get_slow_page(round_, path(round_)))

    return measure


def _get_slow_page(round_: Round, path: str) -> Load:
    """GET a page for longer if no answer arrives within a round; a page may take seconds."""
    load = generators.get(round_.target.address, path, seconds=round_.seconds)
    if not load.operations:
        load = generators.get(round_.target.address, path, seconds=MAX_PAGE_SECONDS)
    if not load.operations:
        raise LoadFailed(f"GET {path}: no answer in {MAX_PAGE_SECONDS} s")
    return load


def _deep(count: int, name: Callable[[int], str]) -> str:
    return name(count * 9 // 10)


def _manifests() -> list[Workload]:
    references = {"tag": lambda _: TAG, "digest": lambda round_: round_.data.manifest_digest}
    return [
        Workload(
            name=f"manifest by {by}, {credential}",
            title=f"manifest GET by {by}, {credential}",
            unit="requests/s",
            measure=manifest_get(reference, credential),
            quick=by == "tag" or credential is Credential.ANONYMOUS,
            files=credential is Credential.ANONYMOUS,
            group=f"manifest by {by}",
        )
        for by, reference in references.items()
        for credential in Credential
    ]


def _blobs() -> list[Workload]:
    rate, middle = "requests/s", f"{512 * KIB}-{512 * KIB + 64 * KIB - 1}"
    one, several = blob_transfer("64 MiB", 1), blob_transfer("64 MiB", TRANSFER_CONNECTIONS)
    large = blob_transfer("large", TRANSFER_CONNECTIONS)
    return [
        Workload("blob HEAD", "blob HEAD", rate, blob_head, quick=True, files=True),
        Workload("blob 1 KiB", "blob GET, 1 KiB", rate, blob_get("1 KiB"), quick=True, files=True),
        Workload("blob 1 MiB", "blob GET, 1 MiB", rate, blob_get("1 MiB"), quick=True, files=True),
        Workload("blob 64 MiB, 1", "blob GET, 64 MiB, 1 connection", "MiB/s", one, quick=True, files=True),
        Workload("blob 64 MiB, 4", "blob GET, 64 MiB, 4 connections", "MiB/s", several, quick=True, files=True),
        Workload("blob large", "blob GET, {large}", "MiB/s", large, quick=True, files=True),
        Workload("range 64 KiB", "64 KiB from the middle of 1 MiB", rate, blob_get("1 MiB", middle), files=True),
        Workload("range large", "last 64 KiB of {large}", rate, blob_get("large", f"-{64 * KIB}"), files=True),
    ]


def _lists() -> list[Workload]:
    rate, tags, catalog = "requests/s", f"/v2/{TAGS}/tags/list", "/v2/_catalog"

    def deep_tags(round_: Round) -> str:
        return _deep(round_.data.size.tags, tag)

    def deep_repositories(round_: Round) -> str:
        return _deep(round_.data.size.repositories, repository)

    def referrers(round_: Round) -> str:
        return f"/v2/{REFERRERS}/referrers/{digest_of(round_.data.small_manifest.encode())}"

    pages: list[tuple[str, str, Callable[[Round], str], bool]] = [
        ("tags first 100", "tags, first page of 100 of {tags}", lambda _: f"{tags}?n=100", True),
        ("tags deep 100", "tags, a deep page of 100", lambda r: f"{tags}?n=100&last={deep_tags(r)}", False),
        ("tags first", "tags, first page without n", lambda _: tags, False),
        ("tags deep", "tags, a deep page without n", lambda r: f"{tags}?last={deep_tags(r)}", False),
        ("catalog first 100", "catalog, first page of 100 of {repositories}", lambda _: f"{catalog}?n=100", True),
        (
            "catalog deep 100",
            "catalog, a deep page of 100",
            lambda r: f"{catalog}?n=100&last={deep_repositories(r)}",
            False,
        ),
        ("referrers", "referrers, {referrers} of one subject", referrers, False),
    ]
    return [Workload(name, title, rate, page(path), quick=quick) for name, title, path, quick in pages]


WORKLOADS = [*_manifests(), *_blobs(), *_lists()]
