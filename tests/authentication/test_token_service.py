"""The tokens that credentials are exchanged for; `tests/http/handlers/test_token_exchange.py` asks over HTTP."""

from dataclasses import replace

import pytest

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_exact_limit
from simple_registry.access.signed_tokens import GivenKey, TokenKind, TokenSigner
from simple_registry.authentication.credentials import ExpiredToken
from simple_registry.authentication.token_service import MAX_SCOPES, REFRESH_LIFE, GrantUnsupported, TokenService
from support.time import SettableClock

LIFE = 300
CLOCK = SettableClock()
SIGNER = TokenSigner(GivenKey(b"secret"))
SERVICE = TokenService(None, SIGNER, CLOCK, life=LIFE)
ADA = Caller(Identity("ada"), Proof(Source.PASSWORD, "fingerprint"))
APP, LIB = "repository:team/app:pull", "repository:team/lib:pull"


def grant(caller, *scopes, refreshable=False):
    return SERVICE.of_caller(caller, scopes, refreshable=refreshable)


def test_a_token_carries_the_scopes_that_mean_something_once_each():
    given = grant(ADA, f"{APP} {LIB}", APP, "repository:team/app:fly", "nonsense")
    assert given.scopes == (APP, LIB)
    claims = SIGNER.verify(given.access_token, TokenKind.ACCESS)
    assert (claims.subject, claims.proof, claims.scopes) == ("ada", ADA.proof, (APP, LIB))
    assert claims.expires - claims.issued == given.life == LIFE


def test_too_many_scopes_are_refused():
    with pytest.raises(GrantUnsupported):
        grant(ADA, " ".join([APP] * (MAX_SCOPES + 1)))


@pytest.mark.parametrize(("left", "life"), [(60.0, 60), (LIFE + 60.0, LIFE)])
def test_a_token_ends_with_the_credential_behind_it(left, life):
    assert grant(replace(ADA, expires=CLOCK.now() + left)).life == life


@pytest.mark.parametrize("ended", [{"expired": True}, {"expires": CLOCK.now() + 0.5}])
def test_an_ended_credential_is_not_exchanged(ended):
    with pytest.raises(ExpiredToken):
        grant(replace(ADA, **ended))


def test_a_derived_token_is_exchanged_only_for_its_own_scopes():
    derived = replace(ADA, derived=True, limits=(parse_exact_limit([APP]),), expires=CLOCK.now() + LIFE)
    given = grant(derived, APP, LIB, refreshable=True)
    assert given.scopes == (APP,)
    assert given.refresh is None


def test_a_refresh_token_carries_no_scopes_and_lives_long():
    refresh = grant(ADA, APP, refreshable=True).refresh
    claims = SIGNER.verify(refresh.secret, TokenKind.REFRESH)
    assert (claims.scopes, claims.token_id, claims.subject) == ((), refresh.token_id, refresh.owner)
    assert claims.expires - claims.issued == REFRESH_LIFE


def test_an_anonymous_caller_gets_no_refresh_token():
    assert grant(Caller(Identity("anonymous"), Proof(Source.ANONYMOUS)), refreshable=True).refresh is None
