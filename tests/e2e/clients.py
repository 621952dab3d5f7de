"""The command lines with which each client logs in, pulls and pushes.

Every attempt has a home of its own for credentials; the storage of an engine is shared by all of a test run.
"""

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from e2e.commands import Attempt, Command, built, installed, temporary_home
from e2e.daemons import containerd, dockerd
from e2e.images import TAG, chart_archive, layer_archive, write_single_layout
from e2e.scenarios import CHART_VERSION, Account, basic
from e2e.server import Registry
from harness.gotools import CRANE, HELM, ORAS, REGCTL

Words = list[str]


@dataclass(frozen=True, slots=True)
class Place:
    """The target of a command: a repository of a registry, and a folder for its output."""

    registry: Registry
    repository: str
    tag: str
    folder: Path
    account: Account | None

    @property
    def name(self) -> str:
        """The repository with the registry before it."""
        return f"{self.registry.host}/{self.repository}"

    @property
    def reference(self) -> str:
        """The name and tag."""
        return f"{self.name}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Client:
    """A client's command lines; `login` is `None` where a client is given credentials with each command."""

    name: str
    command: Command
    pull: Callable[[Place], Words]
    push: Callable[[Place], Words]
    login: Callable[[Registry], Words] | None = None
    asks: bool = True
    """Whether the registry is asked at login; crane only stores what it is given."""
    secret_option: str = "--password-stdin"
    repository: str = "app"
    before_push: Callable[[Place], Words] | None = None
    variables: Callable[[Registry], Mapping[str, str]] = field(default=lambda _: {})

    def at(self, registry: Registry, home: Path, account: Account | None) -> "Session":
        """Return a session with a new home, not logged in yet."""
        _prepare(home, registry)
        return Session(self, registry, home, account)


@dataclass(frozen=True, slots=True)
class Session:
    """A client that speaks to a registry with credentials of its own."""

    client: Client
    registry: Registry
    home: Path
    account: Account | None

    def log_in(self) -> Attempt | None:
        """Log in and return what came of it; `None` when there is nothing to ask. Credentials are stored anyhow."""
        login, account = self.client.login, self.account
        if login is None or account is None:
            return None
        words = [*login(self.registry), "-u", account.username, self.client.secret_option, self.registry.host]
        attempt = self._command.attempt(*words, stdin=account.secret)
        if not attempt.accepted:
            self._store(account)
        return attempt if self.client.asks else None

    def pull(self, repository: str, tag: str) -> Attempt:
        """Fetch an image, or a chart."""
        return self._command.attempt(*self.client.pull(self._place(repository, tag)))

    def push(self, repository: str, tag: str) -> Attempt:
        """Send an image, or a chart."""
        place = self._place(repository, tag)
        if self.client.before_push:
            self._command(*self.client.before_push(place))
        return self._command.attempt(*self.client.push(place))

    def _place(self, repository: str, tag: str) -> Place:
        return Place(self.registry, repository, tag, self.home, self.account)

    @property
    def _command(self) -> Command:
        files = {"DOCKER_CONFIG": self.home / "docker", "REGISTRY_AUTH_FILE": self.home / "auth.json"}
        files |= {"REGCTL_CONFIG": self.home / "regctl.json", "HELM_REGISTRY_CONFIG": self.home / "helm.json"}
        variables = {name: str(path) for name, path in files.items()} | dict(self.client.variables(self.registry))
        return self.client.command.with_environment(**variables)

    def _store(self, account: Account) -> None:
        """Leave credentials where clients look for them, as if the login had been believed."""
        document = {"auths": {self.registry.host: {"auth": basic(account).partition(" ")[2]}}}
        (self.home / "docker").mkdir(exist_ok=True)
        for file in (self.home / "docker" / "config.json", self.home / "auth.json", self.home / "helm.json"):
            file.write_text(json.dumps(document))


