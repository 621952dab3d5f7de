"""Configurations of other registries, translated and loaded as documents."""

import json

from simple_registry.access.permission import Permission, Resource
from simple_registry.config.configuration import configuration_of, settings_of
from simple_registry.config.foreign.reading import translate
from simple_registry.config.load import load_access, read_documents

BCRYPT = "$2y$05$" + "a" * 21 + "e" + "b" * 31


class Imported:
    """A configuration that was translated: its documents, what they give, and what was said about it."""

    def __init__(self, folder, content, *, users=(), variables=None, name=None):
        self.file = folder / (name or ("config.yml" if isinstance(content, str) else "config.json"))
        self.file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        (folder / "htpasswd").write_text("".join(f"{user}:{BCRYPT}\n" for user in users))
        if variables is not None:
            (folder / "env").write_text(variables)
        self.translation = translate(
            self.file if content else None,
            variables=None if variables is None else folder / "env",
            passwords=folder / "htpasswd" if users else None,
        )
        self.documents = folder / "documents"
        self.documents.mkdir()
        texts = (made.yaml for made in self.translation.documents)
        (self.documents / "imported.yaml").write_text("---\n".join(texts))
        self.rules = load_access([self.documents])

    @property
    def remarks(self):
        """Remarks by the names of the values that they are about."""
        return {leaf.name: text for leaf, text in self.translation.leaves.remarks.items()}

    @property
    def became(self):
        return {leaf.name: text for leaf, text in self.translation.leaves.became.items()}

    @property
    def settings(self):
        return settings_of(configuration_of(read_documents([self.documents])), {}, {})

    def identity(self, user):
        """The identity of a user; of a client without credentials for `None`, if they are let in."""
        return self.rules.identity("anonymous" if user is None else user)

    def may(self, user, verb, repository, resource=Resource.MANIFESTS):
        """Whether a user has a permission in a repository, for each of its tags too."""
        identity = self.identity(user)
        scopes = (repository, f"{repository}:v1") if resource is Resource.MANIFESTS else (repository,)
        decisions = [
            identity is not None
            and type(self.rules.policy.decide(identity, Permission(verb, resource, scope))).__name__ == "Allowed"
            for scope in scopes
        ]
        assert len(set(decisions)) == 1
        return decisions[0]

    def may_move(self, user, repository):
        """Whether a user may let a tag point at another manifest."""
        identity = self.identity(user)
        kept = self.rules.protected_tags(repository, identity).from_moving("v1")
        return self.may(user, "PUT", repository) and kept is None
