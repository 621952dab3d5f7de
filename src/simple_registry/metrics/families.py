"""All metrics: name, kind, labels and meaning. A test compares them with the list in the documents."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import product


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


def _family(kind: Kind, name: str, meaning: str, bounds: tuple[float, ...] = (), **labels: tuple[str, ...]) -> Family:
    """Return a metric with the values of its labels, none where they are not known in advance."""
    return Family(name, kind, meaning, tuple(labels), bounds, tuple(product(*labels.values())))


_counter, _gauge, _histogram = (partial(_family, kind) for kind in (Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM))

REQUESTS = _counter("simple_registry_requests_total", "Requests answered.", endpoint=(), method=(), status=())
REQUEST_SECONDS = _histogram(
    "simple_registry_request_seconds",
    "Seconds from the head of a request to its answer, upload included.",
    (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0),
    endpoint=(),
    method=(),
)
RECEIVED = _counter("simple_registry_received_bytes_total", "Bytes of the bodies of requests.", endpoint=(), method=())
SENT = _counter("simple_registry_sent_bytes_total", "Bytes of the bodies of answers.", endpoint=(), method=())
COMMITS = _histogram(
    "simple_registry_commit_changes",
    "Changes that shared one commit to the database.",
    (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0),
)
_CACHES = ("decisions", "logins", "manifests", "rows")
CACHE_HITS = _counter("simple_registry_cache_hits_total", "Answers found in a cache.", cache=_CACHES)
CACHE_MISSES = _counter("simple_registry_cache_misses_total", "Answers not found in a cache.", cache=_CACHES)
LOGIN_FAILURES = _counter(
    "simple_registry_login_failures_total", "Requests with rejected credentials.", credential=("password", "token")
)
_RESULTS = ("done", "failed")
ACCESS_RELOADS = _counter(
    "simple_registry_access_reloads_total", "Changes of the access documents that a worker noticed.", result=_RESULTS
)
ACCESS_STALE = _gauge(
    "simple_registry_access_stale_workers",
    "Workers with outdated access rules, because the current documents do not load.",
)
COLLECTED = _counter(
    "simple_registry_collected_total",
    "What garbage collection removed.",
    what=("blobs", "bytes", "contents", "early", "manifests", "sessions", "tokens", "unneeded"),
)
COLLECTION_TIME = _gauge(
    "simple_registry_collection_time_seconds",
    "When the server last collected by itself, Unix time; 0 before the first.",
)
RETIRED = _counter("simple_registry_retention_tags_total", "Tags that retention removed on schedule.")
SCRUBBED = _counter(
    "simple_registry_scrub_contents_total",
    "Contents that were read in the background and compared with their digests.",
    result=("whole", "damaged"),
)
SCRUBBED_BYTES = _counter("simple_registry_scrub_bytes_total", "Bytes that were read for that.")
SCRUB_OVERDUE = _gauge(
    "simple_registry_scrub_overdue_seconds", "Time since the content that is read now was due: `scrub.rate` is too low."
)
AUDIT_LINES = _counter("simple_registry_audit_lines_total", "Lines of the audit log.")
AUDIT_FAILURES = _counter(
    "simple_registry_audit_failures_total", "Lines of the audit log that were lost through a fault."
)
CPU = _counter("simple_registry_cpu_seconds_total", "Processor time of the workers.")
RESIDENT = _gauge("simple_registry_resident_bytes", "Memory of the workers, shared pages counted for each.")
WORKERS = _gauge("simple_registry_workers", "Workers that serve.")
WORKER_DEATHS = _counter("simple_registry_worker_deaths_total", "Workers that died and were replaced.")
RELOADS = _counter("simple_registry_reloads_total", "SIGHUPs, by result.", result=_RESULTS)
RELOAD_FAILED = _gauge(
    "simple_registry_reload_failed_time_seconds",
    "Since when SIGHUPs have failed, Unix time; 0 after one that succeeded.",
)
ISSUER_KEYS_STALE = _gauge(
    "simple_registry_issuer_keys_stale",
    "1 while the keys of a TokenIssuer cannot be fetched and older ones are in use.",
    issuer=(),
)
HELD = _gauge("simple_registry_held", "Repositories, and the tags, manifests and blobs that count in them.", what=())
HELD_BYTES = _gauge(
    "simple_registry_held_bytes",
    "Bytes of content that repositories hold: what counts, what is unneeded or deleted, and how much of it is shared.",
    what=(),
)
STORED_BYTES = _gauge(
    "simple_registry_stored_bytes", "Bytes of content, each digest once: held, or condemned.", what=()
)
QUOTAS_NEAR = _gauge(
    "simple_registry_quota_accounts_near_limit",
    "Repositories or users that use the share of a quota from which on it warns.",
    quota=(),
)
UPLOADS_OPEN = _gauge("simple_registry_uploads_open", "Upload sessions that are open.")
DISK_FREE = _gauge("simple_registry_disk_free_bytes", "Free bytes of the file system of the data directory.")
DISK_SIZE = _gauge("simple_registry_disk_size_bytes", "Size in bytes of that file system.")
CERTIFICATE_EXPIRY = _gauge(
    "simple_registry_certificate_expiry_time_seconds", "When the TLS certificate expires, Unix time."
)
WARNINGS = _gauge(
    "simple_registry_warning_time_seconds",
    "Since when the worker that answers has had a reason for a warning, Unix time; 0 without one.",
    about=(),
)
READ_ONLY = _gauge("simple_registry_read_only", "1 in read-only mode, in which nothing changes.")
START_TIME = _gauge("simple_registry_start_time_seconds", "When the server started, Unix time.")
INFO = _gauge("simple_registry_info", "Always 1; the label carries the version.", version=())

SAMPLED = (
    CACHE_HITS,
    CACHE_MISSES,
    LOGIN_FAILURES,
    ACCESS_RELOADS,
    ACCESS_STALE,
    COLLECTED,
    RETIRED,
    SCRUBBED,
    SCRUBBED_BYTES,
    SCRUB_OVERDUE,
    AUDIT_LINES,
    AUDIT_FAILURES,
    CPU,
    RESIDENT,
    WORKERS,
    WORKER_DEATHS,
    RELOADS,
    RELOAD_FAILED,
)
"""One number for each series in the row of each process."""

ASKED = (
    WARNINGS,
    ISSUER_KEYS_STALE,
    COLLECTION_TIME,
    HELD,
    HELD_BYTES,
    STORED_BYTES,
    QUOTAS_NEAR,
    UPLOADS_OPEN,
    DISK_FREE,
    DISK_SIZE,
    READ_ONLY,
    CERTIFICATE_EXPIRY,
    START_TIME,
    INFO,
)
"""Read by the process that answers the request."""

FAMILIES = (REQUESTS, REQUEST_SECONDS, RECEIVED, SENT, COMMITS, *SAMPLED, *ASKED)
