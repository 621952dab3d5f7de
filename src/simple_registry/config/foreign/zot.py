"""The configuration of zot (`config.json`): settings, users, and what its `accessControl` gives them."""

from collections.abc import Iterator, Mapping

from simple_registry.config.foreign.durations import translate_duration
from simple_registry.config.foreign.leaves import Keys, Leaves
from simple_registry.config.foreign.passwords import Password, PasswordFile
from simple_registry.config.foreign.translation import (
    Made,
    SettingsMade,
    Translation,
    anonymous,
    passwords_of,
    user,
)
from simple_registry.config.foreign.zot_access import AUTHENTICATED, CONTROL, AccessControl, read_access
from simple_registry.config.foreign.zot_documents import access_documents, remarks_on

AUTH = ("http", "auth")
HTPASSWD = (*AUTH, "htpasswd", "path")

_LEVELS = {"trace": "debug", "warn": "warning", "fatal": "error", "panic": "error"}
_ELSEWHERE = (
    "content is kept in a data directory of this machine only: copy it with 'skopeo sync' while both registries run"
)
_PROXY = "a proxy in front does this; see docs/operations/reverse-proxies.md"
_LIMITS = "slow clients are bounded by their rate: see limits.minRate and limits.bodyTimeout"
_ISSUER = "sign-in through OpenID has no counterpart; for tokens of CI systems write a TokenIssuer (docs/tokens.md)"

REMARKS: Mapping[Keys, str] = {
    ("distspecversion",): "the version of the specification; nothing to do",
    ("goversion",): "about the program zot; nothing to do",
    ("commit",): "about the program zot; nothing to do",
    ("releasetag",): "about the program zot; nothing to do",
    ("binarytype",): "about the program zot; nothing to do",
    ("storage", "rootdirectory"): "take over its content: 'simple-registry adopt' and this directory",
    (
        "storage",
        "subpaths",
    ): "one data directory holds everything: adopt each of these, too; the rest has no counterpart",
    ("storage", "dedupe"): "content is always stored once; nothing to do",
    ("storage", "commit"): "a push is always on disk before its answer; nothing to do",
    ("storage", "gc"): "garbage is always collected. zot removes manifests without a tag, too: "
    "here that is garbageCollection.deleteUntagged",
    ("storage", "retention"): "write Retention documents (docs/operations/retention.md); try them with -dryrun",
    ("storage", "storagedriver"): _ELSEWHERE,
    ("storage", "cachedriver"): "the database is SQLite in the data directory; nothing to do",
    ("storage", "remotecache"): "the database is SQLite in the data directory; nothing to do",
    ("storage", "redirectbloburl"): "blobs are served by the registry itself; nothing to do",
    ("storage", "maxrepos"): "no counterpart; a Quota limits what is stored",
    ("storage", "fastrestart"): "nothing is read at a start; nothing to do",
    ("http", "alloworigin"): f"pages of other sites get no answer that they can read; {_PROXY}",
    ("http", "readtimeout"): _LIMITS,
    ("http", "writetimeout"): _LIMITS,
    ("http", "realm"): "only a text that clients may show; nothing to do",
    ("http", "ratelimit"): f"requests are not counted; {_PROXY}",
    ("http", "compat"): "Docker's media types are always accepted; nothing to do",
    ("http", "tls", "cacert"): f"client certificates are not checked; {_PROXY}",
    HTPASSWD: "give the file, too, for its users: -htpasswd FILE",
    (*AUTH, "ldap"): "LDAP has no counterpart: give its users passwords or tokens here",
    (*AUTH, "openid"): _ISSUER,
    (*AUTH, "bearer"): "tokens of that service name repositories in a claim, which is not read here: write users "
    "or a TokenIssuer (docs/tokens.md)",
    (*AUTH, "apikey"): "API keys of zot end: users make new tokens ('simple-registry token create', or the web pages)",
    (*AUTH, "faildelay"): "wrong passwords are throttled; nothing to do",
    (*AUTH, "sessionkeysfile"): "people sign in again; nothing to do",
    (*AUTH, "sessiondriver"): "people sign in again; nothing to do",
    (*AUTH, "securesession"): "cookies are secure where the pages come over TLS; nothing to do",
    (*AUTH, "mtls"): f"client certificates are not checked; {_PROXY}",
    CONTROL: "no counterpart",
    ("log", "output"): "the log goes to standard error: let systemd or the container's runtime keep it",
    ("extensions", "sync"): "other registries are not mirrored: run 'skopeo sync' by a timer",
    ("extensions", "search"): "images are not scanned; names and tags are searched on the web pages",
    ("extensions", "metrics"): "metrics are always there, at /metrics; metrics.addr serves them without a login",
    ("extensions", "ui"): "the web pages are there unless web.ui is false",
    ("extensions", "mgmt"): "no counterpart; nothing to do",
    ("extensions", "lint"): "no counterpart: annotations are not required",
    ("extensions", "trust"): "signatures are stored, and checked by clients",
    ("extensions", "userprefs"): "no counterpart; nothing to do",
    (
        "extensions",
        "events",
    ): "nothing is sent to other servers; let them read the feed of events (docs/api/history.md)",
    ("extensions", "apikey"): "users make tokens on the web pages; nothing to do",
    ("extensions", "scrub"): "content is read in the background in any case (scrub.period); nothing to do",
    ("scheduler",): "no counterpart; nothing to do",
    ("cluster",): "one machine serves the registry; there is no cluster",
}
"""Why values have no counterpart, by the path above them, in lower case."""


