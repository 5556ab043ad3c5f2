"""The repository is its own cookiecutter template."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter

from .programs import run_python

ROOT = Path(__file__).parent.parent


def run(project, *command):
    """Run a program of the project, with the embedded PostgreSQL of its own."""
    ours = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE", "DEBUG", "SECRET_KEY", "PYTEST_ADDOPTS"}
    return run_python(project, *command, without=ours)


@pytest.fixture(scope="module")
def git():
    """Run git, with nothing of a commit during which the tests may run."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}

    def git(*arguments, cwd):
        command = ["git", *arguments]
        return subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True)

    return git


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, git):
    """What git tracks or would track, as it is now, beside what it must not take along."""
    checkout = tmp_path_factory.mktemp("template") / "a checkout"
    if not (ROOT / ".git").exists():
        pytest.fail("only a clone can be a template: there is no .git here")
    for name in git("ls-files", "-zco", "--exclude-standard", cwd=ROOT).stdout.decode().split("\0"):
        if name and (ROOT / name).exists():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, checkout / name)
    git("init", cwd=checkout)
    git("add", ".", cwd=checkout)
    (checkout / ".env").write_text("SECRET_KEY=secret")
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /")
    return checkout


@pytest.fixture
def bake(checkout, tmp_path):
    config = tmp_path / "cookiecutter.yaml"
    config.write_text(f'cookiecutters_dir: "{tmp_path}/c"\nreplay_dir: "{tmp_path}/r"\n')

    def bake(**answers):
        return Path(
            cookiecutter(
                str(checkout),
                no_input=True,
                extra_context=answers,
                output_dir=tmp_path / "out",
                config_file=str(config),
            )
        )

    return bake


def test_a_project_of_another_name_runs(bake):
    project = bake(project_name="Père Noël's Papers")
    assert project.name == "pere-noel-s-papers"

    run(project, "manage.py", "migrate", "--verbosity=0")
    run(project, "manage.py", "check", "--fail-level=INFO")
    run(project, "manage.py", "makemigrations", "--check")
    some = ["lo_storage/tests/test_storage.py", "lo_storage/tests/test_constraints.py"]
    assert "passed" in run(project, "-m", "pytest", "-q", *some)


def test_it_bears_its_name_and_no_other(bake):
    project = bake(project_name="Shoe Box")

    assert '\nname = "shoe-box"\n' in (project / "pyproject.toml").read_text()
    assert "– Shoe Box</title>" in (project / "templates" / "base.html").read_text()
    ours = re.compile(r"lo-storage(?!\.)")
    left = [
        path.relative_to(project)
        for path in project.rglob("*")
        if path.is_file() and path.suffix in {".toml", ".yml", ".yaml", ".html", ".txt"}
        if ours.search(path.read_text().replace("pg-lo-storage", ""))
    ]
    assert left == []


def test_only_tracked_files_go_along(bake, checkout, git):
    project = bake()
    tracked = set(git("ls-files", "-z", cwd=checkout).stdout.decode().split("\0")) - {""}
    about_taking_it_away = (
        *("newcomer", "test_ci_files", "test_copy_in", "test_from_pg_lo_storage"),
        *("test_mistakes", "test_package", "test_template", "test_updates"),
    )
    template = {
        name
        for name in tracked
        if name == "cookiecutter.json"
        or name in {f"tests/{what}.py" for what in about_taking_it_away}
        or name.startswith("hooks/")
    }

    made = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}

    assert made == tracked - template | {".cookiecutter.json"}
    assert os.access(project / "bin" / "demo", os.X_OK)


@pytest.mark.parametrize("slug", ["two words", "1st", "", "-x", "Upper"])
def test_a_slug_that_would_break_things_is_refused(bake, slug, capfd):
    with pytest.raises(FailedHookException):
        bake(project_slug=slug)
    assert "project_slug: small letters" in capfd.readouterr().err
