"""The configuration of another registry, read and translated; which registry's it is shows in its keys."""

from pathlib import Path

from simple_registry.config.foreign import distribution, zot
from simple_registry.config.foreign.leaves import Keys, Leaf, Leaves, combined, read_leaves, read_variables
from simple_registry.config.foreign.passwords import PasswordFile, read_passwords
from simple_registry.config.foreign.translation import Translation
from simple_registry.config.foreign.zot_access import CONTROL
from simple_registry.config.values import ConfigError

_OF_ZOT = {("distspecversion",), ("storage", "rootdirectory"), ("http", "port"), CONTROL}


def translate(file: Path | None, *, variables: Path | None = None, passwords: Path | None = None) -> Translation:
    """Return the documents of a configuration, with the variables and the users of other files.

    Without `file`, the variables alone are those of the image of distribution. Without `passwords`, the file that the
    configuration names is read if it is there.

    Raises: ConfigError.
    """
    found = read_leaves(file) if file else {}
    folded = {tuple(key.lower() for key in path): leaf for path, leaf in found.items()}
    if _is_of_zot(folded):
        if variables:
            raise ConfigError("zot has no variables: give them with the configuration of distribution only")
        leaves = Leaves(folded)
        return zot.translate_zot(leaves, _passwords(passwords, leaves, zot.HTPASSWD))
    if file and ("version",) not in found:
        raise ConfigError(f"{file}: neither a config.yml of docker-registry or distribution nor a config.json of zot")
    leaves = combined(found, read_variables(variables) if variables else {})
    return distribution.translate_distribution(leaves, _passwords(passwords, leaves, distribution.HTPASSWD))


def _is_of_zot(found: dict[Keys, Leaf]) -> bool:
    return any(path[: len(key)] == key for path in found for key in _OF_ZOT)


def _passwords(given: Path | None, leaves: Leaves, path: Keys) -> PasswordFile | None:
    named = leaves.text(*path)
    if given is None and named and Path(named).is_file():
        given = Path(named)
    return read_passwords(given) if given else None
