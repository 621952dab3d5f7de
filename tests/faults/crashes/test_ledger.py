"""What a ledger allows follows from what was acknowledged, what was not, and what overlapped."""

import pytest

from faults.crashes.contents import Content, image
from faults.crashes.ledger import PRESENT, Effect, Key, Kind, Ledger, Upload, Write, allowed

TAG = Key(Kind.TAG, "a/b", "latest")
MANIFEST = Key(Kind.MANIFEST, "a/b", "one")


@pytest.fixture
def ledger():
    return Ledger()


def point(ledger, state):
    return ledger.begin(Effect(TAG, state))


def test_nothing_was_there_before_anything_was_done(ledger):
    assert ledger.allowed(TAG) == {None}


def test_only_the_last_acknowledged_state_is_allowed(ledger):
    point(ledger, "one").acknowledge()
    point(ledger, "two").acknowledge()
    assert ledger.allowed(TAG) == {"two"}


def test_an_unacknowledged_change_may_have_happened_or_not(ledger):
    point(ledger, "one").acknowledge()
    point(ledger, "two").fail()
    assert ledger.allowed(TAG) == {"one", "two"}
    point(ledger, None).fail()
    assert ledger.allowed(TAG) == {"one", "two", None}


def test_an_acknowledgement_rules_out_what_ended_before_it_began(ledger):
    point(ledger, "one").fail()
    point(ledger, "two").acknowledge()
    assert ledger.allowed(TAG) == {"two"}


def test_of_operations_that_overlap_each_may_be_the_last(ledger):
    first, second = point(ledger, "one"), point(ledger, "two")
    second.acknowledge()
    first.acknowledge()
    assert ledger.allowed(TAG) == {"one", "two"}


def test_an_unfinished_change_may_happen_until_a_restart(ledger):
    point(ledger, "late")
    point(ledger, "two").acknowledge()
    assert ledger.allowed(TAG) == {"late", "two"}
    ledger.observe(TAG, "two")
    assert ledger.allowed(TAG) == {"late", "two"}
    ledger.restarted()
    point(ledger, "three").acknowledge()
    assert ledger.allowed(TAG) == {"three"}


def test_an_answer_after_a_power_cut_acknowledges_nothing(ledger):
    cut = point(ledger, "one")
    ledger.power = False
    cut.acknowledge()
    assert ledger.allowed(TAG) == {"one", None}
    ledger.restarted()
    point(ledger, "two").acknowledge()
    assert ledger.allowed(TAG) == {"two"}
    assert ledger.acknowledged == 1


def test_a_refused_change_did_not_happen(ledger):
    point(ledger, "one").acknowledge()
    point(ledger, "two").refuse()
    assert ledger.allowed(TAG) == {"one"}


def test_a_value_observed_at_rest_stays(ledger):
    point(ledger, "one").acknowledge()
    point(ledger, "two").fail()
    ledger.observe(TAG, "one")
    assert ledger.allowed(TAG) == {"one"}


def delete_manifest(ledger, digest):
    return ledger.begin(Effect(MANIFEST, None), Effect(TAG, None, only_from=digest))


def test_deleting_a_manifest_takes_the_tags_that_point_at_it(ledger):
    point(ledger, "one").acknowledge()
    delete_manifest(ledger, "one").acknowledge()
    assert ledger.allowed(TAG) == {None}


def test_deleting_a_manifest_leaves_the_tags_that_point_elsewhere(ledger):
    point(ledger, "one").acknowledge()
    point(ledger, "two").acknowledge()
    delete_manifest(ledger, "one").acknowledge()
    assert ledger.allowed(TAG) == {"two"}


def test_deleting_a_manifest_takes_tags_that_may_point_at_it_if_they_do(ledger):
    point(ledger, "one").acknowledge()
    point(ledger, "two").fail()
    delete_manifest(ledger, "two").acknowledge()
    assert ledger.allowed(TAG) == {"one", None}


def test_a_cut_deletion_of_a_manifest_may_have_taken_its_tags(ledger):
    point(ledger, "one").acknowledge()
    delete_manifest(ledger, "one").fail()
    assert ledger.allowed(TAG) == {"one", None}


def test_an_operation_on_several_keys_is_one(ledger):
    ledger.begin(Effect(MANIFEST, PRESENT), Effect(TAG, "one")).acknowledge()
    assert (ledger.allowed(MANIFEST), ledger.allowed(TAG)) == ({PRESENT}, {"one"})
    assert (ledger.begun, ledger.acknowledged) == (1, 1)
    assert ledger.in_question() == [MANIFEST, TAG]
    ledger.answered([TAG])
    assert ledger.in_question() == [MANIFEST]
    assert ledger.keys_of(Kind.TAG, "a/b") == [TAG]


