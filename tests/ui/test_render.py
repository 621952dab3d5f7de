"""Pages from templates."""

import pytest
from jinja2 import UndefinedError

from simple_registry.ui.render import _environment, redirect
from support.sources import SOURCE


def macro(source, **values):
    return _environment().from_string('{% import "parts.html" as parts %}' + source).render(values)


def test_every_template_can_be_compiled():
    names = [path.relative_to(SOURCE / "ui/templates").as_posix() for path in (SOURCE / "ui/templates").rglob("*.html")]
    assert names
    for name in names:
        _environment().get_template(name)


def test_a_name_that_is_not_there_is_an_error():
    with pytest.raises(UndefinedError):
        macro("{{ missing }}")


HOSTILE = '"><script>alert(1)</script>&amp;{{ 7 * 7 }}'


@pytest.mark.parametrize(
    "source",
    [
        "{{ parts.copy(x) }}",
        "{{ parts.copy_field(x, x) }}",
        "{{ parts.digest(x, x) }}",
        "{{ parts.badge(x) }}",
        "{{ parts.tag(x, x) }}",
        "{{ parts.meter(1, 2, x) }}",
        "{{ parts.empty(x) }}",
        "{{ parts.notice(x) }}",
        "{{ parts.pager(x, x) }}",
        "{{ parts.crumbs([(x, x), (x, none)]) }}",
        "{{ parts.confirm(x, x, x, x) }}",
    ],
)
def test_no_part_of_a_page_lets_markup_through(source):
    html = macro(source, x=HOSTILE)
    assert "<script" not in html
    assert "&lt;script&gt;" in html or "digest" in html
    assert "49" not in html
    assert '""' not in html.replace('alt=""', "")


def test_a_time_is_exact_and_one_that_never_came_says_so():
    assert macro("{{ parts.time(x) }}", x=0).strip() == (
        '<time datetime="1970-01-01T00:00:00Z" title="1970-01-01T00:00:00Z">1970-01-01 00:00 UTC</time>'
    )
    assert "never" in macro("{{ parts.time(x) }}", x=None)


def test_a_size_is_exact_on_hover():
    assert macro("{{ parts.bytes(x) }}", x=1536) == '<span class="number" title="1,536 B">1.5 KiB</span>'


def test_a_digest_is_shortened_and_copied_whole():
    html = macro("{{ parts.digest(x) }}", x="sha256:" + "ab" * 32)
    assert f'data-value="sha256:{"ab" * 32}"' in html
    assert ">abababababab</code>" in html


def test_a_redirect_is_not_kept():
    reply = redirect("/")
    assert (reply.status, dict(reply.headers)["location"], dict(reply.headers)["cache-control"]) == (
        303,
        "/",
        "private, no-store",
    )
