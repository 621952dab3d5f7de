"""The audit log: a line for each change and each refusal, with caller, change and reason, and never a secret."""

import asyncio
import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from simple_registry.access.roles import METHODS
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.tag_protection import TagProtection
from simple_registry.authentication import login_queue
from simple_registry.faults import StorageFault, StorageFull
from simple_registry.http.access_log import MAX_VALUE
from simple_registry.http.audit import rules_line
from simple_registry.http.events import EventName
from simple_registry.http.routes import ROUTES
from simple_registry.oci.digests import digest_of
from support.access import READONLY, READWRITE, binding, rules, static_token
from support.documents import push_image
from support.front import ADMINISTRATOR, CLIENT, PASSWORD, Exchange, basic
from support.pages import Browser
from support.sources import ROOT

ACCESS = rules(
    binding("ada", READWRITE, "^team/", name="team-writes"),
    binding("ada", ("*", "delete restore"), "^team/", name="team-deletes"),
    binding("eve", READONLY, "^team/", name="team-reads"),
    binding("anonymous", READONLY, "^public/", name="public-reads"),
    users=["ada", "eve", "anonymous"],
    tokens=[static_token("robot-secret", "ada"), static_token("narrow-secret", "ada", scopes=["repository:^x$:pull"])],
)


@pytest.fixture
def recorded():
    return []


@pytest.fixture
def front(make_front, recorded):
    return make_front(rules=ACCESS, audit=recorded.append)


def of(recorded, *names):
    """Return these fields of all lines."""
    return [tuple(line.get(name) for name in names) for line in recorded]


def test_a_push_of_an_image_is_recorded_blob_by_blob_and_then_the_tag(front, recorded):
    data = push_image(front, "team/app", "v1")
    digest = str(digest_of(data))
    assert of(recorded, "event", "repository")[-2:] == [("manifest.push", "team/app"), ("tag.set", "team/app")]
    assert {event for (event,) in of(recorded[:-2], "event")} == {"blob.push"}
    manifest, tag = recorded[-2:]
    assert (manifest["digest"], manifest["size"]) == (digest, len(data))
    assert (tag["reference"], tag["digest"], tag.get("previous")) == ("v1", digest, None)
    assert manifest["request"] == tag["request"]


def test_a_line_has_identity_proof_address_and_binding(front, recorded):
    digest = digest_of(b"x")
    path = f"/v2/team/app/blobs/uploads/?digest={digest}"
    reply = front.post(path, body=b"x", user="ada", headers={"user-agent": "docker/27"})
    assert recorded == [
        {
            "event": "blob.push",
            "request": reply.header("x-request-id"),
            "decision": "allowed",
            "identity": "ada",
            "proof": "password",
            "address": CLIENT,
            "method": "POST",
            "path": "/v2/team/app/blobs/uploads/",
            "endpoint": "start_upload",
            "repository": "team/app",
            "digest": str(digest),
            "size": 1,
            "binding": "team-writes",
            "status": 201,
            "agent": "docker/27",
        }
    ]


def test_a_tag_that_moves_is_recorded_with_its_previous_digest(front, recorded):
    one = digest_of(push_image(front, "team/app", "v1"))
    two = digest_of(push_image(front, "team/app", "v1", b"another"))
    assert recorded[-1]["previous"] == str(one)
    assert recorded[-1]["digest"] == str(two)


def test_every_tag_of_one_push_is_recorded(front, recorded):
    data = push_image(front, "team/app", "v1")
    recorded.clear()
    reply = front.put(
        f"/v2/team/app/manifests/{digest_of(data)}?tag=v1&tag=v2",
        body=data,
        headers={"content-type": "application/vnd.oci.image.manifest.v1+json"},
    )
    assert reply.status == 201
    assert of(recorded, "event", "reference", "previous") == [
        ("manifest.push", None, None),
        ("tag.set", "v1", str(digest_of(data))),
        ("tag.set", "v2", None),
    ]


def test_deletions_are_recorded_with_what_was_deleted(front, recorded):
    digest = str(digest_of(push_image(front, "team/app", "v1")))
    front.push_manifest("team/app", "v2", front.get("/v2/team/app/manifests/v1").body)
    front.push_manifest("team/app", "v3", front.get("/v2/team/app/manifests/v1").body)
    blob = front.push_blob("team/app", b"lonely")
    recorded.clear()
    front.delete("/v2/team/app/manifests/v3", user="ada")
    front.delete(f"/v2/team/app/manifests/{digest}", user="ada")
    front.delete(f"/v2/team/app/blobs/{blob}", user="ada")
    assert of(recorded, "event", "reference", "digest", "previous") == [
        ("tag.delete", "v3", None, digest),
        ("manifest.delete", None, digest, None),
        ("tag.delete", "v1", digest, digest),
        ("tag.delete", "v2", digest, digest),
        ("blob.delete", None, str(blob), None),
    ]