def _prepare(home: Path, registry: Registry) -> None:
    """Leave what clients expect in a new home: where to find the registry (regctl), and no credentials (buildah)."""
    if (home / "auth.json").exists():
        return
    (home / "auth.json").write_text("{}")
    if registry.authority is None:
        host = {"tls": "disabled"}
    else:
        host = {"tls": "enabled", "regcert": registry.authority.read_text()}
    hosts = {registry.host: host | {"hostname": registry.host}}
    (home / "regctl.json").write_text(json.dumps({"hosts": hosts}))


# --- one recipe for each --------------------------------------------------------------------------------------------


@contextmanager
def open_client(name: str) -> Iterator[Client]:
    """Prepare a client: its storage, its daemon if it has one, and something to push."""
    with ExitStack() as stack:
        home = stack.enter_context(temporary_home())
        match name:
            case "docker":
                yield _docker(stack.enter_context(dockerd(home)))
            case "ctr":
                yield _ctr(stack.enter_context(containerd(home)))
            case _:
                yield _RECIPES[name](home)


def _docker(home: Path) -> Client:
    docker = installed("docker", home, "--host", f"unix://{home / 'socket'}")
    image = _imported(docker, home)
    return Client(
        "docker",
        docker,
        login=lambda _: ["login"],
        pull=lambda place: ["pull", "--quiet", place.reference],
        before_push=lambda place: ["tag", image, place.reference],
        push=lambda place: ["push", "--quiet", place.reference],
    )


def _podman(home: Path) -> Client:
    podman = podman_at(home)
    image = _imported(podman, home)
    return Client(
        "podman",
        podman,
        login=lambda registry: ["login", *_tls_verify(registry)],
        pull=lambda place: ["pull", "--quiet", *_tls_verify(place.registry), place.reference],
        push=lambda place: ["push", "--quiet", *_tls_verify(place.registry), image, f"docker://{place.reference}"],
    )


def _buildah(home: Path) -> Client:
    buildah = buildah_at(home)
    layout = write_single_layout(home / "layout")
    (home / "auth.json").write_text("{}")
    image = buildah("pull", "--quiet", f"oci:{layout.path}:{TAG}").splitlines()[-1]
    return Client(
        "buildah",
        buildah,
        login=lambda registry: ["login", *_tls_verify(registry)],
        pull=lambda place: ["pull", "--quiet", *_tls_verify(place.registry), place.reference],
        push=lambda place: ["push", "--quiet", *_tls_verify(place.registry), image, f"docker://{place.reference}"],
    )


def _skopeo(home: Path) -> Client:
    layout = write_single_layout(home / "layout")
    return Client(
        "skopeo",
        installed("skopeo", home, "--insecure-policy"),
        login=lambda registry: ["login", *_tls_verify(registry)],
        pull=lambda place: [
            *("copy", "--quiet", *_tls_verify(place.registry, "src-")),
            *(f"docker://{place.reference}", f"dir:{place.folder / 'back'}"),
        ],
        push=lambda place: [
            *("copy", "--quiet", *_tls_verify(place.registry, "dest-")),
            *(f"oci:{layout.path}:{TAG}", f"docker://{place.reference}"),
        ],
    )


def _crane(home: Path) -> Client:
    layout = write_single_layout(home / "layout")
    return Client(
        "crane",
        built(CRANE, home),
        login=lambda _: ["auth", "login"],
        asks=False,
        pull=lambda place: ["pull", place.reference, str(place.folder / "back.tar")],
        push=lambda place: ["push", str(layout.path), place.reference],
        variables=lambda registry: {"SSL_CERT_FILE": str(registry.authority)} if registry.tls else {},
    )


def _oras(home: Path) -> Client:
    layout = write_single_layout(home / "layout")
    return Client(
        "oras",
        built(ORAS, home),
        login=lambda registry: ["login", *_ca_file(registry)],
        pull=lambda place: [
            *("cp", *_ca_file(place.registry, "from-"), place.reference),
            *("--to-oci-layout", f"{place.folder / 'back'}:{TAG}"),
        ],
        push=lambda place: [
            *("cp", "--from-oci-layout", f"{layout.path}:{TAG}", *_ca_file(place.registry, "to-"), place.reference),
        ],
    )


