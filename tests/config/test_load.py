"""Documents of some directories, loaded together and followed."""

import pytest

from simple_registry.config.access_documents import declared_of
from simple_registry.config.followed import Poll
from simple_registry.config.load import follow_documents, read_documents, warnings_on
from simple_registry.config.values import ConfigError

USER = "kind: User\nmetadata: {name: bob}\n"


def test_documents_come_after_those_that_were_in_force_before(tmp_path):
    (tmp_path / "a.yaml").write_text(USER)
    before = follow_documents((tmp_path,), None)
    (tmp_path / "a.yaml").write_text("kind: Role\nmetadata: {name: r}\nspec: {resources: ['*'], verbs: [pull]}\n")
    after = follow_documents((tmp_path,), None, before)
    assert after.value.named_users
    assert not follow_documents((tmp_path,), None).value.named_users
    (tmp_path / "a.yaml").write_text(USER)
    assert [after.poll(), after.poll()] == [Poll.UNCHANGED, Poll.LOADED]


def test_the_digest_is_that_of_all_files_one_after_the_other(tmp_path):
    (tmp_path / "a.yaml").write_text(USER)
    (tmp_path / "b.yml").write_text("")
    documents = follow_documents((tmp_path,), None).value
    assert documents.digest == "sha256:2889cafac4618c417d424f3677d7d72883dcfd8d9277d3a0a5fd2b96391fb3d1"


def test_unknown_kinds_are_refused_with_the_nearest(tmp_path):
    (tmp_path / "x.yaml").write_text("kind: Usr\nmetadata: {name: x}\n")
    with pytest.raises(ConfigError, match="'Usr' is not a known kind; did you mean 'User'"):
        read_documents([tmp_path])


def test_a_document_that_is_a_link_to_itself_is_refused_in_one_line(tmp_path):
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    with pytest.raises(ConfigError, match=r"loop\.yaml.*Too many levels of symbolic links"):
        read_documents([tmp_path])


def warnings(directory):
    documents = read_documents([directory])
    return warnings_on(declared_of(documents, None), documents, 0.0)


TOKEN = "kind: Token\nmetadata: {{name: t}}\nspec: {{username: ada, expiresAt: 2999-01-01T00:00:00Z, {}}}\n"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (
            "kind: Configuration\nmetadata: {name: c}\nspec: {web: {tokenSecret: 0123456789abcdef0123456789abcdef}}\n",
            True,
        ),
        ("kind: Configuration\nmetadata: {name: c}\nspec: {web: {challenge: basic}}\n", False),
        (TOKEN.format("value: 0123456789abcdef0123456789abcdef"), True),
        (TOKEN.format(f"valueHash: {'ab' * 32}"), False),
    ],
)
def test_a_document_with_a_secret_that_every_user_may_read_gets_a_warning(tmp_path, text, secret):
    file = tmp_path / "a.yaml"
    file.write_text(f"kind: User\nmetadata: {{name: ada}}\n---\n{text}")
    for mode, warned in ((0o640, False), (0o644, secret)):
        file.chmod(mode)
        found = [each for each in warnings(tmp_path) if "chmod" in each]
        assert found == [f"every user of this machine may read the secret in {file}; use chmod o-r"] * warned
        assert "0123456789" not in "".join(found)