def test_what_is_undone_is_recorded(front, recorded):
    app, how = "/api/v1/repositories/team/app", {"headers": {"content-type": "application/json"}, "user": "ada"}
    one, two = (str(digest_of(push_image(front, "team/app", "v1", layer))) for layer in (b"one", b"two"))
    recorded.clear()
    front.post(f"{app}/rollback", body=b'{"tag":"v1"}', **how)
    front.delete(f"/v2/team/app/manifests/{one}", user="ada")
    front.post(f"{app}/restore", body=f'{{"digest":"{one}"}}'.encode(), **how)
    front.delete(app, user="ada")
    front.post(f"{app}/restore", body=b"{}", **how)
    assert of(recorded, "event", "reference", "digest", "previous") == [
        ("tag.rollback", "v1", one, two),
        ("manifest.delete", None, one, None),
        ("tag.delete", "v1", one, one),
        ("manifest.restore", None, one, None),
        ("tag.restore", "v1", None, None),
        ("repository.delete", None, None, None),
        ("repository.restore", None, None, None),
    ]


def test_maintenance_that_was_started_is_recorded_but_for_dry_runs(front, recorded):
    front.delete(f"/v2/team/a/blobs/{front.push_blob('team/a', b'blob')}")
    recorded.clear()
    how = {"headers": {"content-type": "application/json"}}
    front.post("/api/v1/garbage-collection", body=b'{"dryRun":true}', **how)
    front.post("/api/v1/garbage-collection", body=b'{"grace":"0s"}', **how)
    front.post("/api/v1/retention", body=b"{}", **how)
    assert of(recorded, "event", "identity", "grace", "count", "size") == [
        ("collection.run", ADMINISTRATOR, "0s", 1, 4),
        ("retention.apply", ADMINISTRATOR, None, 0, None),
    ]


def test_every_way_to_upload_a_blob_is_recorded_once(front, recorded):
    digest = digest_of(b"blob")
    location = front.open_session("team/a")
    front.patch(location, body=b"blob")
    assert recorded == []
    front.put(f"{location}?digest={digest}")
    front.post(f"/v2/team/b/blobs/uploads/?digest={digest}", body=b"blob")
    front.post(f"/v2/team/c/blobs/uploads/?mount={digest}&from=team/a")
    front.post(f"/v2/team/d/blobs/uploads/?mount={digest}")
    assert of(recorded, "event", "repository", "source", "size") == [
        ("blob.push", "team/a", None, 4),
        ("blob.push", "team/b", None, 4),
        ("blob.mount", "team/c", "team/a", 4),
        ("blob.mount", "team/d", None, 4),
    ]


def test_tokens_are_recorded_by_their_ids_and_never_with_their_secrets(front, recorded):
    made = front.post("/api/v1/tokens", body=b'{"description": "x"}', headers={"content-type": "application/json"}).json
    front.delete(f"/api/v1/tokens/{made['id']}", token=made["secret"])
    assert of(recorded, "event", "token", "owner", "proof", "credential") == [
        ("token.create", made["id"], ADMINISTRATOR, "password", None),
        ("token.revoke", made["id"], ADMINISTRATOR, "issued", made["id"]),
    ]
    assert made["secret"] not in json.dumps(recorded)


def test_a_refresh_token_is_recorded_once_by_its_id_and_its_user(front, recorded):
    form = b"grant_type=password&username=ada&password=open%20sesame&access_type=offline"
    given = [
        front.get("/token?offline_token=true", user="ada").json,
        front.post("/token", user=None, body=form).json,
    ]
    ids = [jwt.decode(each["refresh_token"], options={"verify_signature": False})["jti"] for each in given]
    assert of(recorded, "event", "token", "owner", "identity", "endpoint") == [
        ("refresh.create", ids[0], "ada", "ada", "get_token"),
        ("refresh.create", ids[1], "ada", None, "post_token"),
    ]
    used = f"grant_type=refresh_token&refresh_token={given[0]['refresh_token']}&access_type=offline".encode()
    assert front.post("/token", user=None, body=used).status == 200
    front.get("/token", user="ada")
    assert len(recorded) == 2
    assert not any(each["refresh_token"] in json.dumps(recorded) for each in given)


