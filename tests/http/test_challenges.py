"""The challenge of each 401, in every mode, with and without an anonymous user."""

import pytest

from simple_registry.access.permission import Permission, Resource
from simple_registry.authentication.credentials import ExpiredToken, InsufficientScope, InvalidToken, LoginRequired
from simple_registry.http.challenges import BASIC, Challenger
from simple_registry.http.messages import Request
from simple_registry.http.origins import Origins
from simple_registry.oci.errors import Unauthorized

PULL = Permission("GET", Resource.MANIFESTS, "team/app:v1")
REALM = 'Bearer realm="https://r.example:5000/token",service="r.example:5000"'
PULL_BEARER = f'{REALM},scope="repository:team/app:pull"'


def challenge(mode, error=None, permission=None, *, anonymous, path="/v2/"):
    request = Request("GET", path, "", {}, None, "id", host="r.example:5000", secure=True)
    challenger = Challenger(mode, Origins())
    return challenger.challenge(request, error or Unauthorized(), permission, anonymous=anonymous)


@pytest.mark.parametrize(
    ("mode", "anonymous", "base", "resource"),
    [
        ("auto", False, BASIC, BASIC),
        ("auto", True, REALM, PULL_BEARER),
        ("basic", False, BASIC, BASIC),
        ("basic", True, BASIC, BASIC),
        ("bearer", False, REALM, PULL_BEARER),
        ("bearer", True, REALM, PULL_BEARER),
    ],
)
def test_the_challenge_follows_mode_and_anonymous_access(mode, anonymous, base, resource):
    assert challenge(mode, anonymous=anonymous) == base
    assert challenge(mode, permission=PULL, anonymous=anonymous) == resource


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (InvalidToken(), "invalid_token"),
        (ExpiredToken(), "invalid_token"),
        (InsufficientScope(), "insufficient_scope"),
        (LoginRequired(), "insufficient_scope"),
    ],
)
@pytest.mark.parametrize("anonymous", [False, True])
def test_a_token_that_will_not_do_is_answered_with_the_reason(error, word, anonymous):
    assert challenge("auto", error, PULL, anonymous=anonymous) == f'{PULL_BEARER},error="{word}"'


@pytest.mark.parametrize("name", ["if-match", "if-none-match"])
def test_a_conditional_deletion_needs_a_token_with_read_access(name):
    delete = Permission("DELETE", Resource.MANIFESTS, "team/app:v1")
    for headers, scope in (
        ({}, "repository:team/app:delete"),
        ({name: "*"}, "repository:team/app:delete repository:team/app:pull"),
    ):
        request = Request("DELETE", "/v2/", "", headers, None, "id", host="r.example:5000", secure=True)
        challenger = Challenger("bearer", Origins())
        found = challenger.challenge(request, InsufficientScope(), delete, anonymous=False)
        assert found == f'{REALM},scope="{scope}",error="insufficient_scope"'


@pytest.mark.parametrize("mode", ["auto", "bearer", "basic"])
def test_the_token_endpoint_never_sends_clients_to_itself(mode):
    assert challenge(mode, anonymous=True, path="/token") == BASIC


@pytest.mark.parametrize(
    ("query", "scope"),
    [
        ("mount=x&from=other/app", "repository:team/app:pull,push repository:other/app:pull"),
        ("from=Not%20a%20name", "repository:team/app:pull,push"),
        ('from=a"b', "repository:team/app:pull,push"),
        ("", "repository:team/app:pull,push"),
    ],
)
def test_the_challenge_of_a_mount_includes_its_source(query, scope):
    request = Request("POST", "/v2/team/app/blobs/uploads/", query, {}, None, "id", host="r.example", secure=True)
    permission = Permission("POST", Resource.BLOBS, "team/app")
    challenger = Challenger("bearer", Origins())
    assert f'scope="{scope}"' in challenger.challenge(request, Unauthorized(), permission, anonymous=False)


@pytest.mark.parametrize("mode", ["auto", "bearer", "basic"])
@pytest.mark.parametrize("host", ["", "r.example", "10.0.0.1:5000"])
def test_no_client_is_sent_to_an_unconfirmed_plain_origin(mode, host):
    request = Request("GET", "/v2/", "", {}, None, "id", host=host)
    challenger = Challenger(mode, Origins())
    assert challenger.challenge(request, InvalidToken(), PULL, anonymous=True) == BASIC
