"""The recipes of CONTRIBUTING.md for an endpoint, a setting, a kind of document and a storage backend are complete.

Each is followed in a copy of the source, in exactly the files that the recipe names.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from support.sources import PACKAGE, ROOT, imports, modules

RECIPES = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("\n## How to add\n")[2]

ANCHOR = '"""Bounds on what clients may cost. Times in seconds, sizes in bytes."""\n\n'
KNOW_SETTINGS = [
    *("tests/config/test_settings.py", "tests/config/test_kinds.py"),
    *("tests/docs/test_reference.py", "tests/docs/test_limits.py"),
]
"""The tests that know every setting."""
SETTING = """\
    shelf_life: float = setting(
        7.0, _DURATION, "time on the shelf", path="limits.shelfLife", option=Option("shelf-life", "TIME"), restart=True
    )
"""
KIND = '''\
"""`Shelf` documents."""

from simple_registry.config.shapes import NAME, Field, Fields, Kind

SHELF = Kind("Shelf", "a place", Fields((Field("owner", NAME, "its owner", required=True),)))


def read_shelves(documents):
    return {document.name: SHELF.read(document)["owner"] for document in documents}
'''


HANDLER = '''

async def ring_bell(_call: Call[NoTarget]) -> Response:
    """bell: ring the bell."""
    return json_response({})
'''
ROUTE = """\
    route(r"/api/v1/bell", no_target, POST=Endpoint("bell", Need.LOGIN, base.ring_bell, writes=True)),
"""
CHECKS = [
    *("tests/architecture/test_endpoints.py", "tests/docs/test_documents.py", "tests/docs/test_metrics.py"),
    *("tests/http/test_audit.py", "tests/http/test_authorization.py"),
]
"""The tests that know every endpoint."""


def text_of(recipe):
    return re.search(rf"^### {recipe}\n(.*?)^##", RECIPES, re.MULTILINE | re.DOTALL)[1]


def files_of(recipe):
    """Return the modules that a recipe names."""
    return set(re.findall(r"`((?:config|access|cli|server)/\w+\.py)`", text_of(recipe)))


class Copy:
    """A copy of the source that a recipe is followed in."""

    def __init__(self, directory):
        self.source = directory / "src/simple_registry"
        self.changed = set()
        shutil.copytree(ROOT / "src/simple_registry", self.source, ignore=shutil.ignore_patterns("__pycache__"))

    def change(self, file, after, added):
        """Add lines after a line, which is there once."""
        self.changed.add(file)
        text = (self.source / file).read_text("utf-8")
        assert text.count(after) == 1, f"{after!r} is not in {file} once"
        (self.source / file).write_text(text.replace(after, after + added))

    def run(self, *words, **environment):
        """Run Python in the copy; return the exit code and what was printed."""
        path = f"{self.source.parent}:{ROOT / 'tests'}"
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "PYTHONPATH": path, **environment},
        )
        return done.returncode, done.stdout + done.stderr

    def command(self, *words, **environment):
        """Run `simple-registry` in the copy."""
        return self.run("-m", "simple_registry", *words, **environment)

    def shape_in_schema(self, kind):
        """Return the schema of the `spec` of a kind."""
        branches = json.loads(self.command("policy", "schema")[1])["allOf"]
        (then,) = (each["then"] for each in branches if each["if"]["properties"]["kind"]["const"] == kind)
        return then["properties"]["spec"]["properties"]


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


@pytest.fixture
def whole_copy(copy, tmp_path):
    """Return a copy with tests and documents, whose files are named from the top."""
    for name in ("tests", "docs", "packaging"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("*.md"), ROOT / "pyproject.toml"]:
        shutil.copy(path, tmp_path)
    copy.source = tmp_path
    return copy


def document(directory, kind, spec):
    directory.mkdir()
    (directory / "a.yaml").write_text(f"kind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n")
    return directory


def test_a_setting_is_one_row(copy, tmp_path):
    copy.change("config/settings.py", ANCHOR, SETTING)

    assert copy.changed <= files_of("a setting")
    assert "  -shelf-life TIME         time on the shelf (default: 7s)\n" in copy.command("help")[1]
    assert "-shelf-life: 'x' is not a duration" in copy.command("serve", "-shelf-life", "x")[1]
    assert "SIMPLE_REGISTRY_SHELF_LIFE: 'x' is" in copy.command("serve", SIMPLE_REGISTRY_SHELF_LIFE="x")[1]
    assert "shelfLife" in copy.shape_in_schema("Configuration")["limits"]["properties"]
    right = document(tmp_path / "right", "Configuration", "{limits: {shelfLife: 2h}}")
    wrong = document(tmp_path / "wrong", "Configuration", "{limits: {shelfLife: x}}")
    assert copy.command("policy", "check", right)[0] == 0
    assert "spec.limits.shelfLife is wrong: 'x' is not a duration" in copy.command("policy", "check", wrong)[1]
    printed = "from support import reference as r; print(*r.generated().values())"
    assert "| `limits.shelfLife` | duration | no | `7s` | time on the shelf |" in copy.run("-c", printed)[1]
    restart = "from simple_registry.server import supervisor as s; print([row.label for row in s._RESTART_ONLY])"
    assert "'-shelf-life'" in copy.run("-c", restart)[1]


def test_tests_name_what_a_setting_needs_beside_its_row(whole_copy):
    copy = whole_copy
    copy.change("src/simple_registry/config/settings.py", ANCHOR, SETTING)
    missing = failures(copy, KNOW_SETTINGS, "-k", "row or generated or full_documents or every_setting")
    copy.change("tests/support/kinds.py", "drainSize: 1000, ", "shelfLife: 7s, ")
    row = "| time on the shelf | 7 s | `limits.shelfLife` | the shelf | each book | nothing |\n"
    copy.change("docs/operations/limits.md", "| 414 `UNSUPPORTED` |\n", row)
    path = f"{copy.source}/src:{copy.source}/tests"
    assert copy.run("-m", "support.reference", PYTHONPATH=path) == (0, "")

    assert failures(copy, KNOW_SETTINGS, "-k", "row or generated or full_documents or every_setting") == set()
    assert copy.changed <= {f"src/simple_registry/{name}" for name in files_of("a setting")} | {
        *re.findall(r"`(tests/[\w/]+\.py)`", text_of("a setting")),
        *re.findall(r"\]\((\S+)\)", text_of("a setting")),
    }
    assert {test for _, test in missing} == {
        "test_the_full_documents_have_every_field_and_load",
        "test_generated_parts_are_up_to_date",
        "test_every_setting_of_limits_has_a_row_with_its_default",
    }


def test_a_kind_of_document_is_a_shape_and_a_reader(copy, tmp_path):
    (copy.source / "config/shelves.py").write_text(KIND)
    copy.change("config/kinds.py", "import CONFIGURATION\n", "from simple_registry.config.shelves import SHELF\n")
    copy.change("config/kinds.py", "TOKEN_ISSUER, CONFIGURATION", ", SHELF")
    field = "    shelves: Mapping[str, str] = field(default_factory=dict)\n"
    copy.change("access/rules.py", 'declare, each by itself."""\n\n', field)
    copy.change("access/rules.py", 'and trusted issuers."""\n\n', field)
    copy.change("access/rules.py", "administrator=declared.administrator,\n", "        shelves=declared.shelves,\n")
    reader = "from simple_registry.config.shelves import read_shelves\n"
    copy.change("config/access_documents.py", "import Administrator\n", reader)
    shelves = '        shelves=read_shelves(documents.of("Shelf")),\n'
    copy.change("config/access_documents.py", "        issuers=issuers,\n", shelves)

    assert copy.changed == files_of("a kind of document")
    assert copy.shape_in_schema("Shelf") == {"owner": {"type": "string", "description": "its owner"}}
    right, wrong = document(tmp_path / "right", "Shelf", "{owner: ann}"), document(tmp_path / "wrong", "Shelf", "{}")
    assert "spec needs 'owner'" in copy.command("policy", "check", wrong)[1]
    load = f"""
from pathlib import Path
from simple_registry.config.load import load_access
print(load_access([Path({str(right)!r})]).shelves)
"""
    assert copy.run("-c", load) == (0, "{'x': 'ann'}\n")


