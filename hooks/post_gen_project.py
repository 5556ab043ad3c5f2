"""Make the copy of the repository a project of its own. Cookiecutter fills in the braces."""

import json
import os
import re
import sys
from pathlib import Path

answers = json.loads(r"""{{ cookiecutter|tojson }}""")

sys.path.insert(0, str(Path(answers["_repo_dir"]) / "hooks"))
from project import personalise  # noqa: E402

personalise(answers)

# For bin/update: of which commit of which template this is (a zip has none), and the answers.
# cruft 2.16 runs no pre_prompt hook; copier 9.19 puts its pictures in place of replaced ones.
address = os.environ.get("TEMPLATE", "")
if not address:
    local = Path(os.environ.get("PWD", ""), answers["_template"])
    address = str(local.resolve()) if local.exists() else answers.get("_origin")
source = {
    # No password, nor a token
    "_template": re.sub("^(https?://)[^/@]*@", r"\1", address or answers["_template"]),
    "_commit": answers.get("_commit", ""),
}
answers = {key: value for key, value in answers.items() if not key.startswith("_")}
Path(".cookiecutter.json").write_text(
    json.dumps({"cookiecutter": source | answers}, indent=2, ensure_ascii=False) + "\n",
    encoding="utf-8",
)