def test_the_proof_of_a_caller_is_recorded_by_name(front, recorded):
    derived = front.get("/token?scope=repository:team/app:push", user="ada").json["token"]
    for how in ({"token": "robot-secret"}, {"user": "ada", "password": "robot-secret"}, {"token": derived}):
        assert front.post(f"/v2/team/app/blobs/uploads/?digest={digest_of(b'')}", body=b"", **how).status == 201
    assert of(recorded, "identity", "proof", "credential", "derived") == [
        ("ada", "token", "ada-token", None),
        ("ada", "token", "ada-token", None),
        ("ada", "password", None, True),
    ]


def test_a_refusal_is_recorded_with_the_reason(front, recorded):
    with front.unchanged():
        assert front.put("/v2/team/app/manifests/v1", body=b"{}", user="eve").status == 403
        assert front.get(f"/v2/other/blobs/{digest_of(b'')}", user="eve").status == 403
    assert of(recorded, "event", "decision", "identity", "endpoint", "repository", "reference", "status") == [
        ("request.refused", "refused", "eve", "put_manifest", "team/app", "v1", 403),
        ("request.refused", "refused", "eve", "get_blob", "other", None, 403),
    ]
    assert "'team-reads'" in recorded[0]["reason"]
    assert "binding" not in recorded[0]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"user": "ada", "password": "wrong"}, "wrong password or unknown user 'ada'"),
        ({"user": "nobody"}, "wrong password or unknown user 'nobody'"),
        ({"token": "no-token"}, "an unknown bearer token"),
        ({"token": "narrow-secret"}, "the token's scopes do not reach that far"),
        ({"headers": {"authorization": "Basic ?"}}, None),
    ],
)
def test_rejected_credentials_are_recorded(front, recorded, how, reason):
    assert front.get("/v2/team/app/tags/list", **how).status == 401
    (line,) = recorded
    assert (line["event"], line["status"], line["address"]) == ("request.refused", 401, CLIENT)
    if reason:
        assert line["reason"] == reason


def test_a_failed_login_by_form_is_recorded(front, recorded):
    assert front.post("/token", user=None, body=b"grant_type=password&username=ada&password=wrong").status == 401
    assert of(recorded, "event", "endpoint") == [("request.refused", "post_token")]


def test_a_request_for_a_challenge_is_not_recorded(front, recorded):
    assert front.get("/v2/team/app/tags/list", user=None).status == 401
    assert front.get("/v2/", user=None).status == 401
    assert front.get("/v2/team/app/tags/list", headers={"authorization": basic("", "")}).status == 401
    assert recorded == []


def test_reads_and_invalid_requests_are_not_recorded(front, recorded):
    data = push_image(front, "team/app", "v1")
    recorded.clear()
    front.get("/v2/team/app/manifests/v1")
    front.get("/v2/team/app/manifests/none")
    front.put("/v2/team/app/manifests/v2", body=b"no manifest")
    front.put(f"/v2/team/app/manifests/{digest_of(b'other')}", body=data)
    front.post(f"/v2/team/app/blobs/uploads/?digest={digest_of(b'x')}", body=b"y")
    front.delete("/v2/team/app/manifests/none")
    front.get("/nowhere")
    assert recorded == []


def test_a_login_that_gave_way_to_others_is_recorded(front, recorded, monkeypatch):
    monkeypatch.setattr(login_queue, "MAX_WAITING", 0)
    guesses = [front.send("GET", "/v2/", user="ada", password=f"wrong {number}") for number in range(4)]
    refused = [reply for reply in front.together(*guesses) if reply.status == 429]
    reasons = [reason for status, reason in of(recorded, "status", "reason") if status == 429]
    assert len(reasons) == len(refused) > 0
    assert all(reason.startswith("throttled: 0 failed logins of 'ada'") for reason in reasons)


@pytest.mark.parametrize(("error", "status"), [(StorageFault("sync", "EIO"), 503), (StorageFull("write", "full"), 507)])
def test_a_write_during_a_storage_fault_is_recorded_as_uncertain(make_front, recorded, monkeypatch, error, status):
    front = make_front(rules=ACCESS, audit=recorded.append)

    async def fails(*_, **__):
        raise error

    monkeypatch.setattr(front.kept.stores.rows.tags, "remove_tag", fails)
    assert front.delete("/v2/team/app/manifests/v1", user="ada").status == status
    assert of(recorded, "event", "decision", "identity", "repository", "reference", "status", "binding") == [
        ("request.uncertain", "allowed", "ada", "team/app", "v1", status, "team-deletes")
    ]
    assert recorded[0]["reason"]


