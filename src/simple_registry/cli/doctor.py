"""`doctor`: a registry checked through its public address, with the lines that mend what is found."""

import contextlib
import getpass
import json
import secrets
import signal
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TextIO

from simple_registry.cli.options import Parser, UsageError
from simple_registry.config.values import parse_size
from simple_registry.doctor.checks import Examination, Plan
from simple_registry.doctor.client import Client, parse_address
from simple_registry.doctor.findings import PROXIES, Finding, Level, is_tested
from simple_registry.doctor.session import Credentials
from simple_registry.server.logging import printable
from simple_registry.times import parse_duration

VARIABLE = "REGISTRY_PASSWORD"
_TIMEOUT = 60.0
_LEAST = 1024 * 1024
_HELP = f"""\
usage: simple-registry doctor URL [OPTION ...]

Does through the public address of any registry what docker, podman, containerd, BuildKit, skopeo, crane, oras, helm and
regctl do, and reports which of them would fail, why, and the lines that mend it in nginx, Caddy, HAProxy, Traefik and
Apache. What it writes has a random name and is removed, also after Ctrl-C. The password comes from a prompt, the
variable {VARIABLE} or standard input.

  -user NAME           log in as this user; without it, anonymously
  -password-stdin      read the password from standard input
  -repository NAME     push below this repository (default: simple-registry-doctor)
  -proxy NAME          print only the lines of this proxy: {", ".join(PROXIES)}
  -cafile FILE         trust only the authorities of this PEM file
  -max-size SIZE       send at most this much (default: 64MiB)
  -patience DURATION   silence in the middle of an upload (default: 10s); proxies often cut after 60s
  -json                print JSON

Exit code: 0 all is well, or warnings only; 1 some clients fail; 2 invalid arguments.
"""


def doctor(
    arguments: Sequence[str], environment: Mapping[str, str], stdin: TextIO, stdout: TextIO, stderr: TextIO
) -> int:
    """Run `doctor` with these arguments. Return the exit code.

    Raises: UsageError.
    """
    parser = Parser("doctor", _HELP)
    parser.add_argument("url", nargs="?")
    asked = parser.parse_args(arguments)
    if asked.help:
        stdout.write(_HELP)
        return 0
    if asked.url is None:
        raise UsageError("usage: doctor URL [OPTION ...]; see 'doctor -help'")
    if asked.proxy not in {None, *PROXIES}:
        raise UsageError(f"-proxy is one of {', '.join(PROXIES)}")
    try:
        address = parse_address(asked.url)
        plan = Plan(
            repository=f"{asked.repository or 'simple-registry-doctor'}/{secrets.token_hex(8)}",
            max_size=parse_size(asked.max_size or "64MiB"),
            patience=parse_duration(asked.patience or "10s"),
        )
        context = ssl.create_default_context(cafile=asked.cafile)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from None
    if plan.max_size < _LEAST:
        raise UsageError("-max-size is at least 1MiB")
    password = _password(asked.user, environment, stdin, from_stdin=asked.password_stdin)
    credentials = Credentials(asked.user, password) if asked.user else None
    examination = Examination(Client(address, context, timeout=_TIMEOUT + plan.patience), credentials, plan)
    with _interrupted_by_sigterm():
        examination.run(lambda what: None if asked.json else _told(stderr, what))
    found = sorted(examination.findings, key=lambda each: each.fault.level is Level.WARNING)
    proxies = [asked.proxy] if asked.proxy else list(PROXIES)
    stdout.writelines(_json(found, str(address), proxies) if asked.json else _text(found, str(address), proxies))
    stdout.flush()
    return int(any(each.fault.level is Level.ERROR for each in found))


def _told(stderr: TextIO, what: str) -> None:
    stderr.write(f"{what} ...\n")
    stderr.flush()


def _password(user: str | None, environment: Mapping[str, str], stdin: TextIO, *, from_stdin: bool) -> str:
    if user is None:
        if from_stdin:
            raise UsageError("-password-stdin needs -user")
        return ""
    if from_stdin:
        return stdin.readline().rstrip("\r\n")
    if VARIABLE in environment:
        return environment[VARIABLE]
    if not stdin.isatty():
        raise UsageError(f"there is no terminal to ask for the password; use -password-stdin or {VARIABLE}")
    return getpass.getpass(f"password of {user}: ", sys.stderr)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that what was written is removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _json(found: Sequence[Finding], address: str, proxies: Sequence[str]) -> Iterator[str]:
    findings = [
        {
            **asdict(each),
            "level": each.fault.level,
            "meaning": each.fault.meaning,
            "clients": each.fault.clients,
            "mends": {proxy: each.fault.mends[proxy] for proxy in proxies if proxy in each.fault.mends},
            "untested": [
                proxy for proxy, lines in each.fault.mends.items() if proxy in proxies and not is_tested(proxy, lines)
            ],
        }
        for each in found
    ]
    yield json.dumps({"registry": address, "findings": findings}, indent=2) + "\n"


def _text(found: Sequence[Finding], address: str, proxies: Sequence[str]) -> Iterator[str]:
    for each in found:
        fault = each.fault
        yield f"{fault.level}: {fault.meaning} [{each.id}]\n"
        yield f"  seen: {printable(each.seen)}\n  fails for: {fault.clients}\n"
        for proxy in proxies:
            if proxy in fault.mends:
                yield f"  {proxy}{'' if is_tested(proxy, fault.mends[proxy]) else ' (untested)'}:\n"
                yield from (f"    {line}\n" for line in fault.mends[proxy].splitlines())
    errors = sum(each.fault.level is Level.ERROR for each in found)
    yield f"{address}: {'all is well' if not found else f'errors: {errors}, warnings: {len(found) - errors}'}\n"
