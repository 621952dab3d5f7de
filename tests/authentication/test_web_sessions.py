"""Web sessions as tokens; `tests/ui/pages/test_sign_in.py` asks for what a browser sees of them."""

import pytest

from simple_registry.access.signed_tokens import GivenKey, TokenKind, TokenSigner
from simple_registry.authentication.credentials import BasicCredentials, InvalidToken, WrongCredentials
from support.front import CLIENT, PASSWORD

ADMIN = BasicCredentials("admin", PASSWORD)


@pytest.fixture
def sessions(memory_front):
    return memory_front.services.registry.web_sessions


def test_a_session_is_a_token_of_its_own_kind(memory_front, sessions):
    session = memory_front.run(sessions.begin(ADMIN, CLIENT))
    claims = memory_front.services.authentication.signer.verify(session.token, TokenKind.WEB_SESSION)
    assert (claims.subject, claims.token_id) == (session.user, session.session_id) == ("admin", session.session_id)
    assert session.token not in repr(session)
    assert PASSWORD not in session.token


@pytest.mark.parametrize("kind", [TokenKind.ACCESS, TokenKind.REFRESH])
def test_a_token_of_another_kind_is_no_session(memory_front, sessions, kind):
    signer = memory_front.services.authentication.signer
    session = memory_front.run(sessions.begin(ADMIN, CLIENT))
    other = signer.sign(signer.verify(session.token, TokenKind.WEB_SESSION), kind)
    with pytest.raises(InvalidToken):
        memory_front.run(sessions.resume(other))
    with pytest.raises(InvalidToken):
        memory_front.run(sessions.end(other))


def test_a_token_of_another_registry_is_no_session(memory_front, sessions):
    signer = memory_front.services.authentication.signer
    session = memory_front.run(sessions.begin(ADMIN, CLIENT))
    foreign = TokenSigner(GivenKey(b"of another one")).sign(
        signer.verify(session.token, TokenKind.WEB_SESSION), TokenKind.WEB_SESSION
    )
    with pytest.raises(InvalidToken):
        memory_front.run(sessions.resume(foreign))


def test_sessions_have_different_ids_and_end_alone(memory_front, sessions):
    one, other = (memory_front.run(sessions.begin(ADMIN, CLIENT)) for _ in range(2))
    assert one.session_id != other.session_id
    assert memory_front.run(sessions.end(one.token)).session_id == one.session_id
    with pytest.raises(InvalidToken):
        memory_front.run(sessions.resume(one.token))
    caller = memory_front.run(sessions.resume(other.token))
    assert (caller.identity.name, caller.derived, caller.expired) == ("admin", False, False)


def test_wrong_credentials_begin_none(memory_front, sessions):
    for credentials in (BasicCredentials("admin", "x"), BasicCredentials("", "")):
        with memory_front.unchanged(), pytest.raises(WrongCredentials):
            memory_front.run(sessions.begin(credentials, CLIENT))
