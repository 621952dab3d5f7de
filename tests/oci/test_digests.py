"""Digests: one spelling for each content and algorithm."""

import contextlib
import hashlib

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import ALGORITHMS, Digest, digest_of, new_hasher, parse_algorithm, parse_digest
from simple_registry.oci.errors import DigestInvalid

HEX = {"sha256": "0123456789abcdef" * 4, "sha512": "0123456789abcdef" * 8}
algorithms = st.sampled_from(sorted(ALGORITHMS))


@given(st.binary(), algorithms)
def test_a_digest_reads_back_as_it_was_written(data, algorithm):
    digest = digest_of(data, algorithm)
    assert parse_digest(str(digest)) == digest


@given(st.binary(), algorithms)
def test_the_digest_of_data_is_its_hash(data, algorithm):
    assert str(digest_of(data, algorithm)) == f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


@given(st.lists(st.binary()), algorithms)
def test_a_hasher_fed_in_parts_gives_the_digest_of_the_whole(chunks, algorithm):
    hasher = new_hasher(algorithm)
    for chunk in chunks:
        hasher.update(chunk)
    assert Digest(algorithm, hasher.hexdigest()) == digest_of(b"".join(chunks), algorithm)


def test_the_canonical_algorithm_is_sha256():
    assert digest_of(b"").algorithm == "sha256"


@given(st.text())
def test_text_is_refused_or_read_back_whole(text):
    with contextlib.suppress(DigestInvalid):
        assert str(parse_digest(text)) == text


@given(st.text())
def test_text_is_an_algorithm_exactly_when_it_is_supported(text):
    try:
        assert parse_algorithm(text) in ALGORITHMS
    except DigestInvalid:
        assert text not in ALGORITHMS


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_supported_algorithms_are_accepted(algorithm):
    assert parse_algorithm(algorithm) == algorithm
    assert parse_digest(f"{algorithm}:{HEX[algorithm]}") == Digest(algorithm, HEX[algorithm])


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        ":" + HEX["sha256"],
        "sha256:" + HEX["sha256"] + "\n",
        "sha256:" + HEX["sha256"] + "\0",
        " sha256:" + HEX["sha256"],
        "sha256:" + HEX["sha256"][:-1],
        "sha256:" + HEX["sha256"] + "0",
        "sha256:" + HEX["sha256"].upper(),
        "SHA256:" + HEX["sha256"],
        "sha256:" + HEX["sha256"][:-1] + "g",
        "sha256:" + HEX["sha256"][:-1] + "\u0661",
        "sha256:" + HEX["sha256"][:-1] + "\uff11",
        "sha256:" + HEX["sha512"],
        "sha512:" + HEX["sha256"],
        "sha384:" + "0" * 96,
        "md5:" + "0" * 32,
        "sha256+b64:" + HEX["sha256"],
        "sha256::" + HEX["sha256"],
        "sha256:../../../etc/passwd",
        "sha256:" + "0" * 100_000,
    ],
)
def test_malformed_or_unsupported_digests_are_refused(text):
    with pytest.raises(DigestInvalid) as refused:
        parse_digest(text)
    assert len(refused.value.facts["digest"]) <= 160
    assert refused.value.facts["supported"] == ["sha256", "sha512"]


@pytest.mark.parametrize("text", ["", "sha1", "SHA256", "sha256\n", "sha256 ", "sha-256", "x" * 100_000])
def test_unsupported_algorithms_are_refused(text):
    with pytest.raises(DigestInvalid) as refused:
        parse_algorithm(text)
    assert len(refused.value.facts["algorithm"]) <= 64


@given(st.binary(), st.binary(), algorithms)
def test_digests_sort_as_their_texts_do_within_an_algorithm(one, other, algorithm):
    digests = [digest_of(one, algorithm), digest_of(other, algorithm)]
    assert [str(digest) for digest in sorted(digests)] == sorted(str(digest) for digest in digests)
