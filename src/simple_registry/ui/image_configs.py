"""What the config of an image says (image-spec, "OCI Image Configuration"), and which command made which layer.

A config is a blob, and so anything that a client sent. Each field is read by itself; one of another type than the
specification's counts as absent. `oci` never reads configs: nothing depends on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from simple_registry.ui.manifest_documents import NO_PLATFORM, Entry, Platform

MAX_SIZE = 1024 * 1024
"""Bytes of the largest config that is read."""

MAX_ITEMS = 500
"""Entries of one list or object that are shown."""

MAX_HISTORY = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """An entry of the history: a command, and whether it made no layer."""

    command: str = ""
    comment: str = ""
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a config says; `is_readable` is false if it is not a JSON object."""

    is_readable: bool = False
    platform: Platform = NO_PLATFORM
    created: str = ""
    author: str = ""
    user: str = ""
    directory: str = ""
    entrypoint: Sequence[str] = ()
    arguments: Sequence[str] = ()
    stop_signal: str = ""
    ports: Sequence[str] = ()
    volumes: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    history: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class BuildLine:
    """A line of an image's making: a layer, a step of the history, or both."""

    layer: Entry | None
    step: Step | None


UNREADABLE = ImageConfig()


def read_image_config(data: bytes) -> ImageConfig:
    """Return what a config says, as far as it can be read."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return UNREADABLE
    if not isinstance(document, dict):
        return UNREADABLE
    config = _object(document.get("config"))
    return ImageConfig(
        is_readable=True,
        platform=Platform(
            _text(document.get("os")),
            _text(document.get("architecture")),
            _text(document.get("variant")),
            _text(document.get("os.version")),
        ),
        created=_text(document.get("created")),
        author=_text(document.get("author")),
        user=_text(config.get("User")),
        directory=_text(config.get("WorkingDir")),
        entrypoint=_texts(config.get("Entrypoint")),
        arguments=_texts(config.get("Cmd")),
        stop_signal=_text(config.get("StopSignal")),
        ports=_keys(config.get("ExposedPorts")),
        volumes=_keys(config.get("Volumes")),
        environment=_environment(config.get("Env")),
        labels=_labels(config.get("Labels")),
        history=_history(document.get("history")),
    )


def match_history(layers: Sequence[Entry], history: Sequence[Step]) -> Sequence[BuildLine]:
    """Return the layers with the commands that made them, in order, with the steps without a layer between them.

    If there are not as many steps that made a layer as layers, their order says nothing: the layers come first then,
    and the steps follow by themselves.
    """
    if sum(not step.is_empty for step in history) != len(layers):
        return [*(BuildLine(layer, None) for layer in layers), *(BuildLine(None, step) for step in history)]
    remaining = iter(layers)
    return [BuildLine(None if step.is_empty else next(remaining), step) for step in history]


def _history(value: object) -> Sequence[Step]:
    return [_step(_object(each)) for each in _list(value)[:MAX_HISTORY]]


def _step(document: Mapping[str, object]) -> Step:
    return Step(
        _text(document.get("created_by")),
        _text(document.get("comment")),
        document.get("empty_layer") is True,
    )


def _environment(value: object) -> Mapping[str, str]:
    pairs = (each.partition("=") for each in _texts(value))
    return {name: text for name, _, text in pairs}


def _labels(value: object) -> Mapping[str, str]:
    return {name: _text(text) for name, text in list(_object(value).items())[:MAX_ITEMS]}


def _keys(value: object) -> Sequence[str]:
    return list(_object(value))[:MAX_ITEMS]


def _texts(value: object) -> Sequence[str]:
    return [each for each in _list(value)[:MAX_ITEMS] if isinstance(each, str)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
