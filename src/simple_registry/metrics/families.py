"""All metrics: name, kind, labels and meaning. A test compares them with the list in the documents."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The type of a metric in Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric. Those in `SAMPLED` are counted in the row of each process; those in `ASKED` are read on request."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Upper bounds of the buckets of a histogram, without the last, unbounded one."""
    series: tuple[tuple[str, ...], ...] = ((),)
    """Values of the labels, where they are few and known in advance."""


def _each(*words: str) -> tuple[tuple[str, ...], ...]:
    return tuple((word,) for word in words)


REQUESTS = Family(
    "simple_registry_requests_total",
    Kind.COUNTER,
    "Requests answered.",
    ("endpoint", "method", "status"),
    series=(),
)
REQUEST_SECONDS = Family(
    "simple_registry_request_seconds",
    Kind.HISTOGRAM,
    "Seconds from the head of a request to its answer, upload included.",
    ("endpoint", "method"),
    bounds=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0),
    series=(),
)
RECEIVED = Family(
    "simple_registry_received_bytes_total",
    Kind.COUNTER,
    "Bytes of the bodies of requests.",
    ("endpoint", "method"),
    series=(),
)
SENT = Family(
    "simple_registry_sent_bytes_total",
    Kind.COUNTER,
    "Bytes of the bodies of answers.",
    ("endpoint", "method"),
    series=(),
)
COMMITS = Family(
    "simple_registry_commit_changes",
    Kind.HISTOGRAM,
    "Changes that shared one commit to the database.",
    bounds=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
)
CACHES = _each("decisions", "logins", "manifests", "rows")
CACHE_HITS = Family(
    "simple_registry_cache_hits_total", Kind.COUNTER, "Answers found in a cache.", ("cache",), series=CACHES
)
CACHE_MISSES = Family(
    "simple_registry_cache_misses_total", Kind.COUNTER, "Answers not found in a cache.", ("cache",), series=CACHES
)
LOGIN_FAILURES = Family(
    "simple_registry_login_failures_total",
    Kind.COUNTER,
    "Requests with rejected credentials.",
    ("credential",),
    series=_each("password", "token"),
)
ACCESS_RELOADS = Family(
    "simple_registry_access_reloads_total",
    Kind.COUNTER,
    "Changes of the access documents that a worker noticed.",
    ("result",),
    series=_each("done", "failed"),
)
ACCESS_STALE = Family(
    "simple_registry_access_stale_workers",
    Kind.GAUGE,
    "Workers with outdated access rules, because the current documents do not load.",
)
COLLECTED = Family(
    "simple_registry_collected_total",
    Kind.COUNTER,
    "What garbage collection removed.",
    ("what",),
    series=_each("contents", "sessions", "tokens"),
)
AUDIT_LINES = Family("simple_registry_audit_lines_total", Kind.COUNTER, "Lines of the audit log.")
AUDIT_FAILURES = Family(
    "simple_registry_audit_failures_total", Kind.COUNTER, "Lines of the audit log that were lost through a fault."
)
CPU = Family("simple_registry_cpu_seconds_total", Kind.COUNTER, "Processor time of the workers.")
RESIDENT = Family("simple_registry_resident_bytes", Kind.GAUGE, "Memory of the workers, shared pages counted for each.")
WORKERS = Family("simple_registry_workers", Kind.GAUGE, "Workers that serve.")
WORKER_DEATHS = Family("simple_registry_worker_deaths_total", Kind.COUNTER, "Workers that died and were replaced.")
RELOADS = Family(
    "simple_registry_reloads_total",
    Kind.COUNTER,
    "SIGHUPs, by result.",
    ("result",),
    series=_each("done", "failed"),
)
ISSUER_KEYS_STALE = Family(
    "simple_registry_issuer_keys_stale",
    Kind.GAUGE,
    "1 while the keys of a TokenIssuer cannot be fetched and older ones are in use.",
    ("issuer",),
    series=(),
)
UPLOADS_OPEN = Family("simple_registry_uploads_open", Kind.GAUGE, "Upload sessions that are open.")
DISK_FREE = Family(
    "simple_registry_disk_free_bytes", Kind.GAUGE, "Free bytes of the file system of the data directory."
)
DISK_SIZE = Family("simple_registry_disk_size_bytes", Kind.GAUGE, "Size in bytes of that file system.")
READ_ONLY = Family("simple_registry_read_only", Kind.GAUGE, "1 in read-only mode, in which nothing changes.")
CERTIFICATE_EXPIRY = Family(
    "simple_registry_certificate_expiry_time_seconds", Kind.GAUGE, "When the TLS certificate expires, Unix time."
)
START_TIME = Family("simple_registry_start_time_seconds", Kind.GAUGE, "When the server started, Unix time.")
INFO = Family("simple_registry_info", Kind.GAUGE, "Always 1; the label carries the version.", ("version",), series=())

SAMPLED = (
    CACHE_HITS,
    CACHE_MISSES,
    LOGIN_FAILURES,
    ACCESS_RELOADS,
    ACCESS_STALE,
    COLLECTED,
    AUDIT_LINES,
    AUDIT_FAILURES,
    CPU,
    RESIDENT,
    WORKERS,
    WORKER_DEATHS,
    RELOADS,
)
"""One number for each series in the row of each process."""

ASKED = (ISSUER_KEYS_STALE, UPLOADS_OPEN, DISK_FREE, DISK_SIZE, READ_ONLY, CERTIFICATE_EXPIRY, START_TIME, INFO)
"""Read by the process that answers the request."""

FAMILIES = (REQUESTS, REQUEST_SECONDS, RECEIVED, SENT, COMMITS, *SAMPLED, *ASKED)