def failures(copy, checks, *options):
    """Return the file and name of each test that fails."""
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", copy.source, *options)
    _, printed = copy.run(*words, *(copy.source / check for check in checks), PYTHONPATH=f"{copy.source}/src")
    assert " passed" in printed, printed
    return set(re.findall(r"^FAILED (\S+?)::(\w+)", printed, re.MULTILINE))


def test_an_endpoint_is_a_handler_and_a_row_and_tests_name_the_rest(whole_copy):
    copy = whole_copy
    copy.change("src/simple_registry/http/handlers/base.py", "    return json_response({})\n", HANDLER)
    copy.change("src/simple_registry/http/routes.py", "ROUTES: Sequence[Route[Any]] = (\n", ROUTE)
    missing = failures(copy, CHECKS, "-k", "endpoint")
    copy.change("docs/api/README.md", "/readyz\n", "    POST                         /api/v1/bell\n")
    copy.change("docs/api/tokens-and-health.md", "\n## Health\n", "\n`POST` `/api/v1/bell` rings.\n")
    copy.change("docs/operations/metrics.md", "`revoke_token`, ", "`ring_bell`, ")
    copy.change("tests/architecture/test_endpoints.py", "OWN = {", '"bell", ')
    copy.change("tests/architecture/test_endpoints.py", "ENTRIES = {\n", '    ("POST", "bell"): Need.LOGIN,\n')
    copy.change("tests/http/test_authorization.py", "WITHOUT = {\n", '    "ring_bell": "it reads no body",\n')

    assert failures(copy, CHECKS, "-k", "endpoint") == set()
    recipe = text_of("an endpoint")
    beside = {name for name in copy.changed if not name.startswith("src/")} - {"docs/api/tokens-and-health.md"}
    assert beside == {*re.findall(r"`(tests/[\w/]+\.py)`", recipe), *re.findall(r"\]\((\S+)\)", recipe)}
    assert "`http/routes.py`" in recipe
    assert {test for _, test in missing} == {
        "test_an_endpoint_has_ids_that_are_known",
        "test_an_endpoint_needs_a_resource_unless_it_is_listed_here",
        "test_every_endpoint_is_listed_with_its_methods",
        "test_every_method_of_every_endpoint_has_its_text",
        "test_every_endpoint_is_named",
        "test_every_endpoint_that_writes_is_asked_here",
    }


def test_the_recipe_of_a_storage_backend_names_every_module_that_opens_one():
    opens = {
        name
        for name, path in modules().items()
        if not name.startswith("backends") and any(each.startswith(f"{PACKAGE}.backends") for each in imports(path))
    }
    assert opens == {
        file.removesuffix(".py").replace("/", ".")
        for file in re.findall(r"`((?:cli/)?\w+\.py)`", text_of("a storage backend"))
    }