def test_a_long_history_is_forgotten_but_for_what_it_still_means(ledger):
    for number in range(1000):
        point(ledger, f"{number}").acknowledge()
    point(ledger, "last").fail()
    assert ledger.allowed(TAG) == {"999", "last"}
    assert len(ledger._writes[TAG]) == 2


def test_a_conditional_write_cannot_happen_after_its_state_was_over():
    history = [
        Write("one", 1, 2, acknowledged=True),
        Write("two", 3, 4, acknowledged=True),
        Write(None, 5, 6, acknowledged=True, only_from="one"),
    ]
    assert allowed(history) == {"two"}


def test_the_power_may_take_a_session_without_bytes_and_nothing_else(ledger):
    begun, filled = (Key(Kind.SESSION, "a/b", name) for name in ("begun", "filled"))
    for key, received in ((begun, 0), (filled, 0), (filled, 5)):
        ledger.begin(Effect(key, received)).acknowledge()
    point(ledger, "one").acknowledge()
    ledger.restarted()
    assert ledger.allowed(begun) == {0}  # they were killed, and had power
    ledger.power = False
    ledger.restarted()
    assert (ledger.allowed(begun), ledger.allowed(filled), ledger.allowed(TAG)) == ({0, None}, {5}, {"one"})


@pytest.mark.parametrize(
    ("states", "state", "may"),
    [
        ({5}, 5, True),
        ({5}, 6, False),
        ({5, 9}, 7, True),
        ({5, None}, 4, False),
        ({5, None}, 8, True),
        ({5}, None, False),
    ],
)
def test_a_request_that_was_cut_may_leave_part_of_its_bytes(states, state, may):
    assert Upload(Content(1, 1), "/location").may_stand_at(state, frozenset(states)) is may


BLOB = Content(1, 1)
DOCUMENT = image(BLOB, [], "an image")
BLOB_KEY = Key(Kind.BLOB, "a/b", BLOB.digest)
DOCUMENT_KEY = Key(Kind.MANIFEST, "a/b", DOCUMENT.digest)


@pytest.fixture
def time():
    return [0.0]


@pytest.fixture
def expiring(time):
    """A ledger of a registry that ends a blob ten seconds after nothing needs it."""
    ledger = Ledger(grace=10, clock=lambda: time[0])
    ledger.know(DOCUMENT)
    ledger.begin(Effect(BLOB_KEY, PRESENT)).acknowledge()
    return ledger


def test_a_blob_that_nothing_needs_may_be_gone_some_time_after_it_was_last_named(expiring, time):
    time[0] = 4
    assert expiring.allowed(BLOB_KEY) == {PRESENT}
    time[0] = 5
    assert expiring.allowed(BLOB_KEY) == {PRESENT, None}
    expiring.asked(BLOB_KEY, 4)
    time[0] = 8
    assert expiring.allowed(BLOB_KEY) == {PRESENT}


@pytest.mark.parametrize(("power", "states"), [(True, {PRESENT}), (False, {PRESENT, None})])
def test_a_power_cut_may_undo_that_a_grace_began_again(expiring, time, power, states):
    time[0] = 5
    expiring.asked(BLOB_KEY, 5)
    expiring.power = power
    expiring.restarted()
    assert expiring.allowed(BLOB_KEY) == states


def test_a_push_that_was_not_acknowledged_does_not_prolong(expiring, time):
    time[0] = 5
    expiring.begin(Effect(BLOB_KEY, PRESENT)).fail()
    assert expiring.allowed(BLOB_KEY) == {PRESENT, None}
    expiring.begin(Effect(BLOB_KEY, PRESENT)).acknowledge()
    assert expiring.allowed(BLOB_KEY) == {PRESENT}


def test_a_blob_of_a_manifest_is_not_gone_until_long_after_its_deletion(expiring, time):
    expiring.begin(Effect(DOCUMENT_KEY, PRESENT)).acknowledge()
    time[0] = 100
    assert expiring.allowed(BLOB_KEY) == {PRESENT}
    expiring.begin(Effect(DOCUMENT_KEY, None)).fail()
    time[0] = 104
    assert expiring.allowed(BLOB_KEY) == {PRESENT}
    time[0] = 105
    assert expiring.allowed(BLOB_KEY) == {PRESENT, None}


def test_a_manifest_of_another_repository_keeps_no_blob(expiring, time):
    expiring.begin(Effect(Key(Kind.MANIFEST, "c/d", DOCUMENT.digest), PRESENT)).acknowledge()
    time[0] = 5
    assert expiring.allowed(BLOB_KEY) == {PRESENT, None}


def test_a_manifest_stays_until_it_is_deleted(expiring, time):
    expiring.begin(Effect(DOCUMENT_KEY, PRESENT)).acknowledge()
    time[0] = 1000
    assert expiring.allowed(DOCUMENT_KEY) == {PRESENT}
