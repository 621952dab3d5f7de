"""The subjects: our registry as users run it, other registries, and nginx over plain files as the limit of GETs."""

import base64
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

import bcrypt

from bench.client import Client, connect
from harness import subjects
from harness.gotools import DISTRIBUTION as DISTRIBUTION_TOOL
from harness.subjects import Command, Running, Subject

HERE = Path(__file__).parent
OURS = "simple-registry"
BEFORE = "before"
DOCKER = "docker-registry 2.8"
DISTRIBUTION = f"distribution {DISTRIBUTION_TOOL.version}"
ZOT = "zot"
NGINX = "nginx files"
USER, PASSWORD = "bench", "correct horse battery staple"
ACCESS = """\
kind: User
metadata: {{name: anonymous}}
---
kind: User
metadata: {{name: {user}}}
spec: {{passwordHash: "{hash}"}}
---
kind: Role
metadata: {{name: reader}}
spec: {{resources: ["*"], verbs: [pull]}}
---
kind: Role
metadata: {{name: owner}}
spec: {{resources: ["*"], verbs: ["*"]}}
---
kind: RoleBinding
metadata: {{name: all-read}}
spec: {{subjects: [{{kind: User, name: anonymous}}], roleRef: {{name: reader}}, scopes: ["^.*$"]}}
---
kind: RoleBinding
metadata: {{name: user-owns}}
spec: {{subjects: [{{kind: User, name: {user}}}], roleRef: {{name: owner}}, scopes: ["^.*$"]}}
"""
NGINX_CONFIGURATION = """\
daemon off;
user {user};
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  sendfile on; tcp_nopush on; open_file_cache max=1000;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  server {{ listen {address} reuseport; root {data}; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A subject of the comparison.

    `authorization` is the header for pushes, "" for none. With `files`, it serves plain files and accepts no pushes.
    """

    subject: Subject
    authorization: str = ""
    files: bool = False
    tags_at_once: bool = False
    """Whether a push by digest can have tags (`?tag=`, of the specification's next version)."""

    @property
    def name(self) -> str:
        return self.subject.name


@dataclass(frozen=True, slots=True)
class Target:
    """A running entrant."""

    entrant: Entrant
    running: Running
    authority: Path | None = None
    """The authority of its certificate; `None` for plain HTTP."""

    @property
    def name(self) -> str:
        return self.entrant.name

    @property
    def address(self) -> str:
        return self.running.address

    @property
    def scheme(self) -> str:
        return "http" if self.authority is None else "https"

    def connect(self) -> AbstractContextManager[Client]:
        """Open a connection with every permission."""
        return connect(self.address, self.headers, self.authority)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of a request with every permission."""
        authorization = self.entrant.authorization
        return {"Authorization": authorization} if authorization else {}


def basic(user: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def ours(name: str = OURS, *options: str, documents: str = "", python: str = sys.executable) -> Entrant:
    """Return our registry as users run it: a policy with anonymous reads, an access log, a worker for each core.

    `documents` are further YAML documents, each after its `---`.
    `python` is the interpreter of its environment: of this tree, or of another checkout.
    """

    def command(folder: Path, data: Path, address: str) -> Command:
        configuration = folder / "documents"
        configuration.mkdir(exist_ok=True)
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt()).decode()
        (configuration / "access.yaml").write_text(ACCESS.format(user=USER, hash=hashed) + documents)
        arguments = ["-datadir", str(data), "-addr", address, "-cfgdir", str(configuration), *options]
        return Command([python, "-m", "simple_registry", "serve", *arguments])

    return Entrant(Subject(name, command, subjects.our_blob), basic(USER, PASSWORD), tags_at_once=True)


def interpreter(checkout: Path) -> Path:
    """Return the interpreter of a checkout's own environment. Raises: FileNotFoundError."""
    # Not resolved: the target of the link is outside the environment, without the packages of the checkout.
    program = checkout.resolve() / ".venv" / "bin" / "python"
    if not program.exists():
        raise FileNotFoundError(f"{program} is missing: make -C {checkout} .venv/.runtime")
    return program


def nginx(program: str) -> Entrant:
    """Return nginx, which serves files under the paths of a registry."""

    def command(folder: Path, data: Path, address: str) -> Command:
        data.mkdir(exist_ok=True)
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(user=getuser(), folder=folder, data=data, address=address))
        return Command([program, "-p", str(folder), "-c", str(configuration)])

    return Entrant(Subject(NGINX, command, lambda data, digest: data / digest), files=True)


def described(text: str) -> list[Entrant]:
    """Return the installed peers of a TOML text (see peers.toml)."""
    entrants = []
    for peer in tomllib.loads(text)["peer"]:
        words = shlex.split(peer["command"])
        if program := shutil.which(words[0]):
            command = _command([program, *words[1:]], peer.get("files", {}))
            user = peer.get("user", "")
            authorization = basic(*user.split(":", 1)) if user else ""
            entrants.append(Entrant(Subject(peer["name"], command, lambda data, _: data), authorization))
    return entrants


def _command(words: Sequence[str], files: Mapping[str, str]) -> Callable[[Path, Path, str], Command]:
    def command(folder: Path, data: Path, address: str) -> Command:
        values = {"folder": folder, "data": data, "address": address, "port": address.rpartition(":")[2]}
        for name, content in files.items():
            (folder / name).write_text(content.format(**values))
        return Command([word.format(**values) for word in words])

    return command


def entrants(before: Path | None = None) -> list[Entrant]:
    """Return the subjects that this machine can start: ours, that of the checkout `before`, the others.

    Raises:
        FileNotFoundError: the checkout has no environment.
    """
    own = [ours(), *([ours(BEFORE, python=str(interpreter(before)))] if before else [])]
    found = [*own, *map(Entrant, subjects.peers()), *described((HERE / "peers.toml").read_text())]
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    return [*found, *([nginx(program)] if program else [])]
