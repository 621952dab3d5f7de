"""The configuration of docker-registry and distribution (`config.yml`, versions 2 and 3).

They know two kinds of callers: with `auth`, every user may do everything; without it, everybody may.
"""

from collections.abc import Iterator, Mapping

from simple_registry.config.foreign.durations import translate_duration
from simple_registry.config.foreign.leaves import Keys, Leaves
from simple_registry.config.foreign.passwords import PasswordFile
from simple_registry.config.foreign.translation import (
    ANONYMOUS,
    EVERYTHING,
    Made,
    SettingsMade,
    Subject,
    Translation,
    anonymous,
    binding,
    passwords_of,
    role,
    user,
)

GROUP = "users"
HTPASSWD = ("auth", "htpasswd", "path")

_LEVELS = {"warn": "warning"}
_FORMATTERS = {"logstash": "json"}
_ELSEWHERE = (
    "content is kept in a data directory of this machine only: copy it with 'skopeo sync' while both registries run"
)
_PROXY = "a proxy in front does this; see docs/operations/reverse-proxies.md"

REMARKS: Mapping[Keys, str] = {
    ("version",): "the version of that file's format; nothing to do",
    ("log", "accesslog"): "the access log cannot be switched off; its lines have the level info",
    ("log", "fields"): "log lines have no further fields; nothing to do",
    ("log", "hooks"): "no mail is sent; let alerts on metrics do that",
    ("log", "reportcaller"): "only for its developers; nothing to do",
    ("storage",): "the kind of storage: here it is a data directory; nothing to do",
    ("storage", "filesystem", "rootdirectory"): "take over its content: 'simple-registry adopt' and this directory",
    ("storage", "filesystem", "maxthreads"): "no counterpart; nothing to do",
    **{("storage", driver): _ELSEWHERE for driver in ("s3", "s3aws", "gcs", "azure", "swift", "oss")},
    ("storage", "inmemory"): "content is always kept on disk; nothing to do",
    ("storage", "cache"): "the database needs no such cache; nothing to do",
    ("storage", "redirect"): "blobs are served by the registry itself; nothing to do",
    ("storage", "tag"): "no counterpart; nothing to do",
    ("storage", "maintenance", "uploadpurging"): "uploads that no client continues end by limits.sessionLife",
    ("auth", "htpasswd", "realm"): "only a text that clients may show; nothing to do",
    ("auth", "htpasswd", "path"): "give the file, too, for its users: -htpasswd FILE",
    ("auth", "token"): "tokens of that service name repositories in a claim, which is not read here: write users "
    "or a TokenIssuer (docs/tokens.md). Until then only the administrator has access",
    ("auth", "silly"): "no counterpart, since it lets in every client that sends any credentials: write users",
    ("middleware",): "no counterpart",
    ("reporting",): "no counterpart; watch metrics and the log",
    ("http", "net"): "part of the address; nothing to do",
    ("http", "prefix"): "clients do not use a path before /v2/; if a proxy adds one, let it remove it",
    ("http", "secret"): "uploads need none here; nothing to do",
    ("http", "relativeurls"): "nothing to do: addresses in answers are relative to the host",
    ("http", "draintimeout"): "no counterpart: at the end, requests under way have 30 seconds",
    ("http", "tls", "clientcas"): f"client certificates are not checked; {_PROXY}",
    ("http", "tls", "clientauth"): f"client certificates are not checked; {_PROXY}",
    ("http", "tls", "minimumtls"): "TLS 1.2 is the minimum; nothing to do, or a proxy in front",
    ("http", "tls", "ciphersuites"): "those of OpenSSL's defaults; nothing to do, or a proxy in front",
    ("http", "tls", "letsencrypt"): "certificates come from files: use certbot, or a proxy such as Caddy",
    ("http", "headers"): f"answers have nosniff and a policy already; {_PROXY}",
    ("http", "debug"): "there is no debug server; metrics have an address of their own (metrics.addr)",
    ("http", "http2"): f"HTTP/1.1 only; {_PROXY}",
    ("http", "h2c"): f"HTTP/1.1 only; {_PROXY}",
    ("notifications",): "nothing is sent to other servers; let them read the feed of events (docs/api/history.md)",
    ("redis",): "not needed; nothing to do",
    ("health",): "/healthz and /readyz check what matters here; see docs/operations/running.md",
    ("catalog", "maxentries"): "pages of lists have at most 1000 names; nothing to do",
    ("tags", "maxtags"): "pages of lists have at most 1000 tags; nothing to do",
    ("proxy",): "a cache of another registry is not supported yet: keep that one running for it",
    ("compatibility",): "Docker's schema 1 is not supported; build and push such images again",
    ("validation",): "no counterpart",
    ("policy",): "no counterpart",
}
"""Why values have no counterpart, by the path above them."""


