"""What differs between two manifests: their layers or platforms, and their configs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simple_registry.ui.image_configs import ImageConfig
from simple_registry.ui.manifest_documents import Entry, ManifestDocument


@dataclass(frozen=True, slots=True)
class Parts:
    """Layers or children, by where they are: only in the first manifest, only in the second, or in both."""

    removed: Sequence[Entry]
    added: Sequence[Entry]
    shared: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class PlatformChange:
    """A platform of two indexes, with its manifests; `None` where an index does not have it."""

    platform: str
    before: Entry | None
    after: Entry | None

    @property
    def is_same(self) -> bool:
        """Whether both indexes have the same manifest for the platform."""
        return self.before is not None and self.after is not None and self.before.digest == self.after.digest


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs; `None` where a side does not have it. `name` is empty in a field with one value."""

    field: str
    name: str
    before: str | None
    after: str | None


def compare_layers(before: ManifestDocument, after: ManifestDocument) -> Parts:
    """Return which layers are shared; each is in the order of its manifest."""
    first, second = {each.digest for each in before.layers}, {each.digest for each in after.layers}
    return Parts(
        removed=[each for each in before.layers if each.digest not in second],
        added=[each for each in after.layers if each.digest not in first],
        shared=[each for each in after.layers if each.digest in first],
    )


def compare_platforms(before: ManifestDocument, after: ManifestDocument) -> Sequence[PlatformChange]:
    """Return the platforms of two indexes: of the first in its order, then the further ones of the second.

    Of several manifests for one platform the first counts, as for clients. Manifests without a platform are omitted.
    """
    first, second = _by_platform(before), _by_platform(after)
    return [PlatformChange(each, first.get(each), second.get(each)) for each in {**first, **second}]


def compare_configs(before: ImageConfig, after: ImageConfig) -> Sequence[Change]:
    """Return the settings that differ, in the order of the fields."""
    first, second = _settings(before), _settings(after)
    return [
        Change(*key, first.get(key), second.get(key))
        for key in {**first, **second}
        if first.get(key) != second.get(key)
    ]


def _by_platform(document: ManifestDocument) -> Mapping[str, Entry]:
    found: dict[str, Entry] = {}
    for each in document.children:
        if each.platform is not None and not each.is_attestation:
            found.setdefault(str(each.platform), each)
    return found


def _settings(config: ImageConfig) -> Mapping[tuple[str, str], str]:
    """Return the settings that a config has, by field and name."""
    single = {
        "platform": str(config.platform),
        "created": config.created,
        "author": config.author,
        "user": config.user,
        "directory": config.directory,
        "entrypoint": " ".join(config.entrypoint),
        "arguments": " ".join(config.arguments),
        "stop_signal": config.stop_signal,
        "ports": " ".join(config.ports),
        "volumes": " ".join(config.volumes),
    }
    return {
        **{(field, ""): text for field, text in single.items() if text},
        **{("environment", name): text for name, text in config.environment.items()},
        **{("labels", name): text for name, text in config.labels.items()},
    }
