"""Every setting of a registry: one row each, and one immutable value with all of them.

Options, variables, `Configuration` documents, the help, the schema and the reference are generated from the rows.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from simple_registry.access.scopes import ScopePattern
from simple_registry.config.rows import NO_DEFAULT, Option, optional_section, rows_of, section, setting
from simple_registry.config.shapes import BOOLEAN, PATH, PATTERN, ListOf, Text, word
from simple_registry.config.values import (
    MAX_TAGS,
    MIN_SECRET,
    Address,
    Secret,
    StandardOutput,
    TcpAddress,
    TrustedProxy,
    format_size,
    parse_address,
    parse_audit,
    parse_count,
    parse_count_or_none,
    parse_external_url,
    parse_proxy,
    parse_secret,
    parse_size,
    parse_size_or_none,
    parse_tags_per_push,
    parse_token_timeout,
    parse_workers,
    token_timeout_warning,
)
from simple_registry.times import Window, format_duration, parse_duration, parse_interval, parse_window

MIB = 1024 * 1024


class DeleteReferenced(StrEnum):
    """Whether content that a needed manifest refers to can be deleted."""

    REFUSE = "refuse"
    ALLOW = "allow"


class AllowMissing(StrEnum):
    """Which parts of a manifest may be absent when it is pushed (`manifests.allowMissing`)."""

    NONE = "none"
    INDEXES = "indexes"
    ALL = "all"


class ChallengeMode(StrEnum):
    """The scheme of challenges; credentials of both are accepted in every mode."""

    AUTO = "auto"
    BASIC = "basic"
    BEARER = "bearer"


class LogFormat(StrEnum):
    """The format of log lines; `auto` is `text` on a terminal and `json` otherwise."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_ADDRESS = Text("address", parse_address)
_COUNT = Text("number", parse_count, number=True)
_COUNT_OR_NONE = Text("number", parse_count_or_none, number=True)
_DURATION = Text("duration", parse_duration, format_duration, number=True)
_SIZE = Text("size", parse_size, format_size, number=True)


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of a PEM certificate chain and its private key."""

    certificate: Path = setting(
        NO_DEFAULT,
        PATH,
        "TLS certificate chain, PEM, the server's own certificate first",
        path="web.certfile",
        option=Option("cert", "FILE", ("certfile",)),
    )
    key: Path = setting(
        NO_DEFAULT,
        PATH,
        "private key of the certificate, PEM, not encrypted",
        path="web.keyfile",
        option=Option("key", "FILE", ("keyfile",)),
        details="PKCS#8, PKCS#1 or SEC1.",
    )


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain (PEM, leaf first), its private key (PEM, PKCS#8), and `warnings` that do not prevent its use.

    `begins` and `ends` are the validity of the leaf, in Unix time.
    """

    chain: bytes
    key: bytes
    warnings: tuple[str, ...] = ()
    begins: float = 0.0
    ends: float = math.inf

    def __repr__(self) -> str:
        return "Certificate(***)"


