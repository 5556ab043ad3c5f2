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

# For bin/update: of which commit of which template this is (a zip has none), and the answers.
answers = json.loads(r"""{{ cookiecutter|jsonify }}""")
address = os.environ.get("TEMPLATE") or answers["_template"]
if (local := Path(os.environ.get("PWD", ""), address)).exists():
    address = str(local.resolve())
origin = {"_template": address} | {k: v for k, v in answers.items() if k == "_commit"}
answers = {key: value for key, value in answers.items() if not key.startswith("_")}
Path(".cookiecutter.json").write_text(
    json.dumps({"cookiecutter": origin | answers}, indent=2, ensure_ascii=False) + "\n",
    encoding="utf-8",
)
