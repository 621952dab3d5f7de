"""The keys of issuers: asked for seldom, kept when an issuer is down, gone when it withdraws them."""

import asyncio
import os
from contextlib import suppress

import pytest

from simple_registry.access.issuers import KeysFromFile, KeysFromPem, KeysFromUrl
from simple_registry.authentication import issuer_keys
from simple_registry.authentication.issuer_keys import (
    FRESH,
    INTERVAL,
    MAX_FILE,
    STALE,
    IssuerKeys,
    IssuerKeysFault,
    KeyRefresh,
)
from simple_registry.upstream.client import HttpsFetcher
from simple_registry.upstream.protocols import UpstreamFault
from support.busy_threads import run_beside_busy_threads
from support.documents_server import DocumentsServer
from support.issuing import EC, ED, RSA, WEAK_RSA, jwk, jwks, private_pem, public_pem, trusted
from support.time import SettableClock

URL = KeysFromUrl("https://ci.example.com/jwks")
FIRST = jwks(jwk(RSA, "first"))
SECOND = jwks(jwk(RSA, "first"), jwk(EC, "second"))


class Fetcher:
    """An issuer whose document and health a test decides."""

    def __init__(self, document=FIRST):
        self.document = document
        self.down = False
        self.fetches = 0
        self.gate = None

    async def fetch(self, url):
        assert url == URL.url
        self.fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.down:
            raise UpstreamFault("ci.example.com does not answer")
        return self.document


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def fetcher():
    return Fetcher()


@pytest.fixture
def keys(fetcher, clock):
    return IssuerKeys(fetcher, clock)


def find(keys, kid="first", issuer=None):
    """Return what a token finds, once what was asked for because of it has been answered."""

    async def scenario():
        with suppress(IssuerKeysFault):
            await keys.find(issuer or trusted(URL), kid)
        await settle()
        return await keys.find(issuer or trusted(URL), kid)

    return asyncio.run(scenario())


async def settle():
    """Wait for what is under way in the background."""
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))


def kids(found):
    return [key.kid for key in found]


def test_a_document_is_fetched_once_in_ten_minutes(keys, fetcher, clock):
    first = find(keys)
    assert kids(first) == ["first"]
    clock.advance(FRESH - 1)
    assert find(keys) is first
    assert fetcher.fetches == 1
    clock.advance(1)
    assert find(keys) is first  # the same keys stay the same value
    assert fetcher.fetches == 2


def test_an_unknown_kid_fetches_at_most_once_a_minute(keys, fetcher, clock):
    find(keys)
    for number in range(200):
        assert kids(find(keys, f"random {number}")) == ["first"]
    assert fetcher.fetches == 1
    clock.advance(INTERVAL)
    for number in range(200):
        find(keys, f"random {number}")
    assert fetcher.fetches == 2


def test_a_new_key_is_found_when_it_is_first_used(keys, fetcher, clock):
    find(keys)
    fetcher.document = SECOND
    clock.advance(INTERVAL)
    assert kids(find(keys, "second")) == ["first", "second"]
    assert fetcher.fetches == 2


def test_a_token_without_a_kid_causes_no_fetch(keys, fetcher, clock):
    find(keys, None)
    clock.advance(INTERVAL)
    find(keys, None)
    assert fetcher.fetches == 1


def test_requests_that_wait_for_one_document_share_one_fetch(keys, fetcher):
    async def scenario():
        return await asyncio.gather(*(keys.find(trusted(URL), f"kid {number}") for number in range(50)))

    assert {tuple(kids(found)) for found in asyncio.run(scenario())} == {("first",)}
    assert fetcher.fetches == 1


def test_a_cancelled_request_does_not_cancel_the_fetch_for_others(keys, fetcher):
    async def scenario():
        fetcher.gate = asyncio.Event()
        one, other = (asyncio.create_task(keys.find(trusted(URL), "first")) for _ in range(2))
        await asyncio.sleep(0.01)
        one.cancel()
        await asyncio.sleep(0.01)
        fetcher.gate.set()
        return await other

    assert kids(asyncio.run(scenario())) == ["first"]
    assert fetcher.fetches == 1


def test_closing_gives_up_the_fetch_under_way(keys, fetcher):
    async def scenario():
        fetcher.gate = asyncio.Event()
        waiting = asyncio.create_task(keys.find(trusted(URL), "first"))
        await asyncio.sleep(0.01)
        await keys.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


def test_keys_outlive_an_issuer_that_is_down_by_a_day(keys, fetcher, clock, caplog):
    first = find(keys)
    fetcher.down = True
    clock.advance(STALE - INTERVAL)
    assert find(keys) is first
    assert "those known so far stay in use" in caplog.text
    clock.advance(INTERVAL)
    with pytest.raises(IssuerKeysFault, match="does not answer"):
        find(keys)
    fetcher.down = False
    clock.advance(INTERVAL)
    assert kids(find(keys)) == ["first"]


