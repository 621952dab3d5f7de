"""The token guide's documents load, and give exactly the described permissions."""

import re
from pathlib import Path

import pytest

from simple_registry.access.issuers import ClaimsInvalid
from simple_registry.access.limits import parse_client_limit
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed
from simple_registry.config.load import load_access

GUIDE = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text("utf-8")
DOCUMENTS = [text for text in re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL) if "kind:" in text]


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "issuers.yaml").write_text("---\n".join(DOCUMENTS))
    return load_access([tmp_path])


def may_push(rules, issuer, claims, repository, tag="v1"):
    (found,) = (one for one in rules.issuers if one.name == issuer)
    identity = found.identity(claims)
    permissions = [
        Permission("POST", Resource.BLOBS, repository),
        Permission("PUT", Resource.MANIFESTS, f"{repository}:{tag}"),
    ]
    return all(isinstance(rules.policy.decide(identity, permission), Allowed) for permission in permissions)


GITHUB = {
    "sub": "repo:example-org/app:ref:refs/heads/main",
    "repository": "example-org/app",
    "repository_owner": "example-org",
    "ref": "refs/heads/main",
}
GITLAB = {
    "sub": "project_path:team/app:ref_type:branch:ref:main",
    "project_path": "team/app",
    "namespace_path": "team",
    "ref_protected": "true",
}


def test_a_github_job_pushes_to_its_own_repository_only(rules):
    assert may_push(rules, "github", GITHUB, "ci/example-org/app")
    assert may_push(rules, "github", GITHUB | {"ref": "refs/tags/v1.2"}, "ci/example-org/app")
    for other in (
        "ci/example-org/app2",
        "ci/example-org/app/x",
        "ci/other/app",
        "example-org/app",
        "x/ci/example-org/app",
    ):
        assert not may_push(rules, "github", GITHUB, other)


@pytest.mark.parametrize(
    "changed",
    [
        {"repository_owner": "evil"},
        {"repository_owner": "example-org-evil"},
        {"repository_owner": None},
        {"ref": "refs/heads/feature"},
        {"ref": "refs/heads/main2"},
        {"ref": "refs/pull/1/merge"},
    ],
)
def test_other_github_jobs_are_refused(rules, changed):
    with pytest.raises(ClaimsInvalid):
        may_push(rules, "github", GITHUB | changed, "ci/example-org/app")


def test_a_gitlab_job_pushes_to_its_own_repository_only(rules):
    assert may_push(rules, "gitlab", GITLAB, "team/app")
    assert not may_push(rules, "gitlab", GITLAB, "team/app2")
    for changed in ({"ref_protected": "false"}, {"namespace_path": "team2"}):
        with pytest.raises(ClaimsInvalid):
            may_push(rules, "gitlab", GITLAB | changed, "team/app")


def test_the_scopes_of_the_guide_are_scopes():
    scopes = re.findall(r"repository:[^\s'\"`<]+:[a-z,]+", GUIDE.replace("\\|", "|"))
    assert len(scopes) > 4
    for scope in scopes:
        parse_client_limit([scope])
