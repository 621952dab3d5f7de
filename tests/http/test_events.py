"""The event names of the audit log."""

from simple_registry.http.events import Event, EventName
from simple_registry.oci.names import RepositoryName


def test_event_names_have_subject_and_result():
    assert all(name.value.count(".") == 1 for name in EventName)


def test_an_event_knows_nothing_that_it_was_not_told():
    event = Event(EventName.BLOB_DELETE, RepositoryName("a"))
    assert [getattr(event, name) for name in event.__struct_fields__[2:]] == [None] * 9
