"""What counts as a move or a deletion of a protected tag."""

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import Tag
from simple_registry.storage.protection import refuse_deletions, refuse_moves
from simple_registry.storage.records import TagProtected

ONE, OTHER = digest_of(b"one"), digest_of(b"other")
V1, MAIN = Tag("v1"), Tag("main")


class Guard:
    def from_moving(self, tag):
        return "releases" if tag == V1 else None

    from_deletion = from_moving


def test_a_tag_that_points_elsewhere_must_not_move():
    assert refuse_moves(Guard(), [(MAIN, OTHER), (V1, OTHER)], ONE) == TagProtected(V1, "releases")


def test_a_new_tag_and_one_that_stays_are_no_moves():
    assert refuse_moves(Guard(), [(V1, None)], ONE) is None
    assert refuse_moves(Guard(), [(V1, ONE)], ONE) is None
    assert refuse_moves(None, [(V1, OTHER)], ONE) is None


def test_one_protected_tag_is_enough_to_refuse_a_deletion():
    assert refuse_deletions(Guard(), [MAIN, V1]) == TagProtected(V1, "releases")
    assert refuse_deletions(Guard(), [MAIN]) is None
    assert refuse_deletions(None, [V1]) is None
