"""What GitHub, GitLab and Dependabot read: valid, safe, and running what .ci/run runs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW, GITLAB = ".github/workflows/tests.yml", ".gitlab-ci.yml"
SCHEMAS = {
    WORKFLOW: "vendor.github-workflows",
    GITLAB: "vendor.gitlab-ci",
    ".github/dependabot.yml": "vendor.dependabot",
}


def run(*command, code=0):
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout + result.stderr


def assert_valid(path, folder=ROOT):
    schema = f"--builtin-schema={SCHEMAS[path]}"
    run(sys.executable, "-m", "check_jsonschema", schema, folder / path)


def assert_safe(folder=ROOT):
    zizmor = Path(sys.executable).with_name("zizmor")
    settings = ("--offline", "--pedantic", "--strict-collection", "--color=never")
    printed = run(zizmor, *settings, folder)
    assert printed.startswith("No findings to report. Good job!\n")
    for read in (".github/dependabot.yml", WORKFLOW):
        assert f"completed {folder / read}\n" in printed


def assert_complete(folder=ROOT):
    printed = run(folder / ".ci" / "run", "nonsense", code=2)
    legs = re.findall(r"[a-z-]+", printed.split(", only ")[1].replace(" and ", ", "))
    github = yaml.safe_load((folder / WORKFLOW).read_text())["jobs"]["tests"]
    gitlab = yaml.safe_load((folder / GITLAB).read_text())["tests"]

    assert legs[-4:] == ["all-tests", "oldest", "newest", "distribution"]
    assert github["strategy"]["matrix"] == {"leg": legs}
    assert github["steps"][-1] == {"run": '.ci/run "$LEG"', "env": {"LEG": "${{ matrix.leg }}"}}
    assert gitlab["parallel"]["matrix"] == [{"LEG": legs}]
    assert gitlab["script"] == ['.ci/run "$LEG"']


@pytest.mark.parametrize("path", SCHEMAS)
def test_a_file_is_what_its_reader_says_it_must_be(path):
    assert_valid(path)


def test_zizmor_finds_nothing():
    assert_safe()


def test_both_run_every_leg_of_ci_run():
    assert_complete()


def test_what_bin_test_leaves_out_is_a_leg():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["addopts"]
    left_out = [option.removeprefix("--ignore=") for option in options if "ignore" in option]
    assert left_out == ["tests/test_browsers.py", "tests/test_packages.py"]
    script = (ROOT / ".ci" / "run").read_text()
    for path in left_out:
        name = path.removeprefix("tests/test_").removesuffix(".py")
        (leg,) = re.findall(rf"^{name}\(\) \{{\n(.*?)^\}}", script, re.S | re.M)
        assert f"-m pytest --quiet --durations=0 --durations-min=1 {path} " in leg
        assert "|| failed=" in leg
    assert "set -- template packages browsers all-tests oldest\n" in script
