"""lo_storage copied alone into a new project works by the lines of its README."""

import json
import re
import shutil
from pathlib import Path
from textwrap import dedent, indent

from django.conf import settings

from .programs import run_python

ROOT = Path(__file__).parent.parent
README = (ROOT / "lo_storage" / "README.md").read_text()

# What the README's lines must lead to, in the new project's own test runner.
JOURNEY = """
from contextlib import suppress

from django.contrib.auth.models import User
from django.test import TransactionTestCase
from lo_storage.models import LargeObject

from .models import Paper


class Journey(TransactionTestCase):
    def test_save_serve_roll_back_delete(self):
{save}
        self.client.force_login(User.objects.create_user("alice"))
        response = self.client.get(f"/papers/{{paper.data.name}}")
        self.assertEqual(response.getvalue(), b"march")
        self.assertIn("march.pdf", response["Content-Disposition"])

        with suppress(ZeroDivisionError), transaction.atomic():
            Paper.objects.create(title="April", data=ContentFile(b"april", "april.pdf"))
            1 / 0
        self.assertEqual(LargeObject.objects.count(), 1)

        Paper.objects.update(data=None)
        self.assertEqual(LargeObject.objects.count(), 0)
"""


def manage(project, *arguments):
    return run_python(project, "-W", "error", "manage.py", *arguments)


def test_the_lines_of_the_readme(tmp_path):
    blocks = [dedent(block) for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL)]
    installed, model, view, save = blocks[:4]
    (route,) = re.findall(r"In `urls\.py`: `(path\(.*\))`", README)
    database = {
        **{key: settings.DATABASES["default"][key] for key in ["HOST", "PORT", "USER", "PASSWORD"]},
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",  # only looked at; the tests make their own
        "TEST": {"NAME": "test_copy_in"},
    }

    run_python(tmp_path, "-m", "django", "startproject", "site1", ".")
    manage(tmp_path, "startapp", "papers")
    shutil.copytree(
        ROOT / "lo_storage", tmp_path / "lo_storage", ignore=shutil.ignore_patterns("__pycache__")
    )
    with (tmp_path / "site1" / "settings.py").open("a") as file:
        file.write(f'{installed}INSTALLED_APPS += ["papers"]\n')
        file.write(f"DATABASES = {{'default': {json.dumps(database)}}}\n")
    (tmp_path / "papers" / "models.py").write_text(model)
    (tmp_path / "papers" / "views.py").write_text(view)
    (tmp_path / "site1" / "urls.py").write_text(
        f"from django.urls import path\nfrom papers.views import serve\n\nurlpatterns = [{route}]\n"
    )
    journey = JOURNEY.format(save=indent(save, " " * 8))
    (tmp_path / "papers" / "tests.py").write_text(journey)

    manage(tmp_path, "makemigrations", "papers")
    manage(tmp_path, "check", "--fail-level", "INFO")
    # Migrates from nothing, in a database of its own.
    assert "Ran 1 test" in manage(tmp_path, "test", "papers", "--noinput")
