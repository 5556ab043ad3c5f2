"""The tutorial, block by block, from an empty directory to a signed-in download over HTTP."""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.demo import free_port

from .newcomer import Browser
from .pages import ROOT, blocks
from .programs import postgres_environment, started


@pytest.fixture
def environment():
    """A shell of somebody with a PostgreSQL, in which there is no database of that name yet."""
    ours = {"DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV", "PYTHONPATH"}
    environment = {k: v for k, v in postgres_environment().items() if k not in ours}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    drop = ["dropdb", "--if-exists", "--force", "papers"]
    subprocess.run(drop, env=environment, check=True, capture_output=True)
    yield environment
    subprocess.run(drop, env=environment, check=True)


@contextmanager
def serving(command, project, environment):
    port = free_port(8400)
    command = f"exec {command} --noreload {port}"
    log = project.parent / "log"
    with started(command, port, log, shell=True, cwd=project, env=environment):
        yield f"http://localhost:{port}"


def test_from_an_empty_directory_to_a_signed_in_download(tmp_path, environment):
    (tmp_path / "lo-storage").symlink_to(ROOT)
    project = tmp_path / "my project"
    project.mkdir()
    # For each block has a shell of its own, and the first activates this.
    environment["PATH"] = f"{project}/.venv/bin:{environment['PATH']}"

    def run(command, **streams):
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **streams,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    server = None
    for kind, content, words, _ in blocks(ROOT / "docs/tutorial.md"):
        file = re.search(r"`([\w/]+\.py)`", words)
        if kind == "console":
            commands = re.findall(r"^\$ (.+)$", content, re.M)
            assert content == "".join(f"$ {command}\n" for command in commands)
            if commands[-1].endswith("runserver"):
                server = commands.pop()
            run("\n".join(commands))
        elif "manage.py shell" in words or "enter\nthis" in words:
            printed = re.findall(r"print\(.*\)  # (.*)", content)
            assert run("python manage.py shell -v 0", input=content).splitlines() == printed
        elif kind == "python" and words.startswith("Add to the end of"):
            with (project / file[1]).open("a") as settings:
                settings.write(content)
        else:
            assert (kind, words[:7]) == ("python", "Write `")
            (project / file[1]).write_text(content)

    login = {"username": "alice", "password": "ten-minutes"}
    content = b"%PDF-1.7 May"
    with serving(server, project, environment) as address:
        alice = Browser(address)
        alice.submit("/admin/papers/paper/", **login)
        file = {"data": ("Rent for May.pdf", content)}
        saved = alice.submit("/admin/papers/paper/add/", file, title="May", _continue="Save")
        (link,) = re.findall(r'<a href="(/papers/\d+\.pdf)"', saved.text)
        download = alice.look(link)
        assert (download.status_code, download.content) == (200, content)
        assert download.headers["Content-Disposition"] == 'inline; filename="Rent for May.pdf"'

        stranger = Browser(address)
        assert stranger.look(link).url == f"{address}/admin/login/?next={link}"
        assert stranger.submit(link, **login).content == content

        alice.submit(saved.url.removeprefix(address).replace("change", "delete"), post="yes")
        assert alice.look(link).status_code == 404
    count = "from lo_storage.models import LargeObject; print(LargeObject.objects.count())"
    assert run(f'python manage.py shell -v 0 -c "{count}"') == "1\n"
