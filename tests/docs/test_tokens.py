"""The documents about tokens and CI load, and give exactly the described permissions."""

import re

import pytest

from simple_registry.access.issuers import ClaimsInvalid
from simple_registry.access.limits import parse_client_limit
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed
from simple_registry.config.load import load_access
from support.sources import ROOT

GUIDE = (ROOT / "docs" / "tokens.md").read_text("utf-8")
GUIDES = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs" / "guides").glob("*.md")}
HASH = "$2b$12$ibNQSO1AOGCdBgD.1Lz6jOEwvPFiM/UttzOVJtManJJZhCeQRZkjS"


def documents(text):
    """Return the documents for the registry in a page."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block.replace("$2b$12$…", HASH) for block in blocks if "kind:" in block]


@pytest.fixture
def load(tmp_path):
    def of(page):
        (tmp_path / "documents.yaml").write_text("---\n".join(documents(GUIDES[page])))
        return load_access([tmp_path])

    return of


@pytest.mark.parametrize("page", [name for name, text in GUIDES.items() if documents(text)])
def test_the_documents_of_a_guide_load(load, page):
    assert load(page).policy is not None


@pytest.fixture
def github(load):
    return load("github-actions")


@pytest.fixture
def gitlab(load):
    return load("gitlab-ci")


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


def test_a_github_job_pushes_to_its_own_repository_only(github):
    assert may_push(github, "github", GITHUB, "ci/example-org/app")
    assert may_push(github, "github", GITHUB | {"ref": "refs/tags/v1.2"}, "ci/example-org/app")
    for other in (
        "ci/example-org/app2",
        "ci/example-org/app/x",
        "ci/other/app",
        "example-org/app",
        "x/ci/example-org/app",
    ):
        assert not may_push(github, "github", GITHUB, other)


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
def test_other_github_jobs_are_refused(github, changed):
    with pytest.raises(ClaimsInvalid):
        may_push(github, "github", GITHUB | changed, "ci/example-org/app")


def test_a_gitlab_job_pushes_to_its_own_repository_only(gitlab):
    assert may_push(gitlab, "gitlab", GITLAB, "team/app")
    assert not may_push(gitlab, "gitlab", GITLAB, "team/app2")
    for changed in ({"ref_protected": "false"}, {"namespace_path": "team2"}):
        with pytest.raises(ClaimsInvalid):
            may_push(gitlab, "gitlab", GITLAB | changed, "team/app")


def test_the_scopes_of_the_guide_are_scopes():
    scopes = re.findall(r"repository:[^\s'\"`<]+:[a-z,]+", GUIDE.replace("\\|", "|"))
    assert len(scopes) > 4
    for scope in scopes:
        parse_client_limit([scope])
