"""`doctor`: where the password comes from, what is printed, and exit codes."""

import io
import json

import pytest

from e2e.server import PASSWORD, USERNAME, serve
from simple_registry.cli.doctor import doctor
from simple_registry.cli.options import UsageError


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("registry")) as running:
        yield f"http://{running.host}"


def run(*words, environment=None, stdin=""):
    stdout, stderr = io.StringIO(), io.StringIO()
    code = doctor(
        [*words, "-patience", "1s", "-max-size", "1MiB"], environment or {}, io.StringIO(stdin), stdout, stderr
    )
    return code, stdout.getvalue(), stderr.getvalue()


def test_all_is_well(url):
    code, said, told = run(url, "-user", USERNAME, environment={"REGISTRY_PASSWORD": PASSWORD})
    assert (code, said) == (0, f"{url}: all is well\n")
    assert told.startswith("reach the registry ...\n")
    assert PASSWORD not in told


def test_the_password_may_come_from_standard_input_and_json_is_all_that_is_printed(url):
    code, said, told = run(url, "-user", USERNAME, "-password-stdin", "-json", stdin=f"{PASSWORD}\n")
    assert (code, json.loads(said), told) == (0, {"registry": url, "findings": []}, "")


def test_findings_have_the_lines_of_the_proxy(url):
    words = (url.replace("http:", "https:"), "-proxy", "nginx")
    code, said, _ = run(*words)
    assert code == 1
    assert said.splitlines() == [
        "error: the address speaks plain HTTP where TLS is expected [plain-http]",
        "  seen: http://… answers 200" if " 200" in said else "  seen: http://… answers 401",
        "  fails for: all, unless they are told to accept an insecure registry",
        "  nginx:",
        "    listen 443 ssl;",
        f"{words[0]}: errors: 1, warnings: 0",
    ]
    assert list(json.loads(run(*words, "-json")[1])["findings"][0]["mends"]) == ["nginx"]


def test_lines_that_no_test_has_run_are_marked(url):
    said = run(url.replace("http:", "https:"))[1]
    assert "  traefik (untested):\n" in said
    assert "  apache (untested):\n" in said
    assert "  caddy (untested):\n" in said
    assert "  nginx:\n" in said


def test_anonymous_callers_that_cannot_push_get_a_warning(url):
    code, said, _ = run(url)
    assert code == 0
    assert said.startswith("warning: pushing is not permitted")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "usage: doctor URL"),
        (["https://a/b"], "has a path"),
        (["a", "-proxy", "squid"], "-proxy is one of"),
        (["a", "-cafile", "absent"], "No such file"),
        (["a", "-password-stdin"], "-password-stdin needs -user"),
        (["a", "-user", "b"], "there is no terminal"),
    ],
)
def test_mistakes(words, says):
    with pytest.raises(UsageError, match=says):
        run(*words)


def test_a_size_has_a_least():
    with pytest.raises(UsageError, match="at least 1MiB"):
        doctor(["a", "-max-size", "1KiB"], {}, io.StringIO(), io.StringIO(), io.StringIO())