def test_an_issuer_that_stays_down_is_logged_once(keys, fetcher, clock, caplog):
    fetcher.down = True
    for _ in range(5):
        clock.advance(INTERVAL)
        with pytest.raises(IssuerKeysFault):
            find(keys)
    assert fetcher.fetches == 5
    assert caplog.text.count("does not answer") == 1


def test_an_issuer_that_is_down_is_asked_once_a_minute_too(keys, fetcher, clock):
    fetcher.down = True
    for _ in range(100):
        with pytest.raises(IssuerKeysFault):
            find(keys)
    assert fetcher.fetches == 1
    clock.advance(INTERVAL)
    with pytest.raises(IssuerKeysFault):
        find(keys)
    assert fetcher.fetches == 2


def test_an_invalid_document_leaves_the_keys_in_use(keys, fetcher, clock):
    first = find(keys)
    for document in (b"", b"<html>", b'{"keys": {}}', b"{}", b'{"error": "a gateway"}'):
        fetcher.document = document
        clock.advance(FRESH)
        assert find(keys) is first


def test_a_key_that_the_issuer_dropped_is_gone(keys, fetcher, clock):
    fetcher.document = SECOND
    find(keys)
    fetcher.document = FIRST
    clock.advance(FRESH)
    assert kids(find(keys)) == ["first"]


@pytest.mark.parametrize("document", [jwks(), jwks({"kty": "oct", "k": "c2VjcmV0"}), jwks(jwk(WEAK_RSA, "weak"))])
def test_an_issuer_with_an_empty_key_set_has_no_keys(keys, fetcher, clock, document, caplog):
    find(keys)
    fetcher.document = document
    clock.advance(FRESH)
    with pytest.raises(IssuerKeysFault, match="none that verifies"):
        find(keys)
    assert "its tokens are refused" in caplog.text
    assert keys.stale([trusted(URL)]) == []


def test_an_entry_that_cannot_be_read_keeps_no_withdrawn_key_in_use(keys, fetcher, clock, caplog):
    find(keys)
    fetcher.document = jwks(jwk(WEAK_RSA, "weak"), jwk(EC, "second"), jwk(ED, "mistake", d="c2VjcmV0"))
    clock.advance(FRESH)
    assert kids(find(keys, "second")) == ["second"]
    assert "1024 bits" in caplog.text
    assert "private or symmetric" in caplog.text
    assert "c2VjcmV0" not in caplog.text


def test_an_internal_error_keeps_the_keys_and_is_reported(keys, fetcher, clock, monkeypatch, caplog):
    first = find(keys)
    monkeypatch.setattr(issuer_keys, "parse_jwks", lambda _: 1 / 0)
    clock.advance(FRESH)
    assert find(keys) is first
    assert keys.stale([trusted(URL)]) == [trusted(URL).name]
    assert "ZeroDivisionError" in caplog.text


def test_known_keys_are_used_while_the_issuer_hangs(keys, fetcher, clock):
    first = find(keys)

    async def scenario():
        fetcher.gate = asyncio.Event()
        clock.advance(FRESH)
        found = [await asyncio.wait_for(keys.find(trusted(URL), kid), 5) for kid in ("first", None) for _ in range(50)]
        unknown = asyncio.create_task(keys.find(trusted(URL), "second"))
        await asyncio.sleep(0)
        waits = not unknown.done()
        fetcher.document = SECOND
        fetcher.gate.set()
        return found, waits, await unknown

    found, waits, renewed = asyncio.run(scenario())
    assert all(each is first for each in found)
    assert waits
    assert kids(renewed) == ["first", "second"]
    assert fetcher.fetches == 2


def test_issuers_with_one_url_share_what_is_fetched(keys, fetcher):
    find(keys, issuer=trusted(URL, name="a"))
    find(keys, issuer=trusted(URL, name="b"))
    assert fetcher.fetches == 1


def test_keys_of_issuers_that_are_not_configured_are_dropped(keys, fetcher):
    find(keys)
    keys.forget_others([trusted(URL)])
    find(keys)
    assert fetcher.fetches == 1
    keys.forget_others([])
    find(keys)
    assert fetcher.fetches == 2


def test_keys_in_pem_are_as_configured(keys):
    pem = trusted(KeysFromPem((public_pem(RSA), public_pem(ED))))
    first = find(keys, "any", pem)
    assert [min(key.algorithms) for key in first] == ["PS256", "EdDSA"]
    assert find(keys, "other", pem) is first


def test_a_private_key_in_pem_is_refused(keys):
    with pytest.raises(IssuerKeysFault, match="private key") as caught:
        find(keys, issuer=trusted(KeysFromPem((private_pem(EC),))))
    assert private_pem(EC)[60:80] not in str(caught.value)


