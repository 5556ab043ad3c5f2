"""What GitHub, GitLab and Dependabot read: valid, safe, and running what .ci/run runs."""

import os
import re
import shutil
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

    assert legs[-3:] == ["all-tests", "oldest", "newest"]
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
    script = (ROOT / ".ci" / "run").read_text()
    named = {
        path: leg
        for leg, body in re.findall(r"^([a-z]+)\(\) \{\n(.*?)^\}", script, re.S | re.M)
        for path in re.findall(r"tests/test_\w+\.py", body)
        if leg != "tests"
    }
    assert sorted(named) == left_out
    legs = "template packages browsers backups trials containers"
    assert set(named.values()) == set(legs.split())
    assert f"set -- {legs} all-tests oldest\n" in script
    for paths in [r'\\\n +"\$\{left_out\[@\]\}"', r"tests/test_containers\.py"]:
        run = rf"-m pytest --quiet .*--durations=0 --durations-min=1 {paths}[^|]*\|\| .*failed="
        assert len(re.findall(run, script)) == 1


def test_containers_that_cannot_run_are_not_run_and_have_not_passed(tmp_path):
    """As on a machine that has neither Docker nor apt, and on which nobody is root."""
    for name in [".ci/run", ".ci/containers"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name, text in {
        "bin/setup": "true",
        "tools/docker": "exit 1",
        "tools/id": "echo 1000",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    result = subprocess.run(
        [tmp_path / ".ci" / "run", "containers"],
        env={**os.environ, "PATH": f"{tmp_path}/tools:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 77
    began = r"== containers, after \d+ seconds\n"
    assert re.fullmatch(rf"{began}== tests/test_containers\.py\n", result.stdout)
    assert result.stderr == (
        "NOT RUN: containers, because no engine runs, and only root can start one\n"
    )
