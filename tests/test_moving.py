"""docs/moving.md, followed in a project whose files are on a disk, and some stay there."""

import re
import subprocess

from .newcomer import ROOT, Browser, Project
from .pages import blocks

PAGE = ROOT / "docs/moving.md"
# Of the table: letters, which may have no scan, and bills, which may not.
APPS = {"letters": 1, "bills": 2}
SETTINGS = """
INSTALLED_APPS += ["letters", "bills", "lo_storage"]
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
from django.contrib import admin

from letters.models import Letter


@admin.register(Letter)
class LetterAdmin(admin.ModelAdmin):
    fields = ["owner", "data"]
"""
FILL = """
from bills.models import Bill
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from letters.models import Letter, Photo

alice, bob = (User.objects.create_superuser(who, password="a-Secret-1") for who in ["alice", "bob"])
for model in [Letter, Bill]:
    for name in ["a letter.pdf", "another letter.pdf"]:
        model.objects.create(owner=alice, scan=ContentFile(name.encode(), name))
Photo.objects.create(image=ContentFile(b"photo", "photo.jpg"))
"""
CONTENTS = [("a letter.pdf",), ("another letter.pdf",)]


def the_block(words):
    """The Python below the paragraph that has these words."""
    python = [block for block in blocks(PAGE) if block.kind == "python"]
    (found,) = [block.content for block in python if words in block.words]
    return found


def table():
    """When a field is so, and its line in either app."""
    cell = r"(?: `([\w=, ]+)`)? \|"
    rows = re.findall(rf"^\| `(scan|data)`, ([a-z ]+) \|{cell}{cell}$", PAGE.read_text(), re.M)
    begin = {
        "scan": 'scan = models.FileField(upload_to="scans"',
        "data": 'data = DbFileField(storage=DbFileStorage("/letters")',
    }
    return [
        [when, *(f"{begin[name]}{', ' * bool(end)}{end})" for end in ends)]
        for name, when, *ends in rows
    ]


def of(app, text):
    """The same of another app."""
    return text if app == "letters" else text.replace("Letter", "Bill").replace("letter", "bill")


class Moving(Project):
    def write_models(self, app, *lines):
        """The page's model with these lines, and nothing about the column that is not there."""
        model = re.sub(r"    (scan|data) = .*\n", "", the_block("`letters/models.py`"))
        fields = "".join(f"    {line}\n" for line in lines)
        model = model.replace("\n    class Meta:", f"{fields}\n    class Meta:")
        if "data = " not in fields:
            model = re.sub(r"    class Meta:\n.*\n\n", "", model)
        if app == "letters":
            model += STAYS
        self.write(f"{app}/models.py", of(app, model))

    def write(self, path, text):
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_text(text)

    def migrate(self, answers=""):
        """Do it as the page says; return what was printed."""
        commands = [block.content for block in blocks(PAGE) if block.kind == "console"]
        assert len(commands) == 2
        assert set(commands) == {
            "$ python manage.py makemigrations letters\n$ python manage.py migrate\n"
        }
        done = subprocess.run(
            [self.python, "manage.py", "makemigrations", *APPS],
            cwd=self.folder,
            env=self.environment,
            input=answers,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout + self.manage("migrate")

    def names(self, app):
        return [name for (name,) in self.ask(f"select data from {app}_{app[:-1]} order by id")]


def test_the_page_is_followed(tmp_path):
    before, scan, data, in_the_end = fields = table()
    assert [row[0] for row in fields] == ["until now", "from now on", "from now on", "in the end"]
    assert f"    {scan[1]}\n    {data[1]}\n" in the_block("`letters/models.py`")

    with Moving(tmp_path) as project:
        # As it was
        project.type("django-admin startproject mysite .")
        project.copy_the_library()
        project.follow("mysite/settings.py", SETTINGS)
        project.follow("mysite/urls.py", URLS)
        for app, column in APPS.items():
            project.write_models(app, before[column])
        project.migrate()
        project.manage("shell", "-c", FILL)

        # The new column, and its view
        for app, column in APPS.items():
            project.write_models(app, scan[column], data[column])
            project.write(f"{app}/admin.py", of(app, ADMIN))
        hint = "HINT: Have path('letters/<str:filename>', …) in ROOT_URLCONF"
        assert hint in project.migrate()
        for app in APPS:
            project.write(f"{app}/views.py", of(app, the_block("`letters/views.py`")))
            project.follow("mysite/urls.py", of(app, the_block("`mysite/urls.py`")))
        project.type("python manage.py check")

        # Its files
        found = ["def copy_in", "def differing", "print(copy_in()"]
        steps = [b.content for b in blocks(PAGE) if any(part in b.content for part in found)]
        assert len(steps) == 3
        code = "\n".join(of(app, step) for app in APPS for step in steps)
        assert project.manage("shell", "-c", code).splitlines()[-2:] == ["[] []", "[] []"]
        names = {app: project.names(app) for app in APPS}
        with project.serving() as site:
            (letter, _) = names["letters"]
            stranger, alice, bob = Browser(site), Browser(site), Browser(site)
            alice.submit("/admin/login/", username="alice", password="a-Secret-1")
            bob.submit("/admin/login/", username="bob", password="a-Secret-1")
            assert stranger.look(f"/letters/{letter}").url.startswith(f"{site}/admin/login/")
            assert alice.look(f"/letters/{letter}").content == b"a letter.pdf"
            assert bob.look(f"/letters/{letter}").status_code == 404
            assert stranger.look("/media/photos/photo.jpg").content == b"photo"
            asks = "This field is required."
            assert asks not in bob.submit("/admin/letters/letter/add/", owner="1").text
            assert asks in bob.submit("/admin/bills/bill/add/", owner="1").text

        # The end
        for app, column in APPS.items():
            project.write_models(app, in_the_end[column])
        printed = project.migrate(answers="2\n")
        assert printed.count("Select an option: ") == 1
        assert "lo_storage." not in printed
        assert project.names("letters") == [*names["letters"], None]
        assert project.names("bills") == names["bills"]
        for app in APPS:
            assert (
                project.ask(
                    "select convert_from(lo_get(loid), 'utf8') from lo_storage_largeobject"
                    f"  join {app}_{app[:-1]} on name = data order by 1"
                )
                == CONTENTS
            )
