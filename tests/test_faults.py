"""The faults that storage raises."""

from simple_registry.faults import DataDirectoryRefused, StorageFault, StorageFull


def test_a_fault_names_its_action_and_reason():
    fault = StorageFault("read rows", OSError("no such device"))
    assert str(fault) == "cannot read rows: no such device"
    assert fault.action == "read rows"


def test_a_full_disk_is_a_fault_of_its_own():
    assert issubclass(StorageFull, StorageFault)


def test_a_refused_directory_is_named():
    refused = DataDirectoryRefused("/data", "it is not ours")
    assert isinstance(refused, StorageFault)
    assert str(refused) == "cannot use /data: it is not ours"
