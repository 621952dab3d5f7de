"""A real server process with a small application, on a free port."""

import contextlib
import datetime as dt
import http.client
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ENTRY = Path(__file__).with_name("entry.py")
ADMIN = ["-adminpwd", "$2b$04$abcdefghijklmnopqrstuuJ0uwpJ0GWDsOm7c9aBIdpqUbx0JVYSi"]
LIMIT = 15.0


class Process:
    """A server process and its log."""

    def __init__(self, directory, *arguments, environment=(), log=None):
        self.data = directory / "data"
        self.log_path = log or directory / "log"
        self.log_file = self.log_path.open("wb")
        self.address = arguments[arguments.index("-addr") + 1] if "-addr" in arguments else None
        words = [*ADMIN, "-datadir", str(self.data), "-log-format", "json", *arguments]
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("SIMPLE_REGISTRY_")}
        self.popen = subprocess.Popen(
            [sys.executable, str(ENTRY), *words],
            stderr=self.log_file,
            stdout=self.log_file,
            env={**inherited, **dict(environment)},
        )

    @property
    def log(self):
        return self.log_path.read_text()

    @property
    def lines(self):
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def until(self, condition, what="the condition"):
        deadline = time.monotonic() + LIMIT
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not become true; the log is:\n{self.log}"
            time.sleep(0.02)
        return found

    def until_log(self, text, times=1):
        self.until(lambda: self.log.count(text) >= times, f"{text!r} on the log")

    def ready(self):
        self.until(lambda: "listening on" in self.log or self.popen.poll() is not None, "the ready line")
        found = re.search(r"listening on (?:(https?)://([^\s,]+):(\d+)|unix:(\S+?))[\",]", self.log)
        assert found, self.log
        self.scheme, self.host, port, self.path = found.groups()
        self.host, self.port = (self.host or "").strip("[]"), int(port or 0)
        return self

    def answers(self, expected=lambda pid: True):
        """Wait until an `expected` worker answers, without reading the log; return its pid."""
        self.scheme, self.path = "http", None
        self.host, _, port = self.address.rpartition(":")
        self.port = int(port)
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if expected(pid := int(self.get()[0])):
                    return pid
            time.sleep(0.02)
        raise AssertionError("no worker answers")

    def connection(self, authority=None):
        if self.path:
            connection = http.client.HTTPConnection("localhost", timeout=LIMIT)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(self.path)
            return connection
        if self.scheme == "https":
            context = ssl.create_default_context(cadata=authority)
            return http.client.HTTPSConnection(self.host, self.port, timeout=LIMIT, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=LIMIT)

    def get(self, path="/", authority=None):
        """Return [pid of the worker, limits.sessions, size of the body, scheme]."""
        with contextlib.closing(self.connection(authority)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read().decode().split()

    def workers(self):
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        return {int(pid) for pid in children.read_text().split()}

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self):
        return self.popen.wait(LIMIT)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.popen.kill()
        self.popen.wait()
        self.log_file.close()


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:

        def begin(*arguments, addr="127.0.0.1:0", environment=(), log=None):
            directory = tmp_path / f"process-{len(list(tmp_path.glob('process-*')))}"
            directory.mkdir()
            process = Process(
                directory, *(("-addr", addr) if addr else ()), *arguments, environment=environment, log=log
            )
            stack.callback(process.close)
            return process

        yield begin


def make_certificate(directory, name="tls"):
    """Write a self-signed certificate and an SEC1 key; return its text and the two paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return chain.read_text(), chain, private


@pytest.fixture
def certificate(tmp_path):
    return lambda name="tls": make_certificate(tmp_path, name)


@pytest.fixture
def alive():
    def check(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        # A zombie (without a parent that reaps it) counts as ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"

    return check


@pytest.fixture
def stop_gently():
    def stop(process):
        process.signal(signal.SIGTERM)
        assert process.wait() == 0

    return stop
