"""`doctor` through real proxies: each is set up wrongly, found, mended with the printed lines, and found well."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.commands import built, installed, unavailable
from e2e.daemons import running
from e2e.proxies import ACCOUNT, KINDS, documents_behind
from e2e.server import serve
from harness.certificates import issue
from harness.gotools import DISTRIBUTION
from simple_registry.cli.doctor import doctor
from simple_registry.doctor.findings import TESTED

pytestmark = pytest.mark.clients

BASE = {
    "nginx": """\
listen LISTEN ssl;
client_max_body_size 0;
client_body_timeout 900s;
large_client_header_buffers 4 32k;
proxy_http_version 1.1;
proxy_request_buffering off;
proxy_buffering off;
proxy_read_timeout 900s;
proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-For $remote_addr;
""",
    "caddy": "",
    "haproxy": """\
timeout client 900s
http-request set-header X-Forwarded-Proto https
http-request set-header X-Forwarded-For %[src]
""",
}

CASES = [
    ("nginx", "body-limit", "client_max_body_size 1m;"),
    ("nginx", "body-limit", "client_max_body_size 5m;"),
    ("nginx", "realm-scheme", "proxy_set_header X-Forwarded-Proto http;"),
    ("nginx", "realm-host", "proxy_set_header Host $proxy_host;"),
    ("nginx", "authorization-lost", 'proxy_set_header Authorization "";'),
    ("nginx", "challenge-lost", "proxy_hide_header WWW-Authenticate;"),
    ("nginx", "digest-lost", "proxy_hide_header Docker-Content-Digest;"),
    ("nginx", "compression", "gzip on; gzip_types *; gzip_proxied any;"),
    ("nginx", "buffering", "proxy_request_buffering on;"),
    ("nginx", "method", "if ($request_method = DELETE) { return 405; }"),
    ("nginx", "cut", "client_body_timeout 1s;"),
    ("nginx", "range", 'proxy_set_header Range "";'),
    ("nginx", "long-header", "large_client_header_buffers 4 8k;"),
    ("nginx", "plain-http", "listen LISTEN;"),
    ("nginx", "redirect", "rewrite ^/v2/(.*)$ /registry/v2/$1 permanent;"),
    ("caddy", "body-limit", "request_body { \n max_size 1MB \n }"),
    ("caddy", "authorization-lost", "header_up -Authorization"),
    ("caddy", "location-lost", "header_down -Location"),
    ("caddy", "realm-host", "header_up X-Forwarded-Host internal"),
    ("caddy", "range", "header_up -Range"),
    ("caddy", "compression", "encode { \n gzip \n match header Content-Type * \n }"),
    ("haproxy", "realm-scheme", "http-request set-header X-Forwarded-Proto http"),
    ("haproxy", "authorization-lost", "http-request del-header Authorization"),
    ("haproxy", "challenge-lost", "http-response del-header WWW-Authenticate"),
    ("haproxy", "chunked", "http-request deny deny_status 501 if { req.hdr(transfer-encoding) -m found }"),
    ("haproxy", "body-limit", "http-request deny deny_status 413 if { req.hdr_val(content-length) gt 3000000 }"),
    ("haproxy", "range", "http-request del-header Range"),
    ("haproxy", "location-lost", "http-response del-header Location"),
]
"""A proxy, the fault, and the lines that cause it."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    with serve(folder, configuration=documents_behind(KINDS["tcp"]), address="127.0.0.1:0") as running_registry:
        yield running_registry


def test_the_program_knows_which_lines_are_tested():
    assert {(proxy, fault) for proxy, faults in TESTED.items() for fault in faults} == {case[:2] for case in CASES}


@pytest.mark.parametrize(("proxy", "fault", "lines"), CASES, ids=[f"{each[0]}-{each[1]}" for each in CASES])
def test_a_wrong_proxy_is_found_and_mended_with_the_printed_lines(registry, tmp_path, proxy, fault, lines):
    if shutil.which(proxy, path=os.environ["PATH"] + ":/usr/sbin") is None:
        unavailable(f"{proxy} is not installed")
    certificates, patience = issue(tmp_path), "3s" if fault == "cut" else "1s"
    good = BASE[proxy].splitlines()
    with behind(proxy, merged(proxy, good, [lines]), registry.host, certificates, tmp_path / "wrong") as url:
        code, found = examine(url, certificates.authority, patience)
    assert fault in found
    assert code == (1 if any(each["level"] == "error" for each in found.values()) else 0)
    printed = found[fault]["mends"][proxy].splitlines()
    with behind(proxy, merged(proxy, good, printed), registry.host, certificates, tmp_path / "mended") as url:
        assert examine(url, certificates.authority, patience) == (0, EXPIRES)


EXPIRES = {
    "certificate-expiry": {
        "id": "certificate-expiry",
        "seen": "in 1 days",
        "level": "warning",
        "meaning": "the certificate expires soon",
        "clients": "all, then",
        "mends": {},
        "untested": [],
    }
}
"""The tests' certificates are valid for a day."""


def examine(url: str, authority: Path, patience: str) -> tuple[int, dict[str, dict[str, object]]]:
    words = [url, "-user", ACCOUNT.username, "-cafile", str(authority), "-patience", patience, "-json"]
    stdout = io.StringIO()
    code = doctor(words, {"REGISTRY_PASSWORD": ACCOUNT.secret}, io.StringIO(), stdout, io.StringIO())
    return code, {each["id"]: each for each in json.loads(stdout.getvalue())["findings"]}