def test_a_file_is_read_again_when_it_changed(keys, tmp_path, clock):
    path = tmp_path / "jwks.json"
    path.write_bytes(FIRST)
    issuer = trusted(KeysFromFile(str(path)))
    first = find(keys, issuer=issuer)
    (tmp_path / "new").write_bytes(SECOND)
    os.replace(tmp_path / "new", path)
    assert find(keys, issuer=issuer) is first  # looked at once a second
    clock.advance(1)
    assert kids(find(keys, issuer=issuer)) == ["first", "second"]


def test_a_file_is_read_without_a_thread_of_requests(keys, tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(FIRST)
    issuer = trusted(KeysFromFile(str(path)))
    assert kids(run_beside_busy_threads(lambda: keys.find(issuer, None))) == ["first"]


@pytest.mark.parametrize("data", [None, b"", b'{"keys": [', b"x" * (MAX_FILE + 1)])
def test_a_file_that_cannot_be_read_leaves_the_keys_in_use_for_a_day(keys, tmp_path, clock, data, caplog):
    path = tmp_path / "jwks.json"
    path.write_bytes(FIRST)
    issuer = trusted(KeysFromFile(str(path)))
    first = find(keys, issuer=issuer)
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    clock.advance(1)
    assert find(keys, issuer=issuer) is first
    assert "cannot be read" in caplog.text
    assert keys.stale([trusted(), issuer]) == [issuer.name]
    clock.advance(STALE - 2)
    assert find(keys, issuer=issuer) is first
    clock.advance(1)
    with pytest.raises(IssuerKeysFault):
        find(keys, issuer=issuer)
    path.write_bytes(SECOND)
    clock.advance(1)
    assert kids(find(keys, issuer=issuer)) == ["first", "second"]
    assert keys.stale([issuer]) == []


def test_a_pipe_in_place_of_a_file_of_keys_is_refused(keys, tmp_path):
    os.mkfifo(tmp_path / "jwks.json")
    with pytest.raises(IssuerKeysFault, match="not a regular file"):
        find(keys, issuer=trusted(KeysFromFile(str(tmp_path / "jwks.json"))))


def test_an_empty_key_set_withdraws_all_keys(keys, tmp_path, clock):
    path = tmp_path / "jwks.json"
    path.write_bytes(FIRST)
    issuer = trusted(KeysFromFile(str(path)))
    find(keys, issuer=issuer)
    path.write_bytes(jwks())
    clock.advance(1)
    with pytest.raises(IssuerKeysFault, match="none that verifies"):
        find(keys, issuer=issuer)
    assert keys.stale([issuer]) == []


def test_a_file_that_stays_the_same_is_good_for_longer_than_a_day(keys, tmp_path, clock):
    path = tmp_path / "jwks.json"
    path.write_bytes(FIRST)
    issuer = trusted(KeysFromFile(str(path)))
    first = find(keys, issuer=issuer)
    for _ in range(4):
        clock.advance(STALE / 2)
        assert find(keys, issuer=issuer) is first


def test_concurrent_requests_for_a_file_all_find_its_keys(keys, tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(FIRST)
    issuer = trusted(KeysFromFile(str(path)))

    async def scenario():
        return await asyncio.gather(*(keys.find(issuer, "first") for _ in range(20)))

    assert {tuple(kids(found)) for found in asyncio.run(scenario())} == {("first",)}


def test_keys_are_fetched_before_the_first_token_and_refreshed_in_time(keys, fetcher, clock, monkeypatch):
    monkeypatch.setattr(issuer_keys, "FILE_INTERVAL", 0.001)
    asked = 0

    def issuers():
        nonlocal asked
        asked += 1
        if asked == 2:
            raise RuntimeError("a mistake")
        clock.advance(FRESH / 2)
        return [trusted(URL)]

    async def scenario():
        refreshing = asyncio.create_task(KeyRefresh(keys, issuers).run())
        while fetcher.fetches < 3:  # noqa: ASYNC110 (the clock that decides is moved by what is awaited)
            await asyncio.sleep(0.001)
        refreshing.cancel()
        fetcher.down = True
        return await keys.find(trusted(URL), "first")

    assert kids(asyncio.run(asyncio.wait_for(scenario(), 10))) == ["first"]


def test_a_missing_file_has_no_keys(keys, tmp_path):
    with pytest.raises(IssuerKeysFault, match="No such file"):
        find(keys, issuer=trusted(KeysFromFile(str(tmp_path / "none"))))


def test_a_real_server_is_asked_once_by_many(clock):
    with DocumentsServer() as server:
        server.document = FIRST
        keys = IssuerKeys(HttpsFetcher(), clock)
        issuer = trusted(KeysFromUrl(server.url))

        async def scenario():
            for _ in range(3):
                await asyncio.gather(*(keys.find(issuer, f"random {number}") for number in range(50)))

        asyncio.run(scenario())
        assert server.asked == ["/jwks"]
