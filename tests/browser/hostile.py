"""Content that attacks whatever shows it: one text with markup, script and template syntax in each field it can be in.

Each field's text is marked with the field's name, so that a test can look for each of them on the pages.
"""

import json
from dataclasses import dataclass

from browser.pushing import Json, Repository
from e2e.images import CONFIG

FIELDS = (
    *("annotation-name", "annotation-value", "descriptor-annotation", "label-name", "label-value", "env", "entrypoint"),
    *("command", "user", "working-directory", "port", "volume", "author", "created", "history-command"),
    *("history-comment", "os", "architecture", "variant"),
    *("platform-os", "platform-architecture", "platform-variant", "referrer-content"),
)
MEDIA_TYPES = ("media-type", "config-type", "referrer-type")
LONG = "x" * 400
"""A word that no line breaks."""
DIRECTION = "\u202egpj.exe\u2066"
"""Characters that turn the direction of what follows."""


def attack(field: str) -> str:
    """Return the text for a field, without white space, so that it can be a user's name, too."""
    return f"{field}\"'></textarea><img/src=x/onerror=\"pwned('{field}')\"><script>pwned('{field}')</script>{{{{7*7}}}}"


def media_type(field: str) -> str:
    """Return a media type for a field; all but quotes is allowed in a parameter's value (RFC 9110, 5.6.4)."""
    return f"application/{field};a=\"'<img/src=x/onerror=pwned('{field}')><script>pwned('{field}')</script>\""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A repository whose every field is an attack; digests of what is in it."""

    repository: str
    image: str
    index: str
    broken: str
    """An image whose config is no JSON."""


def push(repository: Repository) -> Hostile:
    """Push the attacks."""
    layer = repository.blob(media_type("media-type"), b"layer", annotations={"title": attack("descriptor-annotation")})
    annotations = {
        attack("annotation-name"): attack("annotation-value"),
        "org.opencontainers.image.url": "javascript:pwned('url')",
        "org.opencontainers.image.source": "https://example.com/\"onmouseover=\"pwned('source')",
        "org.opencontainers.image.title": LONG,
        "org.opencontainers.image.description": DIRECTION,
    }
    config = repository.blob(CONFIG, json.dumps(_config()).encode())
    image = repository.image("hostile", "x" * 128, "__proto__", config=config, layers=[layer], annotations=annotations)
    platforms = [
        {"os": "linux", "architecture": "arm"} | {name: attack(f"platform-{name}")}
        for name in ("os", "architecture", "variant")
    ]
    children = [image | {"platform": platform} for platform in platforms]
    index = repository.index("index", manifests=children, annotations=annotations)
    repository.image(
        config=repository.empty(),
        layers=[repository.blob("text/plain", attack("referrer-content").encode())],
        artifactType=media_type("referrer-type"),
        subject=image,
    )
    odd = repository.blob(media_type("config-type"), b"{}")
    repository.image("odd", config=odd, layers=[])
    broken = repository.image("broken", config=repository.blob(CONFIG, b"\xff{not json"), layers=[layer])
    return Hostile(repository.name, image["digest"], index["digest"], broken["digest"])


def _config() -> Json:
    return {
        "os": attack("os"),
        "architecture": attack("architecture"),
        "variant": attack("variant"),
        "author": attack("author"),
        "created": attack("created"),
        "config": {
            "User": attack("user"),
            "Env": [f"HOSTILE={attack('env')}", LONG],
            "Entrypoint": [attack("entrypoint")],
            "Cmd": [attack("command")],
            "WorkingDir": attack("working-directory"),
            "ExposedPorts": {attack("port"): {}},
            "Volumes": {attack("volume"): {}},
            "Labels": {attack("label-name"): attack("label-value"), "direction": DIRECTION},
        },
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [
            {"created_by": attack("history-command"), "comment": attack("history-comment")},
            {"created_by": LONG, "empty_layer": True},
        ],
    }
