import pytest
from hypothesis import given, strategies as st

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.limits import parse_limit
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.questions import RESOURCES, VERBS, QuestionInvalid, answers, parse_question
from support.access import READWRITE, binding

DIGEST = "sha256:" + "0" * 64


def permissions(text):
    return [" ".join(permission).strip() for permission in parse_question(text.split()).permissions]


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("pull catalog", ["GET catalog"]),
        ("HEAD catalog", ["HEAD catalog"]),
        ("pull manifests team/app:v1", ["GET manifests team/app:v1"]),
        ("PUSH Manifests team/app:v1", ["PUT manifests team/app:v1"]),
        ("push blobs team/app", ["POST blobs team/app", "PATCH blobs team/app", "PUT blobs team/app"]),
        ("delete blobs team/app", ["DELETE blobs team/app"]),
        ("DELETE manifests team/app", ["DELETE manifests team/app"]),
        (f"pull manifests team/app@{DIGEST}", ["GET manifests team/app"]),
        (f"pull manifests team/app:v1@{DIGEST}", ["GET manifests team/app"]),
        (f"pull blobs team/app@{DIGEST}", ["GET blobs team/app"]),
        ("pull tags team/app", ["GET tags team/app"]),
        ("pull referrers team/app", ["GET referrers team/app"]),
        ("put manifests team/app:v1", ["PUT manifests team/app:v1"]),
        ("pull image team/app:v1", ["GET manifests team/app:v1", "GET manifests team/app", "GET blobs team/app"]),
        ("pull image team/app", ["GET manifests team/app", "GET blobs team/app"]),
        ("delete image team/app:v1", ["DELETE manifests team/app:v1"]),
        ("history manifests team/app", ["history manifests team/app"]),
        ("history catalog", ["history catalog"]),
        ("restore manifests team/app:v1", ["restore manifests team/app:v1"]),
        ("pull maintenance", ["GET maintenance"]),
        ("run maintenance", ["run maintenance"]),
    ],
)
def test_a_question_has_the_permissions_of_its_requests(text, needs):
    assert permissions(text) == needs


def test_pushing_an_image_asks_for_its_parts_first():
    needs = permissions("push image team/app:v1")
    assert {"HEAD blobs team/app", "POST blobs team/app", "PATCH blobs team/app", "PUT blobs team/app"} < set(needs)
    assert {"HEAD manifests team/app:v1", "PUT manifests team/app:v1", "PUT manifests team/app"} < set(needs)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a question; write VERB RESOURCE"),
        ("pull", "is not a question"),
        ("pull image a b", "is not a question"),
        ("fetch image a", "'fetch' is not a verb; known: pull, push, delete, history, restore, run, GET"),
        ("pull layer a", "'layer' is not a resource; known: catalog"),
        ("pull catalog team/app", "the catalog belongs to no repository"),
        ("push maintenance", "push has no meaning for maintenance"),
        ("run catalog", "run has no meaning for catalog"),
        ("push catalog", "push has no meaning for catalog"),
        ("push tags team/app", "push has no meaning for tags"),
        ("pull blobs", "name a repository: pull blobs REPOSITORY"),
        ("pull image", "REPOSITORY[:TAG]"),
        ("pull blobs team/app:v1", "blobs have no tags; name the repository alone: team/app"),
        ("pull image Team/App", "is not a repository, repository:tag or repository@digest"),
        ("pull image team/app:", "is not a repository"),
        ("pull image team/app@sha256:0", "is not a repository"),
        ("GET image team/app", "write pull, push or delete for an image"),
    ],
)
def test_an_invalid_question_is_refused_with_an_example(text, says):
    with pytest.raises(QuestionInvalid) as refused:
        parse_question(text.split())
    assert says in str(refused.value)


@given(st.lists(st.sampled_from([*VERBS, *RESOURCES, "a", "a:b", "", "@", "a@b"]) | st.text(max_size=8), max_size=4))
def test_any_words_are_a_question_or_refused(words):
    try:
        question = parse_question(words)
    except QuestionInvalid:
        return
    assert question.permissions


def asked(text, *, limits=()):
    policy = BindingPolicy([binding("alice", READWRITE, "^team/app(:v.+)?$", name="of-alice")])
    caller = Caller(Identity("alice"), Proof(Source.PASSWORD), limits)
    return answers(parse_question(text.split()), caller, policy)


def test_an_answer_names_the_binding_that_decided():
    (yes,) = asked("pull manifests team/app:v1")
    assert (yes.allowed, str(yes)) == (True, "GET manifests team/app:v1: binding 'of-alice'")
    assert all(answer.allowed for answer in asked("push image team/app:v1"))
    assert [answer.allowed for answer in asked("push image team/app:w1")].count(False) == 2


def test_an_answer_names_what_is_nearest():
    (no,) = asked("delete manifests team/app:v1")
    assert not no.allowed
    assert no.permission == Permission("DELETE", Resource.MANIFESTS, "team/app:v1")
    assert "does not allow DELETE on manifests" in no.reason
    assert str(asked("pull catalog")[0]).startswith("GET catalog: ")


def test_an_answer_shows_that_the_token_is_too_narrow():
    limits = (parse_limit(["repository:^team/app:pull"]),)
    assert all(answer.allowed for answer in asked("pull image team/app:v1", limits=limits))
    assert "the token's scopes do not" in asked("push manifests team/app:v1", limits=limits)[0].reason
