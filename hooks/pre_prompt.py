"""The repository is its own template: copy what belongs to a project to where cookiecutter looks.

Runs in cookiecutter's temporary copy of the repository, before its questions.
"""

import json
import shutil
from pathlib import Path

from project import belongs, git, tracked

TEMPLATE = Path("{{cookiecutter.project_slug|checked}}")

for path in filter(belongs, tracked()):
    (TEMPLATE / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, TEMPLATE / path)
    if path.read_bytes().startswith(b"#!"):  # Python unpacks an archive without the modes.
        (TEMPLATE / path).chmod(0o755)

# What bin/update of the project will start from.
if Path(".git").exists():
    source = {
        "_commit": git("rev-parse", "-q", "--verify", "HEAD", check=False).strip(),
        "_origin": git("config", "remote.origin.url", check=False).strip(),
    }
    options = Path("cookiecutter.json")
    known = json.loads(options.read_text(encoding="utf-8"))
    options.write_text(json.dumps(known | source), encoding="utf-8")