def merged(proxy: str, base: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Return the lines of a proxy; those of `lines` replace those of `base` that set the same."""

    def key(line: str) -> tuple[str, ...]:
        words = line.replace(";", " ").split()
        several = words[0] in {"proxy_set_header", "timeout"} if words else False
        return tuple(words[: 3 if words[:1] == ["http-request"] else 2 if several else 1])

    new = {key(line) for line in lines}
    return [*(line for line in base if key(line) not in new), *lines]


@contextmanager
def behind(proxy, lines, upstream, certificates, folder) -> Iterator[str]:
    """Run a proxy before a registry. Yield its URL."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    text = "\n".join(lines).replace("LISTEN", listen).replace("listen 443", f"listen {listen}")
    command = {"nginx": _nginx, "caddy": _caddy, "haproxy": _haproxy}[proxy](
        text, listen, upstream, certificates, folder
    )
    with running(command, folder, lambda _: _answers(listen)):
        yield f"https://{listen}"


def _answers(listen):
    host, _, port = listen.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _nginx(text, listen, upstream, certificates, folder):
    temporary = "\n".join(
        f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; {'user root;' if os.geteuid() == 0 else ''}\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}\nserver {{\n"
        f"ssl_certificate {certificates.certificate};\nssl_certificate_key {certificates.key};\n{text}\n"
        f"location / {{ proxy_pass http://{upstream}; }}\n}}\n}}\n"
    )
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]


def _caddy(text, listen, upstream, certificates, folder):
    inner = "\n".join(line for line in text.splitlines() if line.startswith("header_"))
    outer = "\n".join(line for line in text.splitlines() if not line.startswith("header_"))
    (folder / "Caddyfile").write_text(
        f"{{\nadmin off\nauto_https disable_redirects\n}}\nhttps://{listen} {{\nbind 127.0.0.1\n"
        f"tls {certificates.certificate} {certificates.key}\n{outer}\n"
        f"reverse_proxy {upstream} {{\n{inner}\n}}\n}}\n"
    )
    return ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


def _haproxy(text, listen, upstream, certificates, folder):
    (folder / "registry.pem").write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
    (folder / "haproxy.cfg").write_text(
        f"global\n    maxconn 200\n    nbthread 1\n\nfrontend registry\n    mode http\n"
        f"    bind {listen} ssl crt {folder}/registry.pem alpn h2,http/1.1\n{text}\n"
        f"    default_backend registry\n\nbackend registry\n    mode http\n    timeout connect 5s\n"
        f"    timeout server 900s\n    server registry {upstream}\n"
    )
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


def test_a_certificate_of_an_unknown_authority_is_found(registry, tmp_path):
    certificates = issue(tmp_path)
    with behind("caddy", [], registry.host, certificates, tmp_path / "caddy") as url:
        (tmp_path / "other").mkdir()
        code, found = examine(url, issue(tmp_path / "other").authority, "1s")
        assert (code, list(found)) == (1, ["certificate"])
        code, found = examine(url.replace("127.0.0.1", "127.0.0.2"), certificates.authority, "1s")
        assert (code, list(found)) == (1, ["unreachable"])


def test_a_certificate_for_other_names_is_found(registry, tmp_path):
    certificates = issue(tmp_path, ["192.0.2.1"])
    with behind("haproxy", BASE["haproxy"].splitlines(), registry.host, certificates, tmp_path / "haproxy") as url:
        code, found = examine(url, certificates.authority, "1s")
    assert (code, list(found)) == (1, ["certificate"])
    assert "IP address mismatch" in found["certificate"]["seen"]


@pytest.mark.parametrize(("version", "findings"), [(2, []), (3, ["buffering"])])
def test_another_registry_gets_a_report(version, findings, tmp_path):
    """distribution 3 answers a refused upload only once it has the whole body, without a proxy, too."""
    program = installed("docker-registry", tmp_path) if version == 2 else built(DISTRIBUTION, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{listen}'}}\n"
    )
    # Podman's variable for its logins would be a setting of this registry.
    command = ["env", "-u", "REGISTRY_AUTH_FILE", *program.words, "serve", tmp_path / "config.yml"]
    words, stdout = [f"http://{listen}", "-patience", "1s", "-json"], io.StringIO()
    with running(command, tmp_path, lambda _: _answers(listen)):
        assert doctor(words, {}, io.StringIO(), stdout, io.StringIO()) == 0
    assert [each["id"] for each in json.loads(stdout.getvalue())["findings"]] == findings


def test_what_was_written_is_removed_after_an_interrupt(registry):
    words = [f"http://{registry.host}", "-user", ACCOUNT.username, "-patience", "60s", "-repository", "interrupted"]
    # A shell ignores SIGINT for what it starts in the background, as the tests may be.
    process = subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "simple_registry", "doctor", *words],
        env={**os.environ, "REGISTRY_PASSWORD": ACCOUNT.secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = []
    while not told or not told[-1].startswith("push slowly"):
        told.append(process.stderr.readline())
        assert told[-1], told
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "remove what was written" in errors
    catalog = json.loads(registry.request("GET", "/v2/_catalog").body)["repositories"]
    assert [name for name in catalog if name.startswith("interrupted/")] == []
