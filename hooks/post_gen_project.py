"""Make the copy of the repository a project of its own. Cookiecutter fills in the braces."""

import json
import os
import sys
from pathlib import Path

answers = json.loads(r"""{{ cookiecutter|tojson }}""")

sys.path.insert(0, str(Path(answers["_repo_dir"]) / "hooks"))
from project import personalise  # noqa: E402

personalise(answers)

# For bin/update: of which commit of which template this is (a zip has none), and the answers.
address = os.environ.get("TEMPLATE") or answers["_template"]
if (local := Path(os.environ.get("PWD", ""), address)).exists():
    address = str(local.resolve())
origin = {"_template": address} | {k: v for k, v in answers.items() if k == "_commit"}
answers = {key: value for key, value in answers.items() if not key.startswith("_")}
Path(".cookiecutter.json").write_text(
    json.dumps({"cookiecutter": origin | answers}, indent=2, ensure_ascii=False) + "\n",
    encoding="utf-8",
)
