"""Compares the cost of requests in a small and in a large store: our registry twice, with the same requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import loading, pushes, reads
from bench.loading import Data, Size
from bench.subjects import Target, ours
from bench.workloads import Workload
from harness.subjects import running

FEW, MANY = "10 of each", "100,000 of each"
_PAGE = 10
"""Entries of a page; both stores can fill it."""


@contextmanager
def targets(folder: Path) -> Iterator[tuple[Data, list[Target]]]:
    """Run our registry twice, with few and with many tags and repositories."""
    small = loading.make(Size(tags=10, repositories=10, referrers=0, large=loading.MIB, tags_each=0))
    large = replace(small, size=replace(small.size, tags=100_000, repositories=100_000))
    few, many = ours(FEW), ours(MANY)
    with (
        running(few.subject, folder / "few-server") as first,
        running(many.subject, folder / "many-server") as second,
    ):
        found = [Target(few, first), Target(many, second)]
        loading.load(found[0], small, folder)
        loading.load(found[1], large, folder)
        # Requests for content of both stores: the first ten entries.
        yield small, found


def _workloads() -> list[Workload]:
    known = {workload.name: workload for workload in (*reads.WORKLOADS, *pushes.WORKLOADS)}
    names = ("manifest by tag, anonymous", "manifest by digest, anonymous", "blob HEAD")
    written = ("push 1 KiB, POST, PUT", "mounts", "tag pushes")
    tags, catalog = f"/v2/{loading.TAGS}/tags/list?n={_PAGE}", f"/v2/_catalog?n={_PAGE}"
    lists = [
        Workload("tags", f"tags, a page of {_PAGE}", "requests/s", reads.page(lambda _: tags)),
        Workload("catalog", f"catalog, a page of {_PAGE}", "requests/s", reads.page(lambda _: catalog)),
    ]
    found = [*(known[name] for name in names), *lists, *(known[name] for name in written)]
    return [replace(workload, name=f"growth: {workload.name}", group="", quick=False) for workload in found]


WORKLOADS = _workloads()
