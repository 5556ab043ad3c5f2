"""Give the project its own name; a text that is not where it is expected is an error."""

import json
import os
import sys
from pathlib import Path

NAME = """{{ cookiecutter.project_name }}"""
SLUG = """{{ cookiecutter.project_slug }}"""

RENAMED = [
    ("pyproject.toml", 'name = "lo-storage"', f'name = "{SLUG}"'),
    ("docker-compose.yml", "name: lo-storage\n", f"name: {SLUG}\n"),
    ("docker-compose.yml", "image: lo-storage\n", f"image: {SLUG}\n"),
    ("templates/base.html", "– Invoices</title>", f"– {NAME}</title>"),
    ("templates/base.html", "  Invoices\n      </a>", f"  {NAME}\n      </a>"),
    ("README.md", "# lo_storage\n", f"# {NAME}\n"),
]

for path, old, new in RENAMED:
    text = Path(path).read_text(encoding="utf-8")
    if old not in text:
        sys.exit(f"{path} does not hold {old!r} any more: mend hooks/post_gen_project.py")
    Path(path).write_text(
        text.replace(old, new, 1 if path == "README.md" else -1), encoding="utf-8"
    )

# Where the project comes from, and the answers, for `copier update`; a zip's has no commit.
ANSWERS = Path(".copier-answers.yml")
if ANSWERS.exists():
    given = json.loads(r"""{{ cookiecutter|jsonify }}""")
    address = given["_template"]
    if "://" in address:
        address = "git+" + address.removeprefix("git+")
    elif (local := Path(os.environ.get("PWD", ""), address)).exists():
        address = str(local.resolve())
    answers = {key: value for key, value in given.items() if not key.startswith("_")}
    with ANSWERS.open("a", encoding="utf-8") as file:
        for key, value in {"_src_path": address, **answers}.items():
            file.write(f"{key}: {json.dumps(value, ensure_ascii=False)}\n")
