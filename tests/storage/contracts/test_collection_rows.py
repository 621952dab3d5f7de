"""The last collection of each origin."""

from dataclasses import replace

from simple_registry.storage.records import CollectionRow, Origin, Space
from storage.support import run

ROW = CollectionRow(Origin.SCHEDULE, 1.5, 2.5, True, 1, 2, 3, 4, Space(5, 6))


def test_the_last_collection_of_each_origin_is_kept_the_newest_first(stores):
    rows = stores.rows.collections
    assert run(rows.last_collections()) == []
    newest = replace(ROW, origin=Origin.REQUEST, ended=9.0, complete=False)
    for row in (replace(ROW, unneeded=7), newest, replace(ROW, origin=Origin.COMMAND), ROW):
        run(rows.keep_collection(row))
    assert run(rows.last_collections()) == [newest, replace(ROW, origin=Origin.COMMAND), ROW]
