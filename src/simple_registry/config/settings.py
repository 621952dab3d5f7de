"""Every setting of a running registry, with its default, as one immutable value.

`docs/configuration.md` documents each; a test compares the two.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from simple_registry.access.challenge_mode import ChallengeMode
from simple_registry.config.values import Address, Secret, StandardOutput, TcpAddress, TrustedProxy

KIB = 1024
MIB = 1024 * KIB


class AllowMissing(StrEnum):
    """Which parts of a manifest may be absent when it is pushed (`manifests.allowMissing`)."""

    NONE = "none"
    INDEXES = "indexes"
    ALL = "all"


class LogFormat(StrEnum):
    """How log lines look; `auto` is `text` on a terminal and `json` otherwise."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of a PEM certificate chain and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain (PEM, leaf first), its private key (PEM, PKCS#8), and `warnings` that do not keep it from being used.

    `begins` and `ends` are those of the leaf, in Unix time.
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
    """The user of `-adminname`, with a bcrypt hash; a `provisional` one gives way to any `User` document.

    A `fresh` hash was made of a password just now.
    """

    name: str
    password_hash: Secret
    provisional: bool = False
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What is odd about where its password was read."""
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what clients may cost. Times in seconds, sizes in bytes."""

    header_timeout: float = 30.0
    idle_timeout: float = 130.0
    """Longer than the proxies in front keep connections (nginx and ALB 60, Go 90, Caddy 120 seconds): the side that
    closes first must be the one that would send the next request."""
    handshake_timeout: float = 10.0
    body_timeout: float = 60.0
    min_rate: int = 1024
    """Bytes a second, averaged over `body_timeout`."""
    manifest_size: int = 4 * MIB
    session_life: float = 24 * 3600.0
    sessions: int = 10_000
    sessions_per_identity: int = 1_000
    tags_per_push: int = 64
    drain_size: int = 1024 * MIB
    drain_timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollection:
    """When content that no repository holds is removed. Times in seconds."""

    interval: float = 600.0
    grace: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """How clients see the registry.

    `token_timeout` is in seconds; `token_secret` takes the place of the keys in the data directory.
    """

    external_url: str | None = None
    token_secret: Secret | None = None
    token_timeout: int = 300
    challenge: ChallengeMode = ChallengeMode.AUTO
    trusted_proxies: tuple[TrustedProxy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server process group runs with."""

    data_dir: Path = Path("./data")
    addr: tuple[Address, ...] = (TcpAddress("0.0.0.0", 5000),)  # noqa: S104 (documented default)
    metrics_addr: Address | None = None
    """Where the metrics are told without a login; `None`: nowhere."""
    tls: Tls | None = None
    web: Web = field(default_factory=Web)
    workers: int = 0
    """Number of worker processes; 0: one per core."""
    config_dirs: tuple[Path, ...] = ()
    administrator: Administrator | None = None
    allow_missing: AllowMissing = AllowMissing.NONE
    limits: Limits = field(default_factory=Limits)
    garbage_collection: GarbageCollection = field(default_factory=GarbageCollection)
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO
    audit: Path | StandardOutput | None = None
    """Where the audit stream goes; `None`: nowhere."""
    warnings: tuple[str, ...] = ()
    """What was read and works, but not as somebody would wish; the parent says it once."""
