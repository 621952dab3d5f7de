"""What a TagProtection keeps from whom."""

from simple_registry.access.caller import Identity
from simple_registry.access.rules import AccessRules
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import ProtectedTags, TagProtection
from simple_registry.oci.names import RepositoryName, Tag

REPOSITORY = RepositoryName("team/app")
BOB = Identity("bob", frozenset({"devs"}))
RELEASES = (ScopePattern("^team/.+:v"),)


def protected(*protections, identity=BOB, repository=REPOSITORY):
    return ProtectedTags(protections, repository, identity)


def test_a_tag_in_scope_is_neither_moved_nor_deleted():
    tags = protected(TagProtection("releases", RELEASES))
    assert (tags.from_moving(Tag("v1")), tags.from_deletion(Tag("v1"))) == ("releases", "releases")


def test_other_tags_and_repositories_are_free():
    rule = TagProtection("releases", RELEASES)
    assert protected(rule).from_moving(Tag("main")) is None
    assert protected(rule, repository=RepositoryName("other")).from_deletion(Tag("v1")) is None


def test_each_half_can_be_switched_off():
    tags = protected(TagProtection("a", RELEASES, deletable=True), TagProtection("b", RELEASES, immutable=False))
    assert (tags.from_moving(Tag("v1")), tags.from_deletion(Tag("v1"))) == ("a", "b")
    assert protected(TagProtection("a", RELEASES, deletable=True)).from_deletion(Tag("v1")) is None
    assert protected(TagProtection("b", RELEASES, immutable=False)).from_moving(Tag("v1")) is None


def test_a_rule_does_not_hold_for_its_exceptions():
    by_user = TagProtection("releases", RELEASES, users=frozenset({"bob"}))
    by_group = TagProtection("releases", RELEASES, groups=frozenset({"devs"}))
    assert protected(by_user).from_moving(Tag("v1")) is protected(by_group).from_deletion(Tag("v1")) is None
    for rule in (by_user, by_group):
        assert protected(rule, identity=Identity("eve")).from_moving(Tag("v1")) == "releases"
        assert protected(rule, identity=None).from_deletion(Tag("v1")) == "releases"


def test_an_exception_of_one_rule_is_none_of_another():
    rules = (TagProtection("a", RELEASES, users=frozenset({"bob"})), TagProtection("b", RELEASES))
    assert protected(*rules).from_moving(Tag("v1")) == "b"


def test_access_rules_protect_by_their_documents():
    rules = AccessRules(protections=(TagProtection("releases", RELEASES),))
    assert rules.protected_tags(REPOSITORY, BOB).from_moving(Tag("v1")) == "releases"
    assert AccessRules().protected_tags(REPOSITORY, BOB).from_moving(Tag("v1")) is None
