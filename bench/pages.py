"""Web pages while the API is busy, and the API with and without web pages."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from bench import generators, loading, reads
from bench.generators import HERE, LoadFailed, NotOffered
from bench.loading import IMAGE, TAG, TAGS, Data, Size
from bench.plans import MANIFEST
from bench.reads import Credential
from bench.results import Better, Sample
from bench.subjects import PASSWORD, USER, Target, ours
from bench.workloads import Round, Workload
from harness.subjects import running

WITH, WITHOUT = "with web pages", "without web pages"
SIZE = Size(tags=10_000, repositories=100_000, referrers=0, large=loading.MIB, tags_each=0)
NO_PAGES = "---\nkind: Configuration\nmetadata: {name: pages}\nspec: {web: {ui: false}}\n"
CONNECTIONS = 256
"""Connections of the paced load: many that pause long, since pauses are whole milliseconds."""
MAX_MS = 50
"""The goal for the 95th percentile of a page."""
MIN_PAGES = 100
"""Requests of a page in one round, of which five are slower than its 95th percentile."""
_PATH = f"/v2/{IMAGE}/manifests/{TAG}"
_PAGES = {
    "tags, by push": f"/ui/{TAGS}/-/tags",
    "tags, by version": f"/ui/{TAGS}/-/tags?order=version",
    "tags, a filter": f"/ui/{TAGS}/-/tags?q=99",
    "repositories": "/",
    "search, few": "/?q=r0999",
    "search, one": "/?q=r099999",
    "search, none": "/?q=absent",
}


@contextmanager
def targets(folder: Path) -> Iterator[tuple[Data, list[Target]]]:
    """Run our registry with web pages and without, with many tags and repositories."""
    data = loading.make(SIZE)
    shown, hidden = ours(WITH), ours(WITHOUT, documents=NO_PAGES)
    with (
        running(shown.subject, folder / "pages-server") as first,
        running(hidden.subject, folder / "no-pages-server") as second,
    ):
        found = [Target(shown, first), Target(hidden, second)]
        for target in found:
            loading.load(target, data, folder)
        yield data, found


def page_under_load(path: str) -> Callable[[Round], Sample]:
    """Measure the 95th percentile of a page, in milliseconds, while the API runs at half its rate."""

    def measure(round_: Round) -> Sample:
        if round_.target.name != WITH:
            raise NotOffered(path)
        headers = {"Cookie": _sign_in(round_.target.address), "Accept": "text/html"}
        full = generators.get(round_.target.address, _PATH, seconds=1, headers={"Accept": MANIFEST})
        with _paced(round_.target.address, full.rate / 2, seconds=round_.seconds + 60):
            times = _times(round_.target.address, path, headers, round_.seconds)
        return Sample(percentile(times, 95) * 1000)

    return measure


def percentile(values: list[float], part: int) -> float:
    """Return the smallest of `values` that `part` percent of them do not exceed."""
    return sorted(values)[max(0, -(-len(values) * part // 100) - 1)]


def _times(address: str, path: str, headers: Mapping[str, str], seconds: int) -> list[float]:
    """Ask for a page one time after another; return the seconds of each."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=generators.MAX_WAIT)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < MIN_PAGES or time.perf_counter() < until:
        started = time.perf_counter()
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        content = response.read()
        times.append(time.perf_counter() - started)
        if response.status != 200:
            raise LoadFailed(f"GET {path}: {response.status} {content[:300]!r}")
    connection.close()
    return times


def _sign_in(address: str) -> str:
    """Return the cookie of a session."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=generators.MAX_WAIT)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{address}"}
    connection.request("POST", "/ui/-/sign-in", urlencode({"name": USER, "password": PASSWORD}), headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    cookie = response.headers.get("Set-Cookie")
    if response.status != 303 or cookie is None:
        raise LoadFailed(f"signing in: {response.status}")
    return cookie.partition(";")[0]


@contextmanager
def _paced(address: str, rate: float, *, seconds: int) -> Iterator[None]:
    """GET a manifest at a rate for the length of the block.

    Raises:
        LoadFailed: the load missed its rate by more than a fifth.
    """
    pause = round(1000 * CONNECTIONS / rate)
    options = [f"-d{seconds}s", "-t1", f"-c{CONNECTIONS}", "-s", str(HERE / "paced.lua"), f"-HAccept: {MANIFEST}"]
    command = ["wrk", *options, f"http://{address}{_PATH}", "--", str(pause)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.5)
        try:
            yield
        finally:
            output = generators.interrupted(process)
    reached = generators.parse_wrk(output, _PATH).rate
    if not 0.8 * rate <= reached <= 1.2 * rate:
        raise LoadFailed(f"{reached:.0f} requests/s instead of {rate:.0f}")


def _of_pages() -> list[Workload]:
    return [
        Workload(f"page: {name}", f"{name}: 95th percentile", "ms", page_under_load(path), Better.LOWER)
        for name, path in _PAGES.items()
    ]


def _of_api() -> list[Workload]:
    references: dict[str, Callable[[Round], str]] = {
        "tag": lambda _: TAG,
        "digest": lambda round_: round_.data.manifest_digest,
    }
    return [
        Workload(
            f"pages: {by}, {credential}",
            f"manifest GET by {by}, {credential}",
            "requests/s",
            reads.manifest_get(reference, credential),
        )
        for by, reference in references.items()
        for credential in (Credential.ANONYMOUS, Credential.BASIC)
    ]


OF_PAGES, OF_API = _of_pages(), _of_api()
WORKLOADS = [*OF_PAGES, *OF_API]
