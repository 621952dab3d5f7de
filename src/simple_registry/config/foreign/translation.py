"""Documents made of another registry's configuration, with comments that say where each comes from.

Documents are written in the order in which they are made: settings, users, roles, bindings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from simple_registry.access.caller import ANONYMOUS_NAME
from simple_registry.config.foreign.leaves import Leaf, Leaves
from simple_registry.config.foreign.passwords import Password, PasswordFile
from simple_registry.config.settings import ROWS

EVERYTHING = "^.*$"
OF_REGISTRY = "^$"
"""The scope of the catalog and of metrics."""

_ROWS = {row.path: row for row in ROWS if row.path}
_WIDTH = 118


@dataclass(frozen=True, slots=True)
class Subject:
    """A user or a group."""

    kind: str
    name: str


ANONYMOUS = Subject("User", ANONYMOUS_NAME)


@dataclass(frozen=True, slots=True)
class Made:
    """A document and its comments."""

    kind: str
    name: str
    spec: Mapping[str, Any]
    comments: tuple[str, ...] = ()

    @property
    def yaml(self) -> str:
        """The document as text, without its comments."""
        content = {"kind": self.kind, "metadata": {"name": self.name}, "spec": dict(self.spec)}
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=_WIDTH)


@dataclass(frozen=True, slots=True)
class Translation:
    """What a configuration became: documents, the values that they were made of, and remarks on all others."""

    registry: str
    documents: Sequence[Made]
    leaves: Leaves
    remarks: Sequence[str] = ()
    """About other files."""


@dataclass
class SettingsMade:
    """A `Configuration` in the making."""

    leaves: Leaves
    spec: dict[str, Any] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)

    def put(self, setting: str, text: str, *sources: Leaf | None, convert: Callable[[str], str] = str) -> None:
        """Set a setting to a text, made of these values; they get a remark if it is not accepted."""
        given = [leaf for leaf in sources if leaf is not None]
        try:
            value = convert(text)
            parsed = _ROWS[setting].text.parse(value)
        except ValueError as error:
            self.leaves.remarks |= dict.fromkeys(given, f"cannot be {setting} here: {error}")
            return
        *sections, last = setting.split(".")
        inner = self.spec
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = _scalar(value)
        self.leaves.became |= dict.fromkeys(given, setting)
        origins = ", ".join(f"{leaf.name} ({leaf.place})" for leaf in given)
        relative = isinstance(parsed, Path) and not parsed.is_absolute()
        self.comments.append(
            f"{setting}: {origins or 'the default there'}{'; relative to this file' if relative else ''}"
        )

    def document(self) -> Iterable[Made]:
        """Yield the document, if there is a setting."""
        if self.spec:
            yield Made("Configuration", "imported", self.spec, tuple(self.comments))


def _scalar(value: str) -> str | bool:
    return value == "true" if value in {"true", "false"} else value


def user(name: str, groups: Sequence[str], password: Password | None, remark: str = "") -> Made:
    """Return a user. One without a password cannot log in with one."""
    spec: dict[str, Any] = {}
    if password and password.hash:
        spec["passwordHash"] = password.hash
    if groups:
        spec["groups"] = list(groups)
    comment = password.remark if password else remark
    return Made("User", name, spec, (comment,) if comment else ())


def anonymous() -> Made:
    """Return the user of clients without credentials."""
    return Made("User", ANONYMOUS.name, {}, ("for clients without credentials; those that send wrong ones get 401",))


def role(name: str, resources: Sequence[str], verbs: Sequence[str]) -> Made:
    """Return a role."""
    return Made("Role", name, {"resources": list(resources), "verbs": list(verbs)})


def subjects_of(subjects: Iterable[Subject]) -> list[dict[str, str]]:
    """Return users and groups as documents name them."""
    return [{"kind": subject.kind, "name": subject.name} for subject in subjects]


def binding(name: str, role_name: str, scope: str, subjects: Iterable[Subject], comments: Sequence[str] = ()) -> Made:
    """Return the binding of a role to users and groups, in one scope."""
    spec = {"subjects": subjects_of(subjects), "roleRef": {"name": role_name}, "scopes": [scope]}
    return Made("RoleBinding", name, spec, tuple(filter(None, comments)))


def passwords_of(file: PasswordFile | None) -> Mapping[str, Password]:
    """Return the users of a password file, if there is one."""
    return file.users if file else {}
