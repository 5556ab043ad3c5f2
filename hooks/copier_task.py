"""Make the project by cookiecutter, for `copier update` (copier.yml): TEMPLATE ADDRESS ANSWERS."""

import json
import sys
import tempfile
from pathlib import Path
from shutil import copytree

import yaml
from cookiecutter.main import cookiecutter

template, address, given = sys.argv[1:]
answers = Path(".copier-answers.yml")
known = yaml.safe_load(answers.read_text(encoding="utf-8")) if answers.exists() else {}

with tempfile.TemporaryDirectory() as directory:
    config = Path(directory, "config.yaml")  # nothing of the user's own: not twice the same
    config.write_text(json.dumps({"replay_dir": directory}), encoding="utf-8")
    project = cookiecutter(
        template,
        no_input=True,
        extra_context=known | json.loads(given),
        output_dir=f"{directory}/project",
        config_file=str(config),
    )
    copytree(project, ".", dirs_exist_ok=True)

text = answers.read_text(encoding="utf-8")
answers.write_text(text.replace(json.dumps(template), json.dumps(address)), encoding="utf-8")
