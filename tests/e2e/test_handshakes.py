"""Every client with every credential, under every policy and every challenge.

A cell is what a client achieved, in these words:

    login    the client asked the registry, and was let in; crane does not ask, ctr has no login
    public   it fetched from public/team
    private  it fetched from private/team
    push     it sent to private/team, or to public/team where the policy opens that only
"""

import json
from itertools import product
from typing import NamedTuple

import pytest

from e2e import clients_table
from e2e.clients_table import REFUSED
from e2e.commands import Attempt
from e2e.scenarios import CLIENTS, Challenge, Credential, Policy, basic, play

pytestmark = pytest.mark.clients

GOOD = frozenset({Credential.PASSWORD, Credential.STATIC, Credential.ISSUED, Credential.JWT})
EVERYTHING = "login, public, private, push"
WITHOUT_PRIVATE = "login, public, push"
LOGGED_IN = {Policy.NONE: EVERYTHING, Policy.PUBLIC: WITHOUT_PRIVATE, Policy.MIXED: EVERYTHING}
NOT_LOGGED_IN = {Policy.NONE: REFUSED, Policy.PUBLIC: "public", Policy.MIXED: "public"}
NEVER_ASKS_AT_LOGIN = frozenset({"crane", "ctr"})
PROVE_WHEN_ASKED = frozenset({"oras", "regctl", "helm", "ctr"})
"""Clients that send credentials only when a request was refused: bad ones do not keep them from what is public."""
NEEDS_CREDENTIALS_FOR_BASIC = frozenset({"docker"})
"""Clients that give up at a Basic challenge when they have no credentials; others send an empty name and password."""

READABLE = (
    *("unauthorized", "authentication required", "authorization failed", "credential", "username/password"),
    *("denied", "forbidden"),
    "too many requests",  # for further attempts with a revoked token
)
"""Words that show that credentials or permissions are the reason, whatever the client adds around them."""


def expected(client: str, policy: Policy, credential: Credential, challenge: Challenge) -> str:
    """Return what a client is to achieve: the one table of this module."""
    if credential in GOOD:
        outcome = LOGGED_IN[policy]
        return outcome.removeprefix("login, ") if client in NEVER_ASKS_AT_LOGIN else outcome
    if credential is not Credential.NONE:
        return NOT_LOGGED_IN[policy] if client in PROVE_WHEN_ASKED else REFUSED
    if challenge is Challenge.BASIC and client in NEEDS_CREDENTIALS_FOR_BASIC:
        return REFUSED
    return NOT_LOGGED_IN[policy]


class Measured(NamedTuple):
    """The words of a cell, and the client's output for each refusal."""

    outcome: str
    refusals: dict[str, str]


def measure(attempts: dict[str, Attempt | None]) -> Measured:
    """Return what attempts (`None`: there was nothing to try) come to."""
    tried = {name: attempt for name, attempt in attempts.items() if attempt is not None}
    achieved = [name for name, attempt in tried.items() if attempt.accepted]
    refusals = {name: attempt.said for name, attempt in tried.items() if not attempt.accepted}
    return Measured(", ".join(achieved) or REFUSED, refusals)


@pytest.fixture(scope="module", params=product(Policy, Challenge), ids="-".join)
def scenario(request, tmp_path_factory):
    """The registry of a policy and a challenge."""
    policy, challenge = request.param
    with play(policy, challenge, tmp_path_factory.mktemp("scenario")) as played:
        yield played


@pytest.mark.parametrize("credential", Credential, ids=lambda credential: credential.tag)
@pytest.mark.parametrize("client", CLIENTS)
def test_client_achieves_what_its_credential_allows(scenario, clients, client, credential, tmp_path):
    cell = (client, scenario.policy, credential, scenario.challenge)
    account = scenario.account(credential, client)
    session = clients(client).at(scenario.registry, tmp_path, account)

    measured = measure(attempts(session, scenario.policy, credential))

    assert measured.outcome == expected(*cell), measured.refusals
    for said in measured.refusals.values():
        assert any(word in said.lower() for word in READABLE), said
        assert account is None or account.secret not in said
    if clients_table.writing():
        clients_table.record(cell, measured.outcome)
    else:
        assert measured.outcome == clients_table.documented()[cell], "make clients-table brings the document up to date"


