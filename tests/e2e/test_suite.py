"""The reader of conformance results can fail: each way a run can be less than clean is a complaint."""

import pytest

from e2e import suite

CLEAN_CASES = '<testcase name="t/pull" status="passed"/><testcase name="t/push" status="passed"/>'
CLEAN_YAML = """\
config: {registry: "127.0.0.1:5000"}
apis: {Ping: Pass, Blob push: Pass}
data: {Image: Pass, Sparse Manifests: Pass}
"""


@pytest.fixture
def results(tmp_path):
    """Write a pair of results files, as the suite does, and read them."""

    def write(*, cases=CLEAN_CASES, counts='tests="2"', document=CLEAN_YAML):
        (tmp_path / "junit.xml").write_text(
            f'<testsuites {counts}><testsuite name="t">{cases}</testsuite></testsuites>'
        )
        (tmp_path / "results.yaml").write_text(document)
        return suite.read(tmp_path)

    return write


def test_clean_results_have_no_complaints(results):
    assert results().complaints(at_least=2) == []


def test_too_few_tests_are_a_complaint(results):
    assert results().complaints(at_least=3) == ["only 2 tests ran, at least 3 were expected"]


@pytest.mark.parametrize("status", ["failure", "error", "skipped", ""])
def test_one_test_case_with_another_status_is_a_complaint(results, status):
    cases = f'<testcase name="t/pull" status="{status}"><system-out>why</system-out></testcase>'

    complaints = results(cases=cases).complaints(at_least=2)

    assert f"{status}: t/pull: why" in complaints


@pytest.mark.parametrize("count", ["failures", "errors", "skipped", "disabled"])
def test_each_count_above_zero_is_a_complaint(results, count):
    assert results(counts=f'tests="2" {count}="1"').complaints(at_least=2) == [f"1 {count}"]


@pytest.mark.parametrize("verdict", ["FAIL", "Error", "Skip", "Disabled", "Unknown"])
@pytest.mark.parametrize("name", ["Blob push", "Image"])
def test_each_verdict_but_pass_is_a_complaint(results, name, verdict):
    document = CLEAN_YAML.replace(f"{name}: Pass", f"{name}: {verdict}")

    assert results(document=document).complaints(at_least=2) == [f"{name}: {verdict}, expected Pass"]


def test_a_test_that_is_expected_to_be_disabled_must_be_disabled(results):
    document = CLEAN_YAML.replace("Sparse Manifests: Pass", "Sparse Manifests: Disabled")

    assert results(document=document).complaints(at_least=2, disabled={suite.SPARSE}) == []
    assert results().complaints(at_least=2, disabled={suite.SPARSE}) == [
        "Sparse Manifests: Pass, expected Disabled",
    ]


def test_no_verdict_at_all_is_a_complaint_where_one_was_expected(results):
    document = "apis: {}\ndata: {}\n"

    assert results(document=document).complaints(at_least=2, disabled={suite.SPARSE}) == [
        "Sparse Manifests: no verdict",
    ]