def test_a_write_that_the_end_of_the_process_cuts_is_uncertain(front, recorded, monkeypatch):
    reached = asyncio.Event()

    async def stuck(*_, **__):
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(front.kept.stores.rows.tags, "remove_tag", stuck)

    async def abandoned():
        request = asyncio.ensure_future(front.send("DELETE", "/v2/team/app/manifests/v1", user="ada"))
        await reached.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    front.run(abandoned())
    assert of(recorded, "event", "identity", "reference", "status") == [("request.uncertain", "ada", "v1", 499)]


def test_the_line_is_written_before_the_answer(front, recorded, monkeypatch):
    send, at_answer = Exchange.send, []

    async def answered(exchange, answer, *further):
        at_answer.append(len(recorded))
        await send(exchange, answer, *further)

    monkeypatch.setattr(Exchange, "send", answered)
    front.push_blob("team/app", b"x")
    front.delete(f"/v2/team/app/blobs/{digest_of(b'x')}", user="eve")
    assert at_answer == [1, 2]


@pytest.mark.parametrize(
    "header", ["Bearer s3cret", "s3cret", basic("ada", "s3cret"), f"Basic {b64encode(b's3cret').decode()}"]
)
def test_no_secret_is_recorded(front, recorded, header):
    front.get("/v2/team/app/tags/list?token=s3cret", headers={"authorization": header})
    front.put("/v2/team/app/manifests/v1?password=s3cret", body=b"s3cret", user="eve")
    front.put("/v2/team/app/manifests/v1", body=b"s3cret", user="eve", headers={"cookie": "s3cret"})
    assert len(recorded) == 3
    assert "s3cret" not in repr(recorded)
    assert PASSWORD not in repr(recorded)


def test_long_values_of_clients_are_cut(front, recorded):
    long = "x" * 20_000
    front.get(f"/v2/team/app/manifests/{'y' * 100}", user="eve", password="wrong", headers={"user-agent": long})
    front.get(f"/v2/{'a' * 200}/manifests/{'y' * 100}", user="eve")
    assert all(len(json.dumps(line)) < 3000 for line in recorded)
    assert recorded[0]["agent"] == long[:MAX_VALUE]


def test_an_endpoint_of_another_method_than_get_writes_unless_it_is_listed_here():
    """A new endpoint declares in the table whether it writes, and so what the audit log records of it."""
    reading = {"post_token", "append_chunk", "cancel_upload"}
    endpoints = [(method, endpoint) for route in ROUTES for method, endpoint in route.endpoints.items()]
    assert {endpoint.name for method, endpoint in endpoints if method in set(METHODS) - {"GET", "HEAD"}} == {
        endpoint.name for _, endpoint in endpoints if endpoint.writes
    } | reading


def test_the_rules_in_force_are_a_line_without_a_request():
    assert rules_line("sha256:00", ACCESS) == {
        "event": "rules.change",
        "documents": "sha256:00",
        "users": 4,
        "bindings": 5,
        "tokens": 2,
        "issuers": 0,
    }


BY_COMMAND = {
    EventName.CONTENT_PURGE: "tests/cli/test_purge.py",
    EventName.READ_ONLY_ON: "tests/cli/test_read_only.py",
    EventName.READ_ONLY_OFF: "tests/cli/test_read_only.py",
}
"""Lines that only commands write, and the tests that ask for them."""


def test_both_ends_of_a_web_session_are_recorded(front, recorded):
    browser = Browser(front).sign_in("ada")
    browser.submit(browser.get("/ui/-/nothing", status=404).one("details").one("form"))
    begin, end = recorded
    assert [line["event"] for line in recorded] == ["websession.begin", "websession.end"]
    assert begin["token"] == end["token"]
    assert begin["owner"] == end["owner"] == "ada"
    assert PASSWORD not in repr(recorded)
    assert not [value for value in browser.cookies.values() if value in repr(recorded)]


def test_every_kind_of_line_is_asked_for_in_these_tests():
    here = Path(__file__)
    texts = {name: (ROOT / BY_COMMAND.get(name, here)).read_text("utf-8") for name in EventName}
    assert [name for name, text in texts.items() if f'"{name.value}"' not in text] == []


def test_a_change_that_a_protected_tag_forbids_is_a_refusal_with_the_rule(front, recorded):
    data = push_image(front, "team/app", "v1")
    front.access.rules = replace(ACCESS, protections=(TagProtection("releases", (ScopePattern(":v1$"),)),))
    recorded.clear()
    assert front.delete(f"/v2/team/app/manifests/{digest_of(data)}").status == 409
    reason = "the tag v1 is protected by the rule releases: it cannot be deleted"
    assert of(recorded, "event", "reason", "status") == [("request.refused", reason, 409)]
