"""What `copier update` brings into a project that cookiecutter has made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
LIBRARY = "lo_storage/views.py"


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


def run(directory, program, *arguments):
    result = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=directory,
        env=os.environ | {"PWD": str(directory)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


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
    config.write_text(f'cookiecutters_dir: "{tmp_path}/c"\nreplay_dir: "{tmp_path}/r"\n')
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(config))

    def make(address):
        run(tmp_path, "cookiecutter", "--no-input", address, "project_name=Shoe Box")
        project = tmp_path / "shoe-box"
        git(project, "init", "--quiet")
        commit(git, project, "As it came")
        return project

    return make


def test_an_update_brings_the_template_s_changes_and_keeps_one_s_own(template, make, git):
    project = make("template")  # relative to where cookiecutter was run
    edit(project / "lo_storage/views.py", "There is no such file.", "No such file, sorry.")
    edit(project / "lo_storage/apps.py", "class LoStorageConfig", "class OwnConfig")
    edit(project / "README.md", "# Shoe Box\n", "# Shoe Box\n\nOf my own.\n")
    (project / "invoices" / "own.py").write_text("own = True\n")
    (project / "CHANGELOG.md").unlink()
    commit(git, project, "Edits")

    edit(template / "lo_storage/views.py", "a file as an HTTP response", "a mended response")
    edit(template / "lo_storage/apps.py", "class LoStorageConfig", "class MendedConfig")
    (template / "lo_storage" / "mended.py").write_text("mended = True\n")
    (template / "CHANGELOG.md").write_text("Mended.\n")
    commit(git, template, "Mend")
    run(project, "copier", "update", "--trust")

    views = (project / "lo_storage" / "views.py").read_text()
    assert "a mended response" in views
    assert "No such file, sorry." in views
    assert (
        "<<<<<<< before updating\nclass OwnConfig(AppConfig):\n=======\n"
        "class MendedConfig(AppConfig):\n>>>>>>> after updating\n"
    ) in (project / "lo_storage" / "apps.py").read_text()
    assert git(project, "status", "--porcelain").splitlines() == [
        " M .copier-answers.yml",
        "UU lo_storage/apps.py",
        " M lo_storage/views.py",
        "?? lo_storage/mended.py",
    ]
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert answers["_commit"] == git(template, "rev-parse", "HEAD").strip()
    assert (answers["_src_path"], answers["project_name"]) == (str(template), "Shoe Box")


def test_a_project_made_from_a_zip_can_be_linked_later(template, make, git, tmp_path):
    git(template, "archive", "--prefix=template/", f"--output={tmp_path}/template.zip", "HEAD")
    project = make("template.zip")
    assert not (project / ".copier-answers.yml").exists()

    (project / ".copier-answers.yml").write_text(
        f"_src_path: {template}\n"
        f"_commit: {git(template, 'rev-parse', 'HEAD')}"
        "project_name: Shoe Box\n"
    )
    edit(project / "README.md", "# Shoe Box\n", "# Shoe Box\n\nOf my own.\n")
    commit(git, project, "Edits")
    edit(template / "lo_storage/views.py", "a file as an HTTP response", "a mended response")
    commit(git, template, "Mend")
    run(project, "copier", "update", "--trust")

    assert git(project, "status", "--porcelain").splitlines() == [
        " M .copier-answers.yml",
        " M lo_storage/views.py",
    ]


def test_a_project_knows_the_address_it_was_made_from(template, make, git):
    project = make(f"git+{template.as_uri()}")
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == f"git+{template.as_uri()}"
    assert answers["_commit"] == git(template, "rev-parse", "HEAD").strip()
