"""What bin/update brings into a project that cookiecutter has made."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def git(monkeypatch):
    """Run git, with a name, and with nothing of a commit during which the tests may run."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "someone")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "someone@example.com")

    def git(directory, *arguments):
        result = subprocess.run(
            ["git", *arguments], cwd=directory, check=True, capture_output=True, text=True
        )
        return result.stdout

    return git


def commit(git, directory, message):
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def run(directory, *command, given="", code=0):
    result = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"PWD": str(directory)},
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == code, result.stdout
    return result.stdout


@pytest.fixture
def template(git, tmp_path):
    """A repository of this project's own files, in one commit."""
    template = tmp_path / "template"
    git(tmp_path, "init", "--quiet", template)
    for name in git(ROOT, "ls-files", "-zco", "--exclude-standard").split("\0"):
        if name and (ROOT / name).exists():
            (template / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, template / name)
    commit(git, template, "The first")
    return template


@pytest.fixture
def make(git, tmp_path, monkeypatch):
    """A function that makes a project by cookiecutter and commits it as it came."""
    config = tmp_path / "cookiecutter.yaml"
    config.write_text(
        f'cookiecutters_dir: "{tmp_path}/c"\nreplay_dir: "{tmp_path}/r"\n'
        f'abbreviations: {{mine: "git+file://{tmp_path}/{{0}}"}}\n'
    )
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(config))
    programs = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([programs, os.environ["PATH"]]))

    def make(address, folder=tmp_path, **answers):
        answers = [
            f"{key}={value}" for key, value in {"project_name": "Shoe Box", **answers}.items()
        ]
        run(tmp_path, "cookiecutter", "--no-input", "-o", folder, address, *answers)
        project = folder / "shoe-box"
        git(folder if folder != tmp_path else project, "init", "--quiet")
        commit(git, project, "As it came")
        return project

    return make


def known(project):
    return json.loads((project / ".cookiecutter.json").read_text())["cookiecutter"]


def test_an_update_brings_the_template_s_changes_and_keeps_one_s_own(template, make, git):
    project = make("template")  # relative to where cookiecutter was run
    edit(project / "lo_storage/views.py", "There is no such file.", "No such file, sorry.")
    edit(project / "README.md", "# Shoe Box\n", "# Shoe Box\n\nOf my own.\n")
    (project / "invoices" / "own.py").write_text("own = True\n")
    (project / "static" / "favicon.svg").write_bytes(b"\0own")
    (project / ".editorconfig").unlink()
    (project / "lo_storage" / "panels.py").rename(project / "lo_storage" / "toolbar.py")
    commit(git, project, "Edits")

    edit(template / "lo_storage/views.py", "a file as an HTTP response", "a mended response")
    edit(template / "lo_storage/panels.py", "A panel for", "A mended panel for")
    (template / "lo_storage" / "mended.py").write_text("mended = True\n")
    (template / ".editorconfig").write_text("root = true\n")
    commit(git, template, "Mend")
    undo = "Or undo all of it: git reset --merge"
    assert f"Updated: look at it by git diff --staged, run bin/test, and commit. {undo}\n" in run(
        project, "bin/update"
    )

    views = (project / "lo_storage" / "views.py").read_text()
    assert "a mended response" in views
    assert "No such file, sorry." in views
    assert "A mended panel for" in (project / "lo_storage" / "toolbar.py").read_text()
    assert (project / "static" / "favicon.svg").read_bytes() == b"\0own"
    assert git(project, "status", "--porcelain").splitlines() == [
        "M  .cookiecutter.json",
        "A  lo_storage/mended.py",
        "M  lo_storage/toolbar.py",
        "M  lo_storage/views.py",
    ]
    assert known(project)["_template"] == str(template)
    assert known(project)["_commit"] == git(template, "rev-parse", "HEAD").strip()
    assert known(project)["project_name"] == "Shoe Box"
    updated = git(project, "write-tree").strip()
    git(project, "reset", "--merge")
    assert git(project, "status", "--porcelain", "--untracked-files") == ""
    git(project, "read-tree", "-m", "-u", "HEAD", updated)
    commit(git, project, "Update")
    assert run(project, "bin/update") == "The template has not changed since.\n"


