"""What quotas leave to a push, and the warnings about them."""

import logging

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.quotas import (
    WARNING_INTERVAL,
    Allowance,
    Measure,
    OfRepository,
    QuotaExceeded,
    Quotas,
    Room,
    require_within,
)
from simple_registry.storage.quotas import OverQuota
from support.streams import stream_of

GIB = 2**30
A = RepositoryName("a")


@pytest.fixture
def quotas(front):
    front.push_blob("a", bytes(90))
    return Quotas(front.kept.stores.rows.usage, front.clock)


def allow(quota="team", warn_at=0.9, **limits):
    measures = {Measure(measure): limit for measure, limit in limits.items()}
    return Allowance(quota, OfRepository(A), measures, warn_at)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        (
            OverQuota("team", Measure.BYTES, 20 * GIB, 19 * GIB, 3 * GIB // 2),
            'quota "team": 19.0 GiB of 20.0 GiB used, this push needs at least 1.5 GiB more',
        ),
        (
            OverQuota("team", Measure.TAGS, 100, 99, 2),
            'quota "team": 99 of 100 tags used, this push needs 2 more',
        ),
    ],
)
def test_a_refusal_names_the_quota_and_the_numbers(over, message):
    with pytest.raises(QuotaExceeded) as refused:
        require_within(over)
    assert (refused.value.message, refused.value.note) == (message, message)
    assert (refused.value.code, refused.value.status) == ("DENIED", 403)
    facts = {"quota": "team", "measure": over.measure, "limit": over.limit, "used": over.used, "needs": over.needs}
    assert refused.value.facts == facts


def test_the_tightest_limit_decides(front, quotas):
    allowances = [allow("a", bytes=200), allow("b", bytes=100), allow("c", tags=1)]
    assert front.run(quotas.room(allowances)) == Room("b", 100, 90)
    assert front.run(quotas.room([allow(tags=1)])) is None
    assert front.run(quotas.room([])) is None


def test_a_stream_ends_where_the_room_ends(front):
    room = Room("team", 100, 90)

    async def take(stream):
        return [piece async for piece in room.bounded(stream, 4)]

    assert front.run(take(stream_of(b"123", b"456"))) == [b"123", b"456"]
    with pytest.raises(QuotaExceeded) as refused:
        front.run(take(stream_of(b"123", b"4567")))
    assert refused.value.facts["needs"] == 11


def test_a_warning_comes_once_an_hour(front, quotas, caplog):
    caplog.set_level(logging.WARNING)
    for pause in (0, WARNING_INTERVAL - 1, 1):
        front.clock.advance(pause)
        front.run(quotas.warn([allow(bytes=100, tags=5), allow("roomy", bytes=101, warn_at=0.95)]))
    assert [record.getMessage() for record in caplog.records] == 2 * [
        "quota team is nearly used up: 90 B of 100 B by repository a"
    ]


def test_content_of_another_push_takes_no_room(front, quotas):
    assert front.run(front.services.registry.uploads._room(A, digest_of(bytes(90)), [allow(bytes=1)])) is None
