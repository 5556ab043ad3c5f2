"""Make a project of the repository, its own template. Cookiecutter fills in the braces.

A hook before the questions could do this, too, but for it cookiecutter first copies all there is,
.venv and all.
"""

import json
import os
import re
import shlex
import sys
from pathlib import Path

answers = json.loads(r"""{{ cookiecutter|tojson }}""")
(template,) = json.loads(r"""{{ [folder_of_the_template()]|tojson }}""")

sys.path.insert(0, str(Path(template) / "hooks"))
from project import bring, origin, personalise  # noqa: E402 - its folder is known only now

project = Path.cwd()
os.chdir(template)
bring(project)
known = origin()
os.chdir(project)
personalise(answers)

# For bin/update: of which commit of which template this is, and the answers.
# copier 9.19 would put its pictures in place of replaced ones.
start = Path(os.environ.get("PWD", ""))
address = os.environ.get("TEMPLATE", "")
if not address:
    local = start / answers["_template"]
    address = str(local.resolve()) if local.exists() else known["_origin"]
source = {
    # No password, nor a token
    "_template": re.sub("^(https?://)[^/@]*@", r"\1", address or answers["_template"]),
    "_commit": known["_commit"],
}
answers = {key: value for key, value in answers.items() if not key.startswith("_")}
Path(".cookiecutter.json").write_text(
    json.dumps({"cookiecutter": source | answers}, indent=2, ensure_ascii=False) + "\n",
    encoding="utf-8",
)

if "TEMPLATE" not in os.environ:  # which bin/update sets
    shown = project.relative_to(start) if project.is_relative_to(start) else project
    print(f"""{answers["project_name"]} is made. What to type next:

  cd {shlex.quote(str(shown))}
  bin/demo    # the site, at an address that it prints; Ctrl-C ends it
  bin/test    # every check and every test
  git init && git add . && git commit -m "As it came"    # bin/update asks for it""")
