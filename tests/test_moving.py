"""docs/moving.md, followed in a project whose files are on a disk, and some stay there."""

import re
import subprocess

import pytest

from .newcomer import ROOT, Browser, Project
from .pages import blocks

PAGE = ROOT / "docs/moving.md"
SETTINGS = """
INSTALLED_APPS += ["letters", "lo_storage"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "mysite"}}
LOGIN_URL = "admin:login"
MEDIA_URL = "/media/"
MEDIA_ROOT = BASE_DIR / "media"
"""
URLS = """
from django.conf import settings
from django.conf.urls.static import static

urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
"""
STAYS = """

class Photo(models.Model):
    image = models.FileField(upload_to="photos")
"""
ADMIN = """
from letters.models import Letter


@admin.register(Letter)
class LetterAdmin(admin.ModelAdmin):
    fields = ["owner", "data"]
"""
FILL = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from letters.models import Letter, Photo

alice = User.objects.get(username="alice")
User.objects.create_superuser("bob", password="a-Secret-1")
for name in ["a letter.pdf", "another letter.pdf"]:
    Letter.objects.create(owner=alice, scan=ContentFile(name.encode(), name))
Photo.objects.create(image=ContentFile(b"photo", "photo.jpg"))
"""


def written(kind, words):
    """The blocks of a kind, the paragraph before which has these words."""
    return [block.content for block in blocks(PAGE) if block.kind == kind and words in block.words]


def columns(of):
    """The lines of the table, by the column of those who may have no scan, and who may not."""
    rows = re.findall(r"^\| ([\w ]*)\| `(.*?)` \| `(.*?)` \|$", PAGE.read_text(), re.M)
    assert [when.strip() for when, *_ in rows] == ["before", "now", "", "in the end"]
    return [row[of] for row in rows]


@pytest.mark.parametrize("required", [False, True])
def test_the_page_is_followed(tmp_path, required):
    (model,) = written("python", "`letters/models.py`")
    (view,) = written("python", "`letters/views.py`")
    (address,) = written("python", "`mysite/urls.py`")
    before, scan, data, in_the_end = columns(2 if required else 1)
    first, *others = [
        line for line in model.splitlines() if " scan = " in line or " data = " in line
    ]
    assert [first, *others] == [f"    {line}" for line in columns(1)[1:3]]
    (data_line,) = others

    with Project(tmp_path) as project:

        def models(*lines):
            """What the app has, with these lines in place of those two."""
            text = model.replace(f"{data_line}\n", "").replace(
                first, "\n".join(f"    {line}" for line in lines)
            )
            if "data = " not in text:
                text = re.sub(r"\n    class Meta:\n.*?\n\n", "\n", text, flags=re.S)
                text = text.replace("(self.data or self.scan)", "self.scan")
            if "scan = " not in text:
                text = text.replace("(self.data or self.scan)", "self.data")
            (project.folder / "letters/models.py").write_text(text + STAYS)

        def migrate():
            for command in ["makemigrations letters", "migrate"]:
                assert f"$ python manage.py {command}\n" in commands
                done = subprocess.run(
                    [project.python, "manage.py", *command.split()],
                    cwd=project.folder,
                    env=project.environment,
                    input="2\n" * (command == "makemigrations letters"),
                    capture_output=True,
                    text=True,
                )
                assert done.returncode == 0, done.stdout + done.stderr
                asked = "Select an option: " in done.stdout
                yield asked

        commands, commands_in_the_end = (
            block.content for block in blocks(PAGE) if block.kind == "console"
        )
        assert commands == commands_in_the_end

        # As it was
        project.type("django-admin startproject mysite .")
        project.type("python manage.py startapp letters")
        project.copy_the_library()
        project.follow("mysite/settings.py", SETTINGS)
        project.follow("mysite/urls.py", URLS)
        models(before)
        list(migrate())
        project.type("python manage.py createsuperuser")
        project.manage("shell", "-c", FILL)

        # The new column, and its view
        models(scan, data)
        project.follow("letters/admin.py", ADMIN)
        assert not any(migrate())
        hint = "Have path('letters/<str:filename>', …) in ROOT_URLCONF"
        assert hint in project.manage("check")
        project.follow("letters/views.py", view)
        project.follow("mysite/urls.py", address)
        project.type("python manage.py check")

        copy = [block.content for block in blocks(PAGE) if "def copy_in" in block.content]
        compare = [block.content for block in blocks(PAGE) if "differing()" in block.content]
        code = "\n".join([*copy, *compare])
        assert project.manage("shell", "-c", code).splitlines()[-1] == "[] []"
        contents = (
            "select convert_from(lo_get(loid), 'utf8') from lo_storage_largeobject order by 1"
        )
        assert project.ask(contents) == [("a letter.pdf",), ("another letter.pdf",)]

        names = [name for (name,) in project.ask("select data from letters_letter order by id")]
        with project.serving() as site:
            assert Browser(site).look(f"/letters/{names[0]}").url.startswith(f"{site}/admin/login/")
            answers = {}
            for who in ["alice", "bob"]:
                browser = Browser(site)
                browser.submit("/admin/login/", username=who, password="a-Secret-1")
                answers[who] = browser.look(f"/letters/{names[0]}")
            assert (answers["alice"].content, answers["bob"].status_code) == (b"a letter.pdf", 404)
            assert browser.look("/media/photos/photo.jpg").content == b"photo"
            page = browser.submit("/admin/letters/letter/add/", owner="1")
            assert ("This field is required." in page.text) == required

        # The end
        project.manage(
            "shell", "-c", "from letters.models import *; Letter.objects.filter(data=None).delete()"
        )
        models(in_the_end)
        assert any(migrate()) == required
        project.type("python manage.py check")
        assert "No changes detected" in project.manage("makemigrations", "--check")
        assert [
            row for (row,) in project.ask("select data from letters_letter order by id")
        ] == names
        assert project.ask(contents) == [("a letter.pdf",), ("another letter.pdf",)]