@dataclass(frozen=True, slots=True)
class Administrator:
    """The user of `-adminname`, with a bcrypt hash; any `User` document replaces a `provisional` one.

    A `fresh` hash was computed from a password at this start.
    """

    name: str
    password_hash: Secret
    provisional: bool = False
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """Warnings about its password file."""
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what clients may cost. Times in seconds, sizes in bytes."""

    header_timeout: float = setting(
        30.0,
        _DURATION,
        "time for the head of a request",
        path="limits.headerTimeout",
        details="From its first byte, or from the opening of the connection; then 408.",
    )
    idle_timeout: float = setting(
        130.0,
        _DURATION,
        "time between two requests of a connection",
        path="limits.idleTimeout",
        # nginx and ALB keep connections for 60 seconds, Go for 90, Caddy for 120.
        details="Keep it longer than a proxy in front keeps its connections: the side that sends the next request "
        "must be the one that closes.",
    )
    handshake_timeout: float = setting(10.0, _DURATION, "time for a TLS handshake", path="limits.handshakeTimeout")
    body_timeout: float = setting(
        60.0,
        _DURATION,
        "time over which the rate of a body or an answer is averaged",
        path="limits.bodyTimeout",
        details="Only time spent waiting for the client counts.",
    )
    min_rate: int = setting(
        1024,
        _SIZE,
        "minimum rate of a body or an answer, a second",
        path="limits.minRate",
        details="A client that sends a body more slowly gets 408; one that reads more slowly is disconnected.",
    )
    manifest_size: int = setting(4 * MIB, _SIZE, "size of the largest manifest", path="limits.manifestSize")
    session_life: float = setting(
        24 * 3600.0, _DURATION, "life of an upload that no client continues", path="limits.sessionLife"
    )
    sessions: int = setting(10_000, _COUNT, "uploads open at once", path="limits.sessions")
    sessions_per_identity: int = setting(
        1_000,
        _COUNT,
        "uploads open at once of one user, or of one address without credentials",
        path="limits.sessionsPerIdentity",
        details="An IPv6 /64 counts as one address.",
    )
    tags_per_push: int = setting(
        MAX_TAGS,
        Text("number", parse_tags_per_push, number=True),
        f"tags set by one push, at most {MAX_TAGS}",
        path="limits.tagsPerPush",
        details="Each is a header line of the answer, and many clients read at most 100 of those.",
    )
    drain_size: int = setting(
        1024 * MIB,
        _SIZE,
        "bytes that are read of a refused request's body",
        path="limits.drainSize",
        details="Clients read the answer only once their body is taken.",
    )
    drain_timeout: float = setting(30.0, _DURATION, "time for reading such a body", path="limits.drainTimeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollection:
    """When content that nothing needs is removed. Times in seconds."""

    interval: float = setting(600.0, _DURATION, "time between garbage collections", path="garbageCollection.interval")
    grace: float = setting(
        24 * 3600.0,
        _DURATION,
        "time for which content that is unneeded or was deleted is kept",
        path="garbageCollection.grace",
    )
    delete_untagged: bool = setting(
        False,
        BOOLEAN,
        "whether manifests without a tag are unneeded",
        path="garbageCollection.deleteUntagged",
        details="Children of a needed index and referrers of a needed manifest are kept in any case.",
    )
    untagged_older_than: float = setting(
        0.0,
        Text("duration", parse_interval, format_duration, number=True),
        "time since the push for which a manifest without a tag is kept",
        path="garbageCollection.untaggedOlderThan",
    )
    keep_untagged: tuple[ScopePattern, ...] = setting(
        (),
        ListOf(PATTERN, empty=True),
        "repositories in which manifests without a tag are kept",
        path="garbageCollection.keepUntagged",
    )
    min_free: int = setting(
        0,
        Text("size", parse_size_or_none, format_size, number=True),
        "free space below which the grace ends early, oldest first",
        path="garbageCollection.minFree",
    )
    window: Window | None = setting(
        None,
        Text("window", parse_window, str),
        "time of the day for collections, local time, such as `02:00-05:00`",
        path="garbageCollection.window",
        without="any time",
    )
    rate_files: int = setting(
        0,
        _COUNT_OR_NONE,
        "contents that are removed each second",
        path="garbageCollection.rateFiles",
        details="`0`: no limit.",
    )
    rate_bytes: int = setting(
        0,
        Text("size", parse_size_or_none, format_size, number=True),
        "bytes that are removed each second",
        path="garbageCollection.rateBytes",
        details="`0`: no limit.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How the data directory is kept safe. Times in seconds."""

    snapshots: int = setting(
        3,
        _COUNT_OR_NONE,
        "copies of the database that are kept beside it",
        path="storage.snapshots",
        details="`simple-registry recover` rebuilds a lost or broken database from them. 0: none are taken.",
    )
    snapshot_interval: float = setting(
        24 * 3600.0, _DURATION, "time between two of these copies", path="storage.snapshotInterval"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """How long the journal keeps its events. What can still be restored stays in it."""

    keep: float = setting(90 * 24 * 3600.0, _DURATION, "time for which events are kept", path="journal.keep")
    max_events: int = setting(1_000_000, _COUNT, "events that are kept at most", path="journal.maxEvents")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrub:
    """How content is read in the background, and compared with its digests. Times in seconds."""

    period: float = setting(
        30 * 24 * 3600.0,
        Text("duration", parse_interval, format_duration, number=True),
        "time in which all content is read once and compared with its digests; 0: never",
        path="scrub.period",
    )
    rate: int = setting(20 * MIB, _SIZE, "bytes that are read for that, a second at most", path="scrub.rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """How clients see the registry."""

    external_url: str | None = setting(
        None,
        Text("URL", parse_external_url),
        "how clients reach the registry",
        path="web.externalURL",
        details="For example `https://registry.example.com`; without it, the `Host` of each request over TLS. A "
        "registry that is reached over plain HTTP by other names than `localhost` needs it for anonymous pulls by "
        "docker: `http://registry.lan:5000`.",
    )
    token_secret: Secret | None = setting(
        None,
        Text("secret", parse_secret),
        "signs short-lived tokens",
        path="web.tokenSecret",
        details=f"At least {MIN_SECRET} characters; without it, a random one is kept in the data directory. Needed "
        "where several machines answer for one registry. Keep the file unreadable to others.",
    )
    token_timeout: int = setting(
        300,
        Text("duration", parse_token_timeout, format_duration, number=True),
        "life of a short-lived token",
        path="web.tokenTimeout",
        details="At most `24h`; less than 60 seconds is raised to 60, with a warning, since clients do the same.",
        warning=token_timeout_warning,
    )
    challenge: ChallengeMode = setting(
        ChallengeMode.AUTO,
        word(ChallengeMode),
        "what a 401 asks for",
        path="web.challenge",
        details="`auto`: `basic` unless there is a user `anonymous`.",
    )
    trusted_proxies: tuple[TrustedProxy, ...] = setting(
        (),
        ListOf(Text("network, or `unix`", parse_proxy), empty=True),
        "proxies whose `X-Forwarded-*` headers are trusted",
        path="web.trustedProxies",
        details="Networks (`10.0.0.0/8`), addresses, or `unix` for all that connect to a unix socket. A PROXY protocol "
        "header (version 2) of theirs at the beginning of a TCP connection is trusted, too.",
    )
    ui: bool = setting(True, BOOLEAN, "whether there are web pages for people, at `/`", path="web.ui")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server process group runs with."""

    data_dir: Path = setting(
        Path("./data"),
        PATH,
        "where everything is kept",
        path="dataDir",
        option=Option("datadir", "DIRECTORY"),
        details="Created when it is missing.",
        restart=True,
    )
    addr: tuple[Address, ...] = setting(
        (TcpAddress("0.0.0.0", 5000),),  # noqa: S104 (documented default)
        ListOf(_ADDRESS, or_one=True),
        "where to listen: host:port, [::1]:5000, :5000 or unix:/path",
        path="web.addr",
        option=Option("addr", "ADDRESS"),
        restart=True,
    )
    metrics_addr: Address | None = setting(
        None,
        _ADDRESS,
        "where to serve metrics, without a login; written as -addr",
        path="metrics.addr",
        option=Option("metrics-addr", "ADDRESS"),
        details="Over plain HTTP: use a loopback address or a private network.",
        restart=True,
    )
    tls: Tls | None = optional_section(Tls)
    web: Web = section(Web)
    workers: int = setting(
        0,
        Text("number", parse_workers, number=True),
        "worker processes",
        option=Option("workers", "NUMBER"),
        without="one per core",
        restart=True,
    )
    allow_missing: AllowMissing = setting(
        AllowMissing.NONE,
        word(AllowMissing),
        "which parts of a pushed manifest may be absent",
        path="manifests.allowMissing",
        details="`indexes`: children of an index.",
    )
    read_only: bool = setting(
        False,
        BOOLEAN,
        "whether nothing can be changed",
        path="storage.readOnly",
        details="For a while, better use `simple-registry read-only on`, which needs no reload.",
    )
    delete_referenced: DeleteReferenced = setting(
        DeleteReferenced.REFUSE,
        word(DeleteReferenced),
        "whether content that a manifest of the repository refers to can be deleted",
        path="manifests.deleteReferenced",
        details="`refuse`: such a deletion is 409.",
    )
    limits: Limits = section(Limits)
    garbage_collection: GarbageCollection = section(GarbageCollection)
    journal: Journal = section(Journal)
    storage: Storage = section(Storage)
    scrub: Scrub = section(Scrub)
    log_level: LogLevel = setting(
        LogLevel.INFO,
        word(LogLevel),
        "least severity of log lines",
        path="log.level",
        option=Option("log-level", "LEVEL"),
    )
    log_format: LogFormat = setting(
        LogFormat.AUTO,
        word(LogFormat),
        "format of log lines",
        path="log.format",
        option=Option("log-format", "FORMAT"),
        details="`auto`: `text` on a terminal, `json` otherwise.",
    )
    audit: Path | StandardOutput | None = setting(
        None,
        Text("path", parse_audit),
        "file of the audit log, or - for standard output",
        path="log.audit",
        option=Option("audit-log", "FILE"),
    )
    config_dirs: tuple[Path, ...] = ()
    administrator: Administrator | None = None
    warnings: tuple[str, ...] = ()
    """Configuration warnings; the parent logs them once."""


ROWS = tuple(rows_of(Settings))
"""Every setting."""