def _regctl(home: Path) -> Client:
    layout = write_single_layout(home / "layout")
    return Client(
        "regctl",
        built(REGCTL, home),
        login=lambda _: ["registry", "login"],
        secret_option="--pass-stdin",
        pull=lambda place: ["image", "copy", place.reference, f"ocidir://{place.folder / 'back'}:{TAG}"],
        push=lambda place: ["image", "copy", f"ocidir://{layout.path}:{TAG}", place.reference],
    )


def _helm(home: Path) -> Client:
    chart = home / "demo-1.0.0.tgz"
    chart.write_bytes(chart_archive())
    return Client(
        "helm",
        built(HELM, home),
        login=lambda registry: ["registry", "login", *_ca_file(registry)],
        repository="demo",
        pull=lambda place: [
            *("pull", *_ca_file(place.registry), f"oci://{place.name}"),
            *("--version", CHART_VERSION, "--destination", str(place.folder)),
        ],
        push=lambda place: ["push", *_ca_file(place.registry), str(chart), f"oci://{place.name}"],
    )


def _ctr(home: Path) -> Client:
    ctr = installed("ctr", home, "--address", str(home / "socket"))
    layout = write_single_layout(home / "layout")
    with tarfile.open(home / "layout.tar", "w") as tar:
        tar.add(layout.path, arcname=".")
    ctr("images", "import", "--no-unpack", "--base-name", "local/image", home / "layout.tar")
    return Client(
        "ctr",
        ctr,
        pull=lambda place: ["images", "pull", "--snapshotter", "native", *_ctr_options(place), place.reference],
        push=lambda place: ["images", "push", *_ctr_options(place), place.reference, f"local/image:{TAG}"],
    )


_RECIPES: Mapping[str, Callable[[Path], Client]] = {
    "podman": _podman,
    "skopeo": _skopeo,
    "buildah": _buildah,
    "crane": _crane,
    "oras": _oras,
    "regctl": _regctl,
    "helm": _helm,
}


def podman_at(home: Path) -> Command:
    """Return podman with all its folders in `home`."""
    return installed(
        "podman",
        home,
        *("--root", str(home / "root"), "--runroot", str(home / "runroot"), "--tmpdir", str(home / "libpod")),
        *("--storage-driver", "vfs", "--events-backend", "none", "--cgroup-manager", "cgroupfs"),
    )


def buildah_at(home: Path) -> Command:
    """Return buildah with all its folders in `home`."""
    places = ("--root", str(home / "root"), "--runroot", str(home / "runroot"))
    return installed("buildah", home, *places, "--storage-driver", "vfs")


def _imported(engine: Command, home: Path) -> str:
    """Make an image in an engine's storage and return its ID."""
    archive = home / "root.tar"
    archive.write_bytes(layer_archive())
    return engine("import", archive).splitlines()[-1]


def _tls_verify(registry: Registry, prefix: str = "") -> Words:
    return [f"--{prefix}cert-dir={registry.certificates}" if registry.tls else f"--{prefix}tls-verify=false"]


def _ca_file(registry: Registry, prefix: str = "") -> Words:
    return [f"--{prefix}ca-file={registry.authority}" if registry.tls else f"--{prefix}plain-http"]


def _ctr_options(place: Place) -> Words:
    account = place.account
    user = ["--user", f"{account.username}:{account.secret}"] if account else []
    return [*(["--hosts-dir", str(_ctr_hosts(place))] if place.registry.tls else ["--plain-http"]), *user]


def _ctr_hosts(place: Place) -> Path:
    """Tell containerd, which takes addresses of this machine for plain HTTP, about TLS and the authority."""
    folder = place.folder / "hosts" / place.registry.host
    folder.mkdir(parents=True, exist_ok=True)
    url = f"https://{place.registry.host}"
    (folder / "hosts.toml").write_text(f'server = "{url}"\n[host."{url}"]\nca = "{place.registry.authority}"\n')
    return folder.parent
