import os
import subprocess
import sys


def run_python(project, *arguments, without=("DJANGO_SETTINGS_MODULE",)):
    """Run Python in a project, whose environment lacks some of ours; return what it printed."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={name: value for name, value in os.environ.items() if name not in without},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout
