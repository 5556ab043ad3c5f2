"""`bin/faults`: after a round everything is as it was answered, and it finds what is planted."""

import os
import subprocess
import sys
from pathlib import Path

from .programs import program

ROOT = Path(__file__).parent.parent


def faults(*options):
    """Run a round; return the status and what was printed."""
    program("nginx")
    result = subprocess.run(
        [sys.executable, "-m", "trials.faults", *options],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name[:2] != "PG"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.returncode, result.stdout


def test_after_a_round_everything_is_as_it_was_answered():
    kinds = ["kill_a_web_worker", "cut_connections", "kill_the_server", "take_the_replica_away"]
    status, printed = faults(*(f"--only={kind}" for kind in kinds))
    assert status == 0, printed
    assert all(f"1 {kind.replace('_', ' ')}" in printed for kind in kinds), printed


def test_a_server_that_answers_before_it_has_written_is_found():
    status, printed = faults("--plant", "--only=kill_the_server")
    assert status == 1, printed
    assert "by the answers" in printed
