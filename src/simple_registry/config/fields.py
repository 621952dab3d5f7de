"""The one table of what can be configured: the file field, the option and the attribute of `Settings` of each setting.

    flag > environment > file > default: each layer gives values by attribute, and a later layer wins.

`docs/configuration.md` and the tests walk the same table, so that none of the three can forget a setting.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from simple_registry.access.challenge_mode import ChallengeMode
from simple_registry.config.settings import (
    AllowMissing,
    GarbageCollection,
    Limits,
    LogFormat,
    LogLevel,
    Settings,
    Tls,
    Web,
)
from simple_registry.config.values import (
    ConfigError,
    parse_address,
    parse_audit,
    parse_count,
    parse_external_url,
    parse_path,
    parse_proxy,
    parse_secret,
    parse_size,
    parse_tags_per_push,
    parse_token_timeout,
    parse_workers,
    token_timeout_remark,
    word_parser,
)
from simple_registry.times import parse_duration


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: its `attribute` of `Settings` (dotted), its place in a file and its option, where it has them.

    A file has `many` as a list, of which each text is parsed, or as one text where `or_one`; an option is repeated. A
    `remark` on the text becomes a warning.
    """

    attribute: str
    parse: Callable[[str], object]
    path: str | None = None
    option: str | None = None
    many: bool = False
    or_one: bool = False
    remark: Callable[[str], str | None] = lambda _: None


FIELDS = (
    Field("data_dir", parse_path, "dataDir", "datadir"),
    Field("addr", parse_address, "web.addr", "addr", many=True, or_one=True),
    Field("metrics_addr", parse_address, "metrics.addr", "metrics-addr"),
    Field("tls.certificate", parse_path, "web.certfile", "cert"),
    Field("tls.key", parse_path, "web.keyfile", "key"),
    Field("web.external_url", parse_external_url, "web.externalURL"),
    Field("web.token_secret", parse_secret, "web.tokenSecret"),
    Field("web.token_timeout", parse_token_timeout, "web.tokenTimeout", remark=token_timeout_remark),
    Field("web.challenge", word_parser(ChallengeMode), "web.challenge"),
    Field("web.trusted_proxies", parse_proxy, "web.trustedProxies", many=True),
    Field("workers", parse_workers, None, "workers"),
    Field("allow_missing", word_parser(AllowMissing), "manifests.allowMissing"),
    Field("limits.header_timeout", parse_duration, "limits.headerTimeout"),
    Field("limits.idle_timeout", parse_duration, "limits.idleTimeout"),
    Field("limits.handshake_timeout", parse_duration, "limits.handshakeTimeout"),
    Field("limits.body_timeout", parse_duration, "limits.bodyTimeout"),
    Field("limits.min_rate", parse_size, "limits.minRate"),
    Field("limits.manifest_size", parse_size, "limits.manifestSize"),
    Field("limits.session_life", parse_duration, "limits.sessionLife"),
    Field("limits.sessions", parse_count, "limits.sessions"),
    Field("limits.sessions_per_identity", parse_count, "limits.sessionsPerIdentity"),
    Field("limits.tags_per_push", parse_tags_per_push, "limits.tagsPerPush"),
    Field("limits.drain_size", parse_size, "limits.drainSize"),
    Field("limits.drain_timeout", parse_duration, "limits.drainTimeout"),
    Field("garbage_collection.interval", parse_duration, "garbageCollection.interval"),
    Field("garbage_collection.grace", parse_duration, "garbageCollection.grace"),
    Field("log_level", word_parser(LogLevel), "log.level", "log-level"),
    Field("log_format", word_parser(LogFormat), "log.format", "log-format"),
    Field("audit", parse_audit, "log.audit", "audit-log"),
)

_SECTIONS: Mapping[str, type] = {"tls": Tls, "limits": Limits, "garbage_collection": GarbageCollection, "web": Web}


def settings_from(values: Mapping[str, object]) -> Settings:
    """Return the `Settings` that hold `values` (by dotted attribute), and the defaults for the rest.

    Raises:
        ConfigError: there is a certificate without a key, or a key without a certificate.

    """
    _require_pair(values)
    given: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for name, section in _SECTIONS.items():
        inner = {
            member.name: values[f"{name}.{member.name}"]
            for member in fields(section)
            if f"{name}.{member.name}" in values
        }
        if inner:
            given[name] = section(**inner)
    return Settings(**given)


def _require_pair(values: Mapping[str, object]) -> None:
    certificate, key = values.get("tls.certificate"), values.get("tls.key")
    if certificate is not None and key is None:
        raise ConfigError(f"the certificate {certificate} has no private key; give it with -key")
    if key is not None and certificate is None:
        raise ConfigError(f"the private key {key} has no certificate; give it with -cert")