def translate_distribution(leaves: Leaves, passwords: PasswordFile | None) -> Translation:
    """Return the documents of a configuration with these users."""
    documents = [*_settings(leaves), *_access(leaves, passwords)]
    leaves.remark_rest(REMARKS)
    return Translation("distribution", documents, leaves, passwords.remarks if passwords else ())


def _settings(leaves: Leaves) -> Iterator[Made]:
    settings = SettingsMade(leaves)
    _listening(leaves, settings)
    for setting, path in (
        ("web.externalURL", ("http", "host")),
        ("web.certfile", ("http", "tls", "certificate")),
        ("web.keyfile", ("http", "tls", "key")),
    ):
        if value := leaves.text(*path):
            settings.put(setting, value.removesuffix("/"), leaves.find(*path))
    if leaves.is_true("http", "debug", "prometheus", "enabled"):
        below = (leaves.find("http", "debug", "addr"), leaves.find("http", "debug", "prometheus", "enabled"))
        settings.put("metrics.addr", leaves.text("http", "debug", "addr") or "", *below)
    for level in filter(None, (leaves.find("log", "level"), leaves.find("loglevel"))):
        settings.put("log.level", _LEVELS.get(level.text.lower(), level.text.lower()), level)
    if formatter := leaves.text("log", "formatter"):
        settings.put("log.format", _FORMATTERS.get(formatter, formatter), leaves.find("log", "formatter"))
    _storage(leaves, settings)
    yield from settings.document()


def _listening(leaves: Leaves, settings: SettingsMade) -> None:
    address, network = (leaves.find("http", key) for key in ("addr", "net"))
    if address is None or not address.text:
        return
    prefix = "unix:" if network and network.text == "unix" else ""
    settings.put("web.addr", prefix + address.text, address, network)


def _storage(leaves: Leaves, settings: SettingsMade) -> None:
    purging = ("storage", "maintenance", "uploadpurging")
    age = leaves.find(*purging, "age")
    if age and (leaves.text(*purging, "enabled") or "true").lower() == "true":
        sources = (age, leaves.find(*purging, "enabled"))
        settings.put("limits.sessionLife", age.text, *sources, convert=translate_duration)
    read_only = ("storage", "maintenance", "readonly", "enabled")
    if leaves.find(*read_only):
        settings.put("storage.readOnly", str(leaves.is_true(*read_only)).lower(), leaves.find(*read_only))
    platforms = ("validation", "manifests", "indexes", "platforms")
    if (leaves.text(*platforms) or "").lower() == "none":
        settings.put("manifests.allowMissing", "indexes", leaves.find(*platforms))


def _access(leaves: Leaves, passwords: PasswordFile | None) -> Iterator[Made]:
    kinds = leaves.keys("auth") or [text for text in (leaves.text("auth"),) if text]
    if kinds and kinds != ["none"]:
        caller = Subject("Group", GROUP)
        leaves.take_one(f"the group {GROUP}", "auth")
        if passwords:
            leaves.take("the users", *HTPASSWD)
        yield from (user(name, [GROUP], password) for name, password in passwords_of(passwords).items())
    else:
        caller = ANONYMOUS
        leaves.take("the user anonymous", "auth")
        yield anonymous()
    verbs = ["pull", "push", *(["delete"] if leaves.is_true("storage", "delete", "enabled") else [])]
    leaves.take("the verbs of the role everything", "storage", "delete", "enabled")
    yield role("everything", ["catalog", "blobs", "manifests"], verbs)
    yield binding("everything", "everything", EVERYTHING, [caller])
