"""The commands by which clients pull a manifest from this address, and verify it.

Clients disagree about plain HTTP: some have an option for it, docker only a setting of its daemon, and some take it for
granted on `localhost`, so that TLS needs the option there. `tests/e2e/test_pull_commands.py` runs them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.access.versions import find_version
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference, RepositoryName
from simple_registry.ui.address import Address
from simple_registry.ui.kinds import Kind


class Hint(StrEnum):
    """What a command needs beyond the client: a sentence on the page."""

    NONE = ""
    INSECURE_DAEMON = "insecure-daemon"
    """The daemon of docker must be told that the registry has no TLS."""
    TRUST_POLICY = "trust-policy"
    """notation needs a trust policy."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line of a client, ready to copy."""

    client: str
    line: str
    hint: Hint = Hint.NONE


@dataclass(frozen=True, slots=True)
class _Pulled:
    """What a command is about."""

    address: Address
    repository: RepositoryName
    reference: Reference

    @property
    def name(self) -> str:
        return f"{self.address.host}/{self.repository}"

    @property
    def text(self) -> str:
        """The reference as clients write it."""
        return f"{self.name}{'@' if isinstance(self.reference, Digest) else ':'}{self.reference}"

    @property
    def file(self) -> str:
        """A name for what is pulled, without a path: that of the repository."""
        return self.repository.rsplit("/", 1)[-1]

    def unless_tls(self, option: str) -> str:
        return "" if self.address.secure else f"{option} "


def _docker(pulled: _Pulled) -> Command:
    trusted = pulled.address.trusted
    return Command("docker", f"docker pull {pulled.text}", Hint.NONE if trusted else Hint.INSECURE_DAEMON)


def _podman(pulled: _Pulled) -> Command:
    return Command("podman", f"podman pull {pulled.unless_tls('--tls-verify=false')}{pulled.text}")


def _nerdctl(pulled: _Pulled) -> Command:
    return Command("nerdctl", f"nerdctl {pulled.unless_tls('--insecure-registry')}pull {pulled.text}")


def _ctr(pulled: _Pulled) -> Command:
    return Command("containerd", f"ctr images pull {pulled.unless_tls('--plain-http')}{pulled.text}")


def _skopeo(pulled: _Pulled) -> Command:
    tls = pulled.unless_tls("--src-tls-verify=false")
    return Command("skopeo", f"skopeo copy --all {tls}docker://{pulled.text} dir:{pulled.file}")


def _crane(pulled: _Pulled) -> Command:
    return Command("crane", f"crane pull {pulled.unless_tls('--insecure')}{pulled.text} {pulled.file}.tar")


def _crane_manifest(pulled: _Pulled) -> Command:
    return Command("crane", f"crane manifest {pulled.unless_tls('--insecure')}{pulled.text}")


def _oras(pulled: _Pulled) -> Command:
    # oras takes plain HTTP for granted on `localhost`, and on no other name.
    local = pulled.address.host.partition(":")[0] == "localhost"
    option = "--plain-http=false " if pulled.address.secure and local else pulled.unless_tls("--plain-http")
    return Command("oras", f"oras pull {option}{pulled.text}")


def _helm(pulled: _Pulled) -> Command:
    option = pulled.unless_tls("--plain-http")
    if isinstance(pulled.reference, Digest) or find_version(pulled.reference) is None:
        return Command("helm", f"helm pull {option}oci://{pulled.text}")
    # helm writes the `+` of a version, which no tag has, as `_`.
    version = pulled.reference.replace("_", "+")
    return Command("helm", f"helm pull {option}oci://{pulled.name} --version {version}")


def _wkg(pulled: _Pulled) -> Command:
    option = pulled.unless_tls(f"--insecure {pulled.address.host}")
    return Command("wkg", f"wkg oci pull {option}{pulled.text} -o {pulled.file}.wasm")


def _cosign(pulled: _Pulled) -> Command:
    return Command(
        "cosign", f"cosign verify {pulled.unless_tls('--allow-http-registry')}--key cosign.pub {pulled.text}"
    )


def _notation(pulled: _Pulled) -> Command:
    option = pulled.unless_tls("--plain-http")
    return Command("notation", f"notation verify {option}{pulled.text}", Hint.TRUST_POLICY)


_Command = Callable[[_Pulled], Command]

_IMAGE: Sequence[_Command] = (_docker, _podman, _nerdctl, _ctr, _skopeo, _crane)
_PULLING: Mapping[Kind, Sequence[_Command]] = {
    Kind.IMAGE: _IMAGE,
    Kind.INDEX: _IMAGE,
    Kind.CHART: (_helm, _oras, _skopeo),
    Kind.WASM: (_wkg, _oras, _skopeo),
    Kind.BUILD_CACHE: (_skopeo, _crane_manifest),
}
_OTHER: Sequence[_Command] = (_oras, _skopeo, _crane_manifest)
_VERIFYING: Mapping[Kind, _Command] = {Kind.COSIGN_SIGNATURE: _cosign, Kind.NOTATION_SIGNATURE: _notation}


def pull_commands(kind: Kind, address: Address, repository: RepositoryName, reference: Reference) -> Sequence[Command]:
    """Return the commands of the clients that can pull this kind of manifest, the most usual first."""
    pulled = _Pulled(address, repository, reference)
    return [command(pulled) for command in _PULLING.get(kind, _OTHER)]


def usual_command(kind: Kind, address: Address, repository: RepositoryName, reference: Reference) -> Command:
    """Return the first of `pull_commands`."""
    return _PULLING.get(kind, _OTHER)[0](_Pulled(address, repository, reference))


def verify_commands(
    signatures: Collection[Kind], address: Address, repository: RepositoryName, reference: Reference
) -> Sequence[Command]:
    """Return the commands that verify the signatures that a manifest has; other kinds of referrers have none."""
    pulled = _Pulled(address, repository, reference)
    return [command(pulled) for kind, command in _VERIFYING.items() if kind in signatures]
