"""The repository is its own template: copy what belongs to a project to where cookiecutter looks.

Runs in cookiecutter's temporary copy of the repository, before its questions.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

TEMPLATE = Path("{{cookiecutter.project_slug}}")
NOT_FOR_A_PROJECT = {
    "cookiecutter.json",
    "hooks",
    "newcomer.py",
    "test_ci_files.py",
    "test_copy_in.py",
    "test_from_pg_lo_storage.py",
    "test_mistakes.py",
    "test_package.py",
    "test_template.py",
    "test_updates.py",
}


def git(*arguments: str, check: bool = True) -> str:
    """What git prints about this repository, and not about one whose hook runs this."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return os.fsdecode(
        subprocess.run(["git", *arguments], env=environment, stdout=-1, check=check).stdout
    )


def tracked() -> list[Path]:
    """What git tracks, so that no secret and no data of this checkout go along."""
    if not Path(".git").exists():  # an unpacked archive has nothing else
        return [path for path in Path().rglob("*") if path.is_file()]
    return [Path(name) for name in git("ls-files", "-z").split("\0") if name]


for path in tracked():
    if path.is_file() and NOT_FOR_A_PROJECT.isdisjoint(path.parts):
        (TEMPLATE / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, TEMPLATE / path)

# What bin/update of the project will start from.
if Path(".git").exists() and (commit := git("rev-parse", "-q", "--verify", "HEAD", check=False)):
    options = Path("cookiecutter.json")
    known = json.loads(options.read_text(encoding="utf-8"))
    options.write_text(json.dumps(known | {"_commit": commit.strip()}), encoding="utf-8")