def translate_zot(leaves: Leaves, passwords: PasswordFile | None) -> Translation:
    """Return the documents of a configuration with these users.

    Raises: ConfigError for a pattern of repositories that cannot be translated exactly.
    """
    settings = SettingsMade(leaves)
    _web(leaves, settings)
    _rest(leaves, settings)
    access = read_access(leaves)
    if passwords:
        leaves.take("the users", *HTPASSWD)
    documents = [*settings.document(), *_users(access, passwords_of(passwords)), *access_documents(access)]
    leaves.remark_rest(REMARKS)
    return Translation("zot", documents, leaves, (*(passwords.remarks if passwords else ()), *remarks_on(access)))


def _web(leaves: Leaves, settings: SettingsMade) -> None:
    host = leaves.text("http", "address")
    host = "127.0.0.1" if host is None else host
    port = leaves.text("http", "port") or "8080"
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    settings.put("web.addr", address, leaves.find("http", "address"), leaves.find("http", "port"))
    for setting, path in (
        ("web.externalURL", ("http", "externalurl")),
        ("web.certfile", ("http", "tls", "cert")),
        ("web.keyfile", ("http", "tls", "key")),
    ):
        if value := leaves.text(*path):
            settings.put(setting, value.removesuffix("/"), leaves.find(*path))


def _rest(leaves: Leaves, settings: SettingsMade) -> None:
    for setting, path in (
        ("garbageCollection.grace", ("storage", "gcdelay")),
        ("garbageCollection.interval", ("storage", "gcinterval")),
    ):
        if value := leaves.text(*path):
            settings.put(setting, value, leaves.find(*path), convert=translate_duration)
    if window := leaves.text("storage", "gctimewindow"):
        settings.put("garbageCollection.window", window, leaves.find("storage", "gctimewindow"))
    if (scrub := leaves.text("extensions", "scrub", "interval")) and not _is_off(leaves, "extensions", "scrub"):
        settings.put("scrub.period", scrub, leaves.find("extensions", "scrub", "interval"), convert=translate_duration)
    if _is_off(leaves, "extensions", "ui"):
        settings.put("web.ui", "false", leaves.find("extensions", "ui", "enable"))
    if level := leaves.text("log", "level"):
        settings.put("log.level", _LEVELS.get(level.lower(), level.lower()), leaves.find("log", "level"))
    if audit := leaves.text("log", "audit"):
        settings.put("log.audit", audit, leaves.find("log", "audit"))


def _is_off(leaves: Leaves, *path: str) -> bool:
    return leaves.find(*path, "enable") is not None and not leaves.is_true(*path, "enable")


def _users(access: AccessControl, passwords: Mapping[str, Password]) -> Iterator[Made]:
    for name in dict.fromkeys([*passwords, *access.users]):
        groups = [AUTHENTICATED, *(group for group, members in access.groups.items() if name in members)]
        yield user(
            name, groups, passwords.get(name), "named by accessControl, and without a password in the file of passwords"
        )
    if access.is_open:
        yield anonymous()
