"""What can be wrong between clients and a registry, and the lines that mend it in each proxy.

The lines of nginx belong into `server`, those of Caddy into `reverse_proxy` or beside it, those of HAProxy into
`frontend`. A comment names what to remove.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

PROXIES = ("nginx", "caddy", "haproxy", "traefik", "apache")


class Level(StrEnum):
    """How bad a finding is: some clients fail, or all work but not well."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what is wrong, which clients notice, and the lines for each proxy."""

    meaning: str
    clients: str
    level: Level = Level.ERROR
    mends: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that was found, with what was seen."""

    id: str
    seen: str

    @property
    def fault(self) -> Fault:
        """Its row."""
        return FAULTS[self.id]


_FORWARDED = {
    "nginx": "proxy_set_header X-Forwarded-Proto $scheme;",
    "caddy": "# remove: header_up X-Forwarded-Proto",
    "haproxy": "http-request set-header X-Forwarded-Proto https",
    "traefik": "# remove: a headers middleware with customRequestHeaders X-Forwarded-Proto",
    "apache": 'RequestHeader set X-Forwarded-Proto "https"',
}
_HOST = {
    "nginx": "proxy_set_header Host $http_host;",
    "caddy": "# remove: header_up Host and header_up X-Forwarded-Host",
    "haproxy": "# remove: http-request set-header Host",
    "traefik": "# loadBalancer:\n#   passHostHeader: true",
    "apache": "ProxyPreserveHost On",
}
_TIMES = {
    "nginx": "client_body_timeout 900s;\nsend_timeout 900s;\nproxy_read_timeout 900s;\nproxy_send_timeout 900s;",
    "caddy": "# remove: read_timeout and write_timeout, also those of the global option servers",
    "haproxy": "timeout client 900s\n# and in the backend: timeout server 900s",
    "traefik": "# entryPoints.websecure.transport.respondingTimeouts:\n#   readTimeout: 0s",
    "apache": "ProxyTimeout 900\nRequestReadTimeout header=20-40,MinRate=500 body=0",
}


def _removed(nginx: str, caddy: str, haproxy: str) -> Mapping[str, str]:
    return {
        "nginx": f"# remove: {nginx}",
        "caddy": f"# remove: {caddy}",
        "haproxy": f"# remove: {haproxy}",
        "traefik": "# remove: the middleware that does so",
        "apache": "# remove: the Header, RequestHeader or Limit line that does so",
    }


def _hidden(name: str) -> Mapping[str, str]:
    return _removed(f"proxy_hide_header {name}", f"header_down -{name}", f"http-response del-header {name}")


FAULTS: Mapping[str, Fault] = {
    "unreachable": Fault("no answer", "all"),
    "plain-http": Fault(
        "the address speaks plain HTTP where TLS is expected",
        "all, unless they are told to accept an insecure registry",
        mends={
            "nginx": "listen 443 ssl;",
            "caddy": "# write the site's address without http:// and without auto_https off",
            "haproxy": "bind :443 ssl crt /etc/haproxy/registry.pem",
            "traefik": "# routers.registry:\n#   tls: {}",
            "apache": "SSLEngine On",
        },
    ),
    "certificate": Fault("the certificate is not accepted: authority, chain, name or time", "all"),
    "certificate-expiry": Fault("the certificate expires soon", "all, then", Level.WARNING),
    "clock": Fault("the clocks differ", "docker, podman and skopeo, which compute when tokens end", Level.WARNING),
    "redirect": Fault(
        "the API is redirected",
        "containerd, oras and all that push",
        mends=_removed("return 301 and rewrite for /v2/", "redir for /v2/", "http-request redirect for /v2/"),
    ),
    "no-registry": Fault(
        "/v2/ is not that of a registry",
        "all",
        mends={
            "nginx": "location /v2/ {\n    proxy_pass http://127.0.0.1:5000;   # without a path\n}",
            "caddy": "reverse_proxy 127.0.0.1:5000   # without handle_path and uri strip_prefix",
            "haproxy": "default_backend registry",
            "traefik": "# rule: Host(`registry.example`), without a StripPrefix middleware",
            "apache": "ProxyPass / http://127.0.0.1:5000/ nocanon",
        },
    ),
    "challenge-lost": Fault("a 401 has no WWW-Authenticate", "all that log in", mends=_hidden("WWW-Authenticate")),
    "realm-scheme": Fault("clients are sent to an http:// address for tokens", "all that log in", mends=_FORWARDED),
    "realm-host": Fault(
        "clients are sent to another host for tokens", "crane, ko, cosign and all that cannot reach it", mends=_HOST
    ),
    "token": Fault("no token is given out", "all that log in"),
    "authorization-lost": Fault(
        "Authorization does not arrive",
        "all that log in",
        mends={
            "nginx": "proxy_set_header Authorization $http_authorization;",
            "caddy": "# remove: header_up -Authorization",
            "haproxy": "# remove: http-request del-header Authorization",
            "traefik": "# remove: basicAuth and customRequestHeaders Authorization",
            "apache": 'RequestHeader set Authorization "expr=%{HTTP:Authorization}"',
        },
    ),
    "credentials": Fault("user and password are wrong, or Authorization does not arrive", "all that log in"),
    "denied": Fault("pushing is not permitted, so most checks were left out", "none", Level.WARNING),
    "method": Fault(
        "a method is refused before it reaches the registry",
        "all that push or delete",
        mends=_removed(
            "limit_except and if ($request_method …)", "respond and abort for methods", "http-request deny for methods"
        ),
    ),
    "push": Fault("a push fails", "all that push"),
    "location-lost": Fault("an upload has no Location", "all that push", mends=_hidden("Location")),
    "location-scheme": Fault("uploads continue at an http:// address", "all that push", mends=_FORWARDED),
    "location-host": Fault("uploads continue at another host", "all that push", mends=_HOST),
    "range-lost": Fault("an upload has no Range", "docker, which reads it after each part", mends=_hidden("Range")),
    "chunked": Fault(
        "bodies without a length are refused",
        "docker, podman, skopeo, buildah",
        mends={
            "nginx": "proxy_http_version 1.1;\nproxy_request_buffering off;",
            "caddy": "# remove: what refuses Transfer-Encoding",
            "haproxy": "# remove: http-request deny for Transfer-Encoding",
            "traefik": "# remove: the buffering middleware",
            "apache": "SetEnv proxy-sendchunked 1",
        },
    ),
    "body-limit": Fault(
        "large bodies are refused",
        "all that push; a layer is one body",
        mends={
            "nginx": "client_max_body_size 0;",
            "caddy": "# remove: request_body { max_size … }",
            "haproxy": "# remove: http-request deny for Content-Length",
            "traefik": "# remove: the buffering middleware (maxRequestBodyBytes)",
            "apache": "LimitRequestBody 0",
        },
    ),
    "buffering": Fault(
        "a refusal waits for the whole body: a proxy keeps it first, or the registry waits, as distribution 3 does",
        "all that push large layers: slow, and a full disk of the proxy",
        Level.WARNING,
        {
            "nginx": "proxy_http_version 1.1;\nproxy_request_buffering off;",
            "caddy": "# remove: request_buffers",
            "haproxy": "# remove: option http-buffer-request",
            "traefik": "# remove: the buffering middleware",
            "apache": "# remove: SetEnv proxy-sendcl",
        },
    ),
    "cut": Fault("a slow upload is cut off", "all on slow lines", mends=_TIMES),
    "head": Fault(
        "HEAD is not as GET without its body",
        "containerd, docker, crane",
        mends=_removed("what answers HEAD", "what answers HEAD", "what answers HEAD"),
    ),
    "digest-lost": Fault(
        "an answer has no Docker-Content-Digest", "docker, containerd", mends=_hidden("Docker-Content-Digest")
    ),
    "range": Fault(
        "a part of a blob cannot be read",
        "containerd, and podman for zstd:chunked",
        Level.WARNING,
        {
            "nginx": "proxy_set_header Range $http_range;",
            "caddy": "# remove: header_up -Range",
            "haproxy": "# remove: http-request del-header Range",
            "traefik": "# remove: customRequestHeaders Range",
            "apache": "# remove: RequestHeader unset Range and Header unset Accept-Ranges",
        },
    ),
    "compression": Fault(
        "content is compressed on its way",
        "all that compare length and digest",
        mends={
            "nginx": "gzip off;",
            "caddy": "# remove: encode",
            "haproxy": "# remove: compression algo and filter compression",
            "traefik": "# remove: the compress middleware",
            "apache": "SetEnv no-gzip 1",
        },
    ),
    "content": Fault("content comes back changed", "all that pull"),
    "long-header": Fault(
        "a long Authorization is refused",
        "all, with tokens for many repositories",
        Level.WARNING,
        {
            "nginx": "large_client_header_buffers 4 32k;",
            "caddy": "# servers { max_header_size 64KB }",
            "haproxy": "# in global: tune.bufsize 65536",
            "traefik": "# entryPoints.websecure.http.maxHeaderBytes: 65536",
            "apache": "LimitRequestFieldSize 32768",
        },
    ),
    "left": Fault("what was written could not be removed", "none", Level.WARNING),
}
"""Every fault that can be found, by id."""

TESTED: Mapping[str, tuple[str, ...]] = {
    "nginx": (
        *("authorization-lost", "body-limit", "buffering", "challenge-lost", "compression", "cut", "digest-lost"),
        *("long-header", "method", "plain-http", "range", "realm-host", "realm-scheme", "redirect"),
    ),
    "caddy": ("authorization-lost", "body-limit", "compression", "location-lost", "range", "realm-host"),
    "haproxy": (
        *("authorization-lost", "body-limit", "challenge-lost", "chunked", "location-lost", "range", "realm-scheme"),
    ),
}
"""The faults that `tests/e2e/test_doctor.py` causes in each proxy, and mends with the lines above."""


def is_tested(proxy: str, lines: str) -> bool:
    """Return whether these lines for a proxy have mended one that was set up wrongly."""
    return any(FAULTS[fault].mends[proxy] == lines for fault in TESTED.get(proxy, ()))
