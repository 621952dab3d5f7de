"""Words on the command line that name a repository, a tag or a digest."""

import pytest

from simple_registry.cli.images import parse_image, parse_tagged
from simple_registry.cli.options import UsageError
from simple_registry.oci.digests import digest_of

DIGEST = digest_of(b"")


def test_a_word_names_a_repository_a_tag_or_a_digest():
    assert parse_image("team/app") == ("team/app", None)
    assert parse_image("team/app:v1") == ("team/app", "v1")
    assert parse_image(f"team/app@{DIGEST}") == ("team/app", DIGEST)
    assert parse_tagged("team/app:v1") == ("team/app", "v1")


@pytest.mark.parametrize("word", ["", ":", "UPPER", "a:", "a:-", "a@", "a@sha256:1", f"a:v1@{DIGEST}", "a/", "a b"])
def test_other_words_are_refused_with_the_right_forms(word):
    with pytest.raises(UsageError):
        parse_image(word)


@pytest.mark.parametrize("word", ["team/app", f"team/app@{DIGEST}"])
def test_a_tag_must_be_named_where_one_is_meant(word):
    with pytest.raises(UsageError, match="REPOSITORY:TAG"):
        parse_tagged(word)
