"""`bin/explore`: the promise holds in each order, and it finds what is planted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .serving import database

ROOT = Path(__file__).parent.parent


@pytest.fixture
def explore(transactional_db):
    """A function that runs it on the test's server; it returns the status and what was printed."""

    def run(*options):
        result = subprocess.run(
            [sys.executable, "-m", "trials.explore", "--short", *options],
            cwd=ROOT,
            env=os.environ | database(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return result.returncode, result.stdout

    return run


def test_rows_and_files_agree_in_every_order(explore):
    status, printed = explore()
    assert status == 0, printed
    assert "Findings: 0." in printed


@pytest.mark.parametrize("fault", ["no-lock", "no-bump", "check-before-lock"])
def test_a_planted_fault_is_found(explore, fault):
    status, printed = explore(f"--plant={fault}")
    assert status == 1, printed
    assert "\n  no row names" in printed


def test_what_was_found_is_run_again_by_its_name(explore):
    name = "delete-shared+delete-attachment:rr+rr:open:001011"
    status, printed = explore("--plant=no-bump", f"--replay={name}")
    assert status == 1
    assert printed.startswith(f"{name}\n")
    assert explore(f"--replay={name}")[0] == 0
