"""The repository is its own template: copy what belongs to a project to where cookiecutter looks.

Runs in cookiecutter's temporary copy of the repository, before its questions.
"""

import os
import shutil
import subprocess
from pathlib import Path

TEMPLATE = Path("{{cookiecutter.project_slug}}")
NOT_FOR_A_PROJECT = {"cookiecutter.json", "hooks", "test_template.py"}


def tracked() -> list[Path]:
    """What git tracks, so that no secret and no data of this checkout go along."""
    if not Path(".git").exists():  # an unpacked archive has nothing else
        return [path for path in Path().rglob("*") if path.is_file()]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    listing = subprocess.run(["git", "ls-files", "-z"], env=environment, stdout=-1, check=True)
    return [Path(os.fsdecode(name)) for name in listing.stdout.split(b"\0") if name]


for path in tracked():
    if path.is_file() and NOT_FOR_A_PROJECT.isdisjoint(path.parts):
        (TEMPLATE / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, TEMPLATE / path)