def attempts(session, policy, credential):
    """Try all operations in the usual order; with invalid credentials, only reads."""
    tried = {"login": session.log_in()}
    application = session.client.repository
    tried["public"] = session.pull(f"public/team/{application}", credential.tag)
    tried["private"] = session.pull(f"private/team/{application}", credential.tag)
    # The daemon of docker repeats a refused push without credentials for 50 seconds.
    if credential in GOOD or (credential is Credential.NONE and session.client.name != "docker"):
        area = "public" if policy is Policy.PUBLIC else "private"
        tried["push"] = session.push(f"{area}/team/new-{session.client.name}-{credential.tag}", "v1")
    return tried


# --- without a client -----------------------------------------------------------------------------------------------

PRIVATE = "/v2/private/team/app"
SCOPES = "scope=repository:private/team/app:pull,push&scope=registry:catalog:*"


@pytest.fixture(params=["no header", "anonymous token"])
def no_credentials(request, scenario):
    """Headers of a client without credentials."""
    if request.param == "no header":
        return {}
    answer = scenario.registry.request("GET", f"/token?{SCOPES}", anonymous=True)
    if scenario.policy is Policy.NONE:
        assert answer.status == 401
        pytest.skip("there is no anonymous user, and no token for one")
    assert answer.status == 200
    return {"Authorization": f"Bearer {json.loads(answer.body)['token']}"}


def test_private_content_is_not_readable_without_credentials(scenario, no_credentials):
    digest = scenario.registry.digest("private/team/app", "password")
    manifest = scenario.registry.manifest("private/team/app", "password")
    paths = ["manifests/password", f"manifests/{digest}", f"blobs/{manifest['layers'][0]['digest']}"]
    paths += [f"blobs/{manifest['config']['digest']}", "tags/list", f"referrers/{digest}"]

    for path in paths:
        for method in ("GET", "HEAD"):
            answer = scenario.registry.request(method, f"{PRIVATE}/{path}", headers=no_credentials, anonymous=True)
            assert answer.status == 401, (method, path, answer)


def test_private_layers_are_not_mounted_without_credentials(scenario, no_credentials):
    manifest = scenario.registry.manifest("private/team/app", "password")
    query = f"mount={manifest['layers'][0]['digest']}&from=private/team/app"

    path = f"/v2/public/team/app/blobs/uploads/?{query}"
    answer = scenario.registry.request("POST", path, headers=no_credentials, anonymous=True)

    assert answer.status == 401


def test_the_catalog_without_credentials_lists_only_public_repositories(scenario, no_credentials):
    answer = scenario.registry.request("GET", "/v2/_catalog", headers=no_credentials, anonymous=True)

    if scenario.policy is Policy.NONE:
        assert answer.status == 401
    else:
        repositories = json.loads(answer.body)["repositories"]
        assert [name for name in repositories if not name.startswith("public/")] == []
        assert no_credentials or {"public/team/app", "public/team/demo"} <= set(repositories)


def test_catalog_token_lists_what_its_user_may_pull(scenario):
    token = json.loads(scenario.registry.request("GET", "/token?scope=registry:catalog:*").body)["token"]

    answer = scenario.registry.request("GET", "/v2/_catalog", headers={"Authorization": f"Bearer {token}"})

    assert {"public/team/app", "private/team/app"} <= set(json.loads(answer.body)["repositories"])


@pytest.mark.parametrize("credential", [Credential.EXPIRED, Credential.REVOKED], ids=lambda credential: credential.tag)
@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_token_that_is_over_is_never_anonymous(scenario, credential, scheme):
    account = scenario.account(credential, "crane")
    header = f"Bearer {account.secret}" if scheme == "Bearer" else basic(account)

    for path in ("/v2/", "/v2/public/team/app/manifests/password", "/token"):
        answer = scenario.registry.request("GET", path, headers={"Authorization": header})
        assert answer.status == 401
        assert answer.headers["www-authenticate"]


@pytest.mark.parametrize("credential", sorted(GOOD - {Credential.PASSWORD}), ids=lambda credential: credential.tag)
def test_tokens_are_accepted_as_bearer(scenario, credential):
    header = {"Authorization": f"Bearer {scenario.account(credential, 'crane').secret}"}

    answer = scenario.registry.request("GET", "/v2/public/team/app/manifests/password", headers=header)

    assert answer.status == 200


def test_no_secret_is_in_the_log(scenario):
    log = scenario.registry.log.read_text()

    assert [name for name, secret in scenario.secrets.items() if secret in log] == []
