"""docs/in-and-out.md, followed in a project whose files are on a disk."""

import re
import subprocess

from .newcomer import ROOT, Project
from .pages import blocks

PAGE = ROOT / "docs/in-and-out.md"
SETTINGS = """
INSTALLED_APPS += ["letters", "lo_storage"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "mysite"}}
MEDIA_ROOT = BASE_DIR / "media"
MEDIA_URL = "/media/"
"""
MODELS = """\
from django.db import models

from lo_storage.constraints import LargeObjectReference
from lo_storage.fields import DbFileField


class Letter(models.Model):
    scan = models.FileField(upload_to="scans", blank=True)

    def __str__(self):
        return f"Letter {self.pk}"
"""
FILL = """
from django.core.files.base import ContentFile
from letters.models import Letter

for name in ["a letter.pdf", "another letter.pdf"]:
    Letter.objects.create(scan=ContentFile(name.encode(), name))
Letter.objects.create()
"""
CONTENTS = """
    select original_name, convert_from(lo_get(loid), 'utf8')
      from letters_letter join lo_storage_largeobject on name = scan order by id
"""
FILES = [("a_letter.pdf", "a letter.pdf"), ("another_letter.pdf", "another letter.pdf")]


def commands():
    """The commands of the page that need no other program."""
    return [
        command
        for block in blocks(PAGE)
        if block.kind == "console"
        for command in re.findall(r"^\$ (.+)$", block.content, re.M)
        if "--from old" not in command
    ]


def last_line(printed):
    """What stands below the warnings of the system checks."""
    return printed.splitlines()[-1]


def diffs():
    return [block.content for block in blocks(PAGE) if block.kind == "diff"]


def test_the_page_is_followed(tmp_path):
    with Project(tmp_path) as project:
        project.type("django-admin startproject mysite .")
        project.copy_the_library()
        project.follow("mysite/settings.py", SETTINGS)
        (tmp_path / "letters").mkdir()
        (tmp_path / "letters/__init__.py").touch()
        (tmp_path / "letters/models.py").write_text(MODELS)
        project.manage("makemigrations", "letters")
        project.manage("migrate")
        project.manage("shell", "-c", FILL)

        # In
        in_place, reference = diffs()
        make, migrate, look, bring, make_again, migrate_again, take, out, back, check = commands()
        project.change("letters/models.py", in_place)
        project.type(make)
        project.type(migrate)
        assert last_line(project.type(look)) == "Would be moved: 2. Not moved: 0."
        assert last_line(project.type(bring)) == "Moved: 2. Not moved: 0."
        assert project.ask(CONTENTS) == FILES
        models = tmp_path / "letters/models.py"
        added = "".join(line[1:] for line in reference.splitlines(keepends=True))
        without = models.read_text()
        models.write_text(without.replace("    def __str__", f"{added}    def __str__"))
        project.type(make_again)
        project.type(migrate_again)

        # A folder, and back
        assert last_line(project.type(out)) == "Moved: 2. Not moved: 0."
        assert check == "cd out && sha256sum --check --quiet manifest-sha256.txt"
        subprocess.run(check, shell=True, cwd=tmp_path, check=True)
        assert (tmp_path / "out/data/letters.Letter/scan/1/a_letter.pdf").read_text() == FILES[0][1]
        project.ask("update letters_letter set scan = null returning 1")
        assert project.ask("select count(*) from lo_storage_largeobject") == [(0,)]
        assert last_line(project.type(back)) == "Moved: 2. Not moved: 0."
        assert project.ask(CONTENTS) == FILES

        # Out
        models.write_text(without)
        project.type(make)
        project.type(migrate)
        assert last_line(project.type(take)) == "Moved: 2. Not moved: 0."
        names = [name for (name,) in project.ask("select scan from letters_letter order by id")]
        assert [(tmp_path / "media" / name).read_text() for name in names[:2]] == [
            content for _, content in FILES
        ]


def test_the_page_names_each_option():
    """And no other."""
    page = PAGE.read_text()
    options = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", page)) - {"--check", "--quiet"}
    sources = "".join(
        (ROOT / "lo_storage/management" / path).read_text()
        for path in ["transfer.py", "commands/lo_import.py", "commands/lo_export.py"]
    )
    there = set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', sources))
    assert options == there - {"--database"}
