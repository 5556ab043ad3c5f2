"""What GitHub, GitLab and Dependabot read: valid, safe, and running what .ci/run runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"
GITLAB = ROOT / ".gitlab-ci.yml"


def run(*command):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("github-workflows", WORKFLOW),
        ("gitlab-ci", GITLAB),
        ("dependabot", ROOT / ".github" / "dependabot.yml"),
    ],
)
def test_a_file_is_what_its_reader_says_it_must_be(schema, path):
    check = [sys.executable, "-m", "check_jsonschema", f"--builtin-schema=vendor.{schema}"]
    assert run(*check, path) == (0, "ok -- validation done\n")


def test_zizmor_finds_nothing():
    zizmor = Path(sys.executable).with_name("zizmor")
    code, printed = run(zizmor, "--offline", "--pedantic", "--strict-collection", ROOT)
    assert (code, printed.splitlines()[0]) == (0, "No findings to report. Good job!")
    for read in (".github/dependabot.yml", ".github/workflows/tests.yml"):
        assert f"completed {ROOT / read}\n" in printed


def test_both_run_every_leg_of_ci_run():
    code, printed = run(ROOT / ".ci" / "run", "nonsense")
    legs = re.findall(r"[a-z-]+", printed.split(", only ")[1].replace(" and ", ", "))
    github = yaml.safe_load(WORKFLOW.read_text())["jobs"]["tests"]
    gitlab = yaml.safe_load(GITLAB.read_text())["tests"]

    assert (code, legs) == (2, ["template", "all-tests", "oldest", "newest", "distribution"])
    assert github["strategy"]["matrix"] == {"leg": legs}
    assert github["steps"][-1] == {"run": '.ci/run "$LEG"', "env": {"LEG": "${{ matrix.leg }}"}}
    assert gitlab["parallel"]["matrix"] == [{"LEG": legs}]
    assert gitlab["script"] == ['.ci/run "$LEG"']