def test_what_both_have_changed_is_marked_and_nothing_is_lost(template, make, git, tmp_path):
    git(template, "archive", "--prefix=template/", f"--output={tmp_path}/template.zip", "HEAD")
    (tmp_path / "all").mkdir()
    project = make("template.zip", tmp_path / "all", sample="no")  # a part of a repository
    address = template.as_uri()
    edit(project / "lo_storage/apps.py", "class LoStorageConfig", "class OwnConfig")
    edit(project / "lo_storage/checks/__init__.py", "E001, that", "Of my own. E001, that")
    first = "bin/update: first commit what is here, or put it aside by git stash\n"
    assert run(project, "bin/update", code=1) == first
    commit(git, project, "Edits")
    where = "bin/update: where the template is now, tell by bin/update --template ADDRESS\n"
    assert run(project, "bin/update", code=1).endswith(where)  # A zip cannot be cloned.

    edit(template / "lo_storage/apps.py", "class LoStorageConfig", "class MendedConfig")
    (template / "lo_storage" / "checks" / "__init__.py").unlink()
    (template / "invoices" / "mended.py").write_text("mended = True\n")  # is not of interest
    edit(
        template / "cookiecutter.json",
        '  "sample": true',
        '  "colour": ["blue", "red"],\n  "sample": true',
    )
    commit(git, template, "Mend")
    update = ["bin/update", "--template", address]
    printed = run(project, *update, given="2\n", code=1)
    todo = "merge by hand what git has marked, then commit. Or undo all of it: git reset --merge\n"
    assert printed.endswith(f"bin/update: {todo}")
    apps = (project / "lo_storage" / "apps.py").read_text()
    assert "<<<<<<< HEAD\nclass OwnConfig(AppConfig):\n=======\nclass MendedConfig(" in apps
    assert "Of my own. E001" in (project / "lo_storage" / "checks" / "__init__.py").read_text()
    assert git(project, "status", "--porcelain").splitlines() == [
        "M  shoe-box/.cookiecutter.json",
        "UU shoe-box/lo_storage/apps.py",
        "UD shoe-box/lo_storage/checks/__init__.py",
    ]
    assert known(project)["colour"] == "red"  # asked for, as it is new
    assert known(project)["_template"] == address
    git(project, "reset", "--merge")
    assert git(project, "status", "--porcelain", "--untracked-files") == ""


def test_a_project_knows_where_it_is_from_and_no_password(template, make, git, monkeypatch):
    project = make("mine:template")  # as gh:somebody/template
    assert known(project)["_template"] == f"file://{template}"
    assert known(project)["_commit"] == git(template, "rev-parse", "HEAD").strip()

    shutil.rmtree(project)
    monkeypatch.setenv("TEMPLATE", "https://me:secret@example.com/me/template.git")
    assert known(make("template"))["_template"] == "https://example.com/me/template.git"


def test_what_bin_update_misses_it_names(template, make, git):
    project = make("template")
    assert run(project, "bin/update", "--help", code=1) == (
        "bin/update: there is no option --help, only --template ADDRESS\n"
    )
    assert run(project, "bin/update", "--template", code=1) == (
        "bin/update: --template wants an address\n"
    )
    assert run(project, "bin/update", "v9", code=1) == (
        f"bin/update: there is no commit v9 in {template}\n"
    )
    shutil.rmtree(project / ".git")
    assert run(project, "bin/update", code=1).endswith(
        "bin/update: make this a git repository first: "
        "git init && git add . && git commit -m 'As it was'\n"
    )


def test_a_template_may_move_and_be_a_shallow_clone(template, make, git, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth=1", template.as_uri(), "shallow")
    project = make("shallow")
    edit(template / "README.md", "# lo_storage\n", "# A file storage\n")
    edit(template / "lo_storage/views.py", "a file as an HTTP response", "a mended response")
    commit(git, template, "Mend")
    shutil.rmtree(tmp_path / "shallow")
    printed = run(project, "bin/update", "--template", template.as_uri())
    assert printed.count("What to type next") == 0
    assert git(project, "status", "--porcelain").splitlines() == [
        "M  .cookiecutter.json",
        "M  lo_storage/views.py",
    ]
    assert known(project)["_template"] == template.as_uri()
    commit(git, project, "Update")
    assert run(project, "bin/update") == "The template has not changed since.\n"
