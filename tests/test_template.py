"""The repository is its own cookiecutter template: what somebody gets who starts with it."""

import compileall
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest
import yaml
from cookiecutter.main import cookiecutter
from docker.utils.build import exclude_paths

import hooks.project as project_hook
from hooks.answers import problem

from . import test_ci_files as ci_files
from .newcomer import Project, steps, write_an_app
from .programs import run_python
from .serving import database
from .test_documents import dead_links

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SAMPLES = [True, False]
LICENCES = json.loads((ROOT / "cookiecutter.json").read_text())["license"]
DOWNLOAD = """
from django.contrib.auth import get_user_model
from django.test import Client
from papers.models import Paper
client = Client(headers={"host": "localhost"})
client.force_login(get_user_model().objects.get())
print(client.get(Paper.objects.get().data.url).getvalue())
"""
ANSWERS = {
    "project_name": "Père Noël’s Papers & Co",
    "project_slug": "pere-noel",
    "author": 'Ann "A." O’Neil',
    "description": "Lists & letters, in 'one' place.",
    "license": "MIT",
}


@pytest.fixture(scope="module")
def git():
    """Run git, with nothing of a commit during which the tests may run."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}

    def git(*arguments, cwd):
        who = ["-c", "user.name=someone", "-c", "user.email=someone@example.com"]
        command = ["git", *who, *arguments]
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
    git("init", "--quiet", cwd=checkout)
    git("add", ".", cwd=checkout)
    git("commit", "--quiet", "--message", "All of it", cwd=checkout)
    (checkout / ".env").write_text("SECRET_KEY=secret")
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "pyvenv.cfg").write_text("home = /")
    return checkout


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Keeps cookiecutter out of one's home."""
    folder = tmp_path_factory.mktemp("config")
    config = folder / "cookiecutter.yaml"
    config.write_text(f'cookiecutters_dir: "{folder}/c"\nreplay_dir: "{folder}/r"\n')
    return config


@pytest.fixture(scope="module")
def bake(checkout, config, tmp_path_factory):
    """A function that makes a project, in a folder that was empty."""

    def bake(template=checkout, **answers):
        return Path(
            cookiecutter(
                str(template),
                no_input=True,
                extra_context={**ANSWERS, **answers},
                output_dir=tmp_path_factory.mktemp("projects"),
                config_file=str(config),
            )
        )

    return bake


@pytest.fixture(scope="module")
def bakes(bake):
    """A project of each combination of the options that change files."""
    return {
        (sample, licence): bake(sample=sample, license=licence)
        for sample, licence in product(SAMPLES, LICENCES)
    }


@pytest.fixture(scope="module")
def made(bakes):
    """The files of each, as it was made."""
    return {options: files(project) for options, project in bakes.items()}


@pytest.fixture(params=product(SAMPLES, LICENCES), ids=lambda options: "{}-{}".format(*options))
def project(request, bakes, made):
    return bakes[request.param]


@pytest.fixture(params=SAMPLES, ids=["sample", "no sample"])
def one(request, bakes, made):
    """One of those with, and one of those without the sample."""
    return bakes[request.param, "MIT"]


def files(project):
    paths = [path for path in project.rglob("*") if path.is_file()]
    return {str(path.relative_to(project)): path.read_bytes() for path in paths}


def run(command, cwd):
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


def python(project, *arguments):
    """Run Python in a project, on the test's server, as somebody who tries it."""
    ours = {"DJANGO_SETTINGS_MODULE", "DEBUG", "SECRET_KEY", "PYTEST_ADDOPTS", "PYTHONPATH"}
    return run_python(project, *arguments, without=ours, **database(), DEMO="1")


# Each combination


def test_it_is_linted_and_formatted(project):
    assert run([BIN / "ruff", "check", "--no-cache"], project) == (0, "All checks passed!\n")
    code, printed = run([BIN / "ruff", "format", "--check", "--no-cache"], project)
    assert (code, "already formatted" in printed) == (0, True), printed
    for script in [*(project / "bin").iterdir(), project / ".ci" / "run"]:
        assert os.access(script, os.X_OK)
        shell = script.read_text().partition("\n")[0].rpartition("/")[2]
        assert run([shell, "-n", script], project) == (0, "")


def test_its_continuous_integration_is_valid_safe_and_complete(bakes, made):
    project = bakes[False, "MIT"]
    for path in ci_files.SCHEMAS:
        ci_files.assert_valid(path, project)
    ci_files.assert_safe(project)
    ci_files.assert_complete(project)


@pytest.mark.parametrize(
    ("host", "of_others"),
    [("GitHub", "gitlab"), ("GitLab", "github"), ("none", "github|gitlab")],
)
def test_it_has_the_files_of_its_host_alone(host, of_others, bake, made):
    """What begins with ".ci" runs anywhere."""
    these, both = files(bake(sample=False, ci=host)), made[False, "MIT"]
    left_out = {name for name in both if re.match(rf"\.({of_others})", name)}
    assert len(left_out) == {"GitHub": 1, "GitLab": 2, "none": 3}[host]
    assert these | {".cookiecutter.json": b""} == {
        name: text for name, text in both.items() if name not in left_out
    } | {".cookiecutter.json": b""}
    named = {
        name for name, text in these.items() if re.search(of_others, text.decode("latin"), re.I)
    }
    assert named == set()


def test_no_link_in_its_pages_is_dead(project):
    pages = list(project.rglob("*.md"))
    assert len(pages) >= 5
    for page in pages:
        assert dead_links(page) == []
    (tree,) = re.findall(r"```text\n(.*?)```", (project / "README.md").read_text(), re.DOTALL)
    folders = {f"{folder}/" for folder in re.findall(r"(\w+)/ ", tree)}
    assert folders == {
        f"{path.name}/" for path in project.iterdir() if path.is_dir() and path.name[0] != "."
    } - {"__pycache__/", "requirements/"}


def test_nothing_of_it_bears_another_name(made):
    ours = re.compile(rb"(?<!pg-)lo-storage(?! authors)|>Invoices<|\xe2\x80\x93 Invoices")
    for these in made.values():
        left = {name for name, text in these.items() if ours.search(text)}
        left -= {".cookiecutter.json"}  # in which the address of the template may
        assert {name for name in left if not name.startswith("lo_storage/")} == set()


def test_its_metadata_have_what_was_answered(bakes):
    for (sample, licence), project in bakes.items():
        about = tomllib.loads((project / "pyproject.toml").read_text())
        spdx = {"Proprietary": "LicenseRef-Proprietary"}.get(licence, licence)
        assert about["project"] == {
            "name": "pere-noel",
            "version": "0.1.0",
            "description": ANSWERS["description"],
            "readme": "README.md",
            "license": spdx,
            "license-files": ["LICENSE", "lo_storage/LICENSE"],
            "requires-python": ">=3.12",
            "authors": [{"name": ANSWERS["author"]}],
        }
        assert set(about["dependency-groups"]) == {"site", "demo", "test"}
        assert about["tool"]["uv"] == {"default-groups": ["test"]}
        assert {path.stem for path in (project / "requirements").iterdir()} == {
            "site",
            "demo",
            "test",
        }
        readme = (project / "README.md").read_text()
        assert readme.startswith(f"# {ANSWERS['project_name']}\n\n{ANSWERS['description']}\n\n## ")
        assert ("invoice" in readme) == sample
        # Of bin/update, and of the programs that only the tests of the library need
        assert ("marks\nconflicts for you to merge" in readme, "curl" in readme) == (True, False)


def test_its_licence_is_the_one_that_was_chosen_and_the_library_keeps_its_own(bakes):
    holder = re.compile(r"(?:Copyright \(c\)) \d{4} (.*?)(?:\. All rights reserved\.)?\n")
    texts = {}
    for (_, licence), project in bakes.items():
        text = texts.setdefault(licence, (project / "LICENSE").read_text())
        assert (project / "LICENSE").read_text() == text
        assert (project / "lo_storage/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
        if licence != "Apache-2.0":
            assert holder.findall(text) == [ANSWERS["author"]]
    assert re.sub(r"\d{4} .*", "", texts["MIT"]) == re.sub(
        r"\d{4} .*", "", (ROOT / "LICENSE").read_text()
    )
    # As www.apache.org has it.
    assert hashlib.sha256(texts["Apache-2.0"].encode()).hexdigest() == (
        "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    )
    assert "Neither the name of the copyright holder" in texts["BSD-3-Clause"]
    assert "permission" not in texts["Proprietary"].lower()


def test_a_licence_changes_three_files_and_no_other(made):
    for (sample, licence), these in made.items():
        other = made[sample, "MIT"]
        assert these.keys() == other.keys()
        changed = {name for name, text in these.items() if other[name] != text}
        assert changed <= {"LICENSE", "README.md", "pyproject.toml", ".cookiecutter.json"}
        assert ("LICENSE" in changed) == (licence != "MIT")


# With the sample, and without


def changed(these, checkout):
    return {
        name
        for name, text in these.items()
        if name != ".cookiecutter.json" and (checkout / name).read_bytes() != text
    }


def test_all_else_is_as_it_is_here(made, checkout):
    """No text is rendered: the braces of Django's templates are those that they were."""
    assert b"{{ " in made[True, "MIT"]["templates/invoices/list.html"]
    with_sample = {
        *(".ci/run", ".gitattributes", ".github/workflows/tests.yml", ".gitignore"),
        ".gitlab-ci.yml",
        *(".pre-commit-config.yaml", "LICENSE", "README.md", "bin/lock", "bin/setup", "bin/test"),
        *("docker-compose.yml", "pyproject.toml", "templates/base.html", "templates/home.html"),
        *("docs/checking.md", "docs/checks.md", "docs/how-it-works.md", "docs/replicas.md"),
        *("docs/backup-programs.md", "docs/in-and-out.md", "docs/moving.md", "docs/restoring.md"),
        *("docs/running.md", "docs/serving.md", "docs/storing.md", "docs/uploads.md"),
        *("docs/handing-over.md", "docs/statistics.md", "docs/testing.md", "tests/test_bin.py"),
    }
    assert changed(made[True, "MIT"], checkout) == with_sample
    assert changed(made[False, "MIT"], checkout) == with_sample | {
        *("config/demo.py", "config/settings.py", "config/urls.py", "docs/deploy.md"),
        *("nginx.conf", "requirements/demo.txt", "requirements/test.txt"),
    }


def test_without_the_sample_nothing_speaks_of_it(made):
    these = made[False, "MIT"]
    named = {name for name, text in these.items() if b"invoice" in (name.encode() + text).lower()}
    assert {name for name in named if not name.startswith("lo_storage/tests/")} == set()


def test_its_pages_speak_of_it_and_not_of_the_template(made):
    """Where they send their reader there is something, and each page can be reached."""
    words = re.compile(rb"sample|cookiecutter|this repository|tutorial|\bbin/(?:docs|bench|bake)")
    for (sample, _), these in made.items():
        pages = {name for name in these if name.startswith("docs/")}
        assert pages == {f"docs/{name}" for name in project_hook.KEPT["docs"]}
        assert {name for name in pages if f"]({name}".encode() not in these["README.md"]} == set()
        found = {(name, word) for name in pages for word in words.findall(these[name])}
        found -= {("docs/checking.md", b"sample")}  # an option
        with_it = {("docs/deploy.md", b"sample"), ("docs/serving.md", b"sample")}
        assert found <= (with_it if sample else set())


def test_the_answers_are_on_its_pages(one):
    base, home = (one / "templates" / name for name in ["base.html", "home.html"])
    assert "– Père Noël’s Papers &amp; Co</title>" in base.read_text()
    assert "<h1>Père Noël’s Papers &amp; Co</h1>" in home.read_text()
    assert "<p class=\"lead\">Lists &amp; letters, in 'one' place.</p>" in home.read_text()


def test_it_passes_its_checks_and_finds_its_tests(one):
    assert compileall.compile_dir(one, quiet=1)
    assert "no issues" in python(one, "manage.py", "check", "--fail-level=INFO")
    assert "No changes" in python(one, "manage.py", "makemigrations", "--check", "--dry-run")
    # Those of the library are what they are here.
    folders = [name for name in ["tests", "invoices/tests", "e2e"] if (one / name).exists()]
    collect = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    collected = python(one, *collect, *folders)
    for name in ["e2e/test_signing_in.py", "e2e/test_accessibility.py", "tests/test_settings.py"]:
        assert f"\n{name}::" in f"\n{collected}"
    code, printed = run([BIN / "lint-imports", "--no-cache"], one)
    assert (code, "0 broken" in printed) == (0, True), printed


@pytest.mark.parametrize("slug", ["my-null", "true"])
def test_docker_compose_has_its_name_whatever_yaml_makes_of_such_a_word(slug, bake):
    project = bake(project_slug=slug)
    name = slug.replace("-", "_")
    compose = yaml.safe_load((project / "docker-compose.yml").read_text())
    services = compose["services"]
    assert compose["name"] == services["web"]["image"] == services["migrate"]["image"] == slug
    assert services["db"]["environment"]["POSTGRES_DB"] == name
    assert f"--dbname={name}" in services["db"]["healthcheck"]["test"]
    assert services["web"]["environment"]["DATABASE_URL"].endswith(f"@db:5432/{name}")
    # Who signs in first
    run = r"`docker compose run --rm (\w+) python manage\.py createsuperuser`"
    (service,) = re.findall(run, (project / "README.md").read_text())
    assert services[service]["environment"] == services["migrate"]["environment"]


def test_docker_compose_lets_no_container_of_ours_do_more_than_it_needs():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in ["expire", "migrate", "web"]:
        assert services[service]["read_only"] is True
        assert services[service]["cap_drop"] == ["ALL"]
        assert services[service]["security_opt"] == ["no-new-privileges:true"]


def test_docker_compose_asks_for_a_page_only_where_there_is_one():
    """`docker compose up --wait` fails where a container is not healthy."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name for name, service in services.items() if service.get("restart")} - {"db", "proxy"}
    assert ours == {"expire", "web"}
    asked = {name for name in ours if services[name].get("healthcheck") != {"disable": True}}
    assert asked == {"web"}


def test_each_has_a_secret_key_of_its_own_and_git_takes_none(bakes, git):
    keys = set()
    for sample in SAMPLES:
        project = bakes[sample, "BSD-3-Clause"]
        assert not (project / ".secret_key").exists()
        python(project, "manage.py", "check")
        keys.add((project / ".secret_key").read_text())
        git("init", "--quiet", cwd=project)
        ignored = git("check-ignore", ".secret_key", ".env", cwd=project).stdout.decode()
        assert ignored == ".secret_key\n.env\n"
        shutil.rmtree(project / ".git")
    assert [len(key) for key in keys] == [50, 50]


# An app of one's own


@pytest.fixture(scope="module")
def papers(bake):
    """A project without the sample, in which somebody does what its pages say."""
    folder = bake(sample=False)
    page, readme = (
        (folder / name).read_text().replace(".venv/bin/", "")
        for name in ["templates/home.html", "README.md"]
    )
    for title in re.findall("<i>(.*?)</i>", page):
        assert f"\n## {title}\n" in readme
    (start,) = re.findall(r"`python manage\.py (startapp .*?)`", readme)
    (new,) = re.findall(r"<pre><code>bin/new (.*?)</code></pre>", page)
    assert f"`bin/new {new}`" in readme
    (folder / "staticfiles").mkdir()  # as bin/setup does
    with Project(folder) as project:
        socket = database()["DATABASE_URL"].rpartition("/")[0]
        project.environment |= {"DATABASE_URL": f"{socket}/{project.database}", "DEMO": "1"}
        project.manage(*start.split())
        write_an_app(folder)
        project.run("-m", "config.new", *new.split())
        (section,) = re.findall(
            r"^## A model with a file\n(.*?)^## ", readme, re.DOTALL | re.MULTILINE
        )
        for place, text in steps(section):
            if not place.endswith(".py"):
                project.follow(place, text)
        yield project


def test_the_model_of_the_readme_works_in_a_project_without_the_sample(papers):
    printed = papers.manage("shell", "--no-imports", "-c", DOWNLOAD)
    assert printed == "b'march'\n"
    assert papers.manage("check", "--database=default").startswith("System check identified no iss")


def test_what_the_readme_says_of_the_linter_makes_it_content(papers):
    mend = re.findall(r"`\.venv/bin/ruff ([^`]*)`", (papers.folder / "README.md").read_text())
    assert mend == ["check --fix", "format"]
    for command in [*mend, "check", "format --check"]:
        code, printed = run([BIN / "ruff", *command.split(), "--no-cache"], papers.folder)
        assert code == 0, printed
    # makemigrations has written more than is there for bin/new.
    assert "No changes" in papers.manage("makemigrations", "--check", "--dry-run")


def test_bin_test_finds_the_tests_of_an_app_by_itself(papers):
    collect = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    for arguments in [["--ignore-glob=*/test_*.py"], ["papers"]]:  # without those of the project
        found = papers.run(*collect, *arguments)
        assert set(re.findall(r"^(.*?)::", found, re.MULTILINE)) == {"papers/tests.py"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "bin/new APP [MODEL]: bin/new documents, or bin/new categories Category"),
        (["Documents"], "bin/new APP [MODEL]: "),
        (["json"], "bin/new: 'json' conflicts with the name of an existing Python module"),
        (["documents"], "bin/new: documents/ or e2e/documents/ is there already"),
        (["sessions"], "bin/new: config/settings.py has an app or a word 'sessions' already"),
        (["invoices", "class"], "bin/new: a model has a name like Document, not 'class'"),
    ],
)
def test_what_bin_new_does_not_take_changes_nothing(arguments, says, papers):
    before = sorted(papers.folder.rglob("*.py"))
    assert papers.run("-m", "config.new", *arguments, fails=True).startswith(says)
    assert sorted(papers.folder.rglob("*.py")) == before


def test_bin_new_says_what_it_finds_no_place_for(papers, tmp_path):
    """And the longest of names break no line of what it writes."""
    shutil.copytree(papers.folder / "config", tmp_path / "config")
    for name in ["pyproject.toml", "lo_storage"]:
        (tmp_path / name).symlink_to(papers.folder / name)
    (tmp_path / "config" / "urls.py").write_text("urlpatterns = list_of_mine\n")
    name = "certificates_of_the_authorities"
    printed = run([sys.executable, "-m", "config.new", name], tmp_path)
    assert printed[0] == 0
    line = f'path("{name}/", include("{name}.urls")),'
    assert f"\nAdd to urlpatterns in config/urls.py: {line}\n" in printed[1]
    assert (tmp_path / "config" / "urls.py").read_text() == "urlpatterns = list_of_mine\n"
    for command in ["check", "format --check"]:
        ruff = [BIN / "ruff", *command.split(), "--no-cache", name, f"e2e/{name}"]
        code, said = run(ruff, tmp_path)
        assert code == 0, said


def test_docker_takes_along_what_runs_and_no_secret(papers, tmp_path):
    """As docker's own Python client reads .dockerignore."""
    for name in [".env", ".secret_key", ".git/config", ".venv/bin/python", "all.sql"]:
        (papers.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (papers.folder / name).write_text("secret")
    ignored = (papers.folder / ".dockerignore").read_text().splitlines()
    names = [line for line in ignored if line[:1] != "#"]
    for name in exclude_paths(str(papers.folder), names):
        if (papers.folder / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(papers.folder / name, tmp_path / name)
    sent = {".dockerignore", "Dockerfile"}  # always, and COPY leaves them out
    assert {path.name for path in tmp_path.iterdir()} - sent == {
        *("config", "documents", "lo_storage", "manage.py", "papers", "requirements", "static"),
        *("templates", "users"),
    }
    assert os.listdir(tmp_path / "requirements") == ["site.txt"]
    assert not [path for path in tmp_path.rglob("*") if "test" in path.name]
    # As the Dockerfile does
    ((key, address, command),) = re.findall(
        r"^RUN SECRET_KEY=(\S+) DATABASE_URL=(\S+) python (.+)$",
        (papers.folder / "Dockerfile").read_text(),
        re.MULTILINE,
    )
    without = {"DJANGO_SETTINGS_MODULE", "DEBUG", "DEMO"}
    given = {"SECRET_KEY": key, "DATABASE_URL": address}
    assert "static files copied" in run_python(tmp_path, *command.split(), without=without, **given)


# Where from


@pytest.mark.parametrize("address", ["relative", "absolute", "git+file", "zip"])
def test_it_can_be_made_from(address, checkout, config, made, git, tmp_path):
    archive = checkout.parent / "template.zip"
    git("archive", "--prefix=template/", f"--output={archive}", "HEAD", cwd=checkout)
    addresses = {
        "relative": checkout.name,
        "absolute": checkout,
        "git+file": f"git+{checkout.as_uri()}",
        "zip": archive,
    }
    answers = [f"{key}={value}" for key, value in ANSWERS.items()]
    options = ["--no-input", "--config-file", config, "--output-dir", tmp_path]
    command = [BIN / "cookiecutter", *options, addresses[address], *answers]
    code, printed = run(command, checkout.parent)
    assert (code, printed.startswith("Père Noël’s Papers & Co is made. ")) == (0, True), printed
    these, other = files(tmp_path / "pere-noel"), made[True, "MIT"]
    # Where it is from, and the commit
    commit = git("rev-parse", "HEAD", cwd=checkout).stdout.decode().strip()
    assert json.loads(these[".cookiecutter.json"])["cookiecutter"]["_commit"] == commit
    assert these | {".cookiecutter.json": b""} == other | {".cookiecutter.json": b""}
    assert all(
        os.access(tmp_path / "pere-noel" / "bin" / name, os.X_OK) for name in ("demo", "test")
    )


def test_what_somebody_did_in_an_unpacked_archive_does_not_go_along(
    checkout, bake, made, git, tmp_path
):
    git("archive", f"--output={tmp_path}/all.zip", "HEAD", cwd=checkout)
    shutil.unpack_archive(tmp_path / "all.zip", tmp_path / "unpacked")
    for secret in [".env", ".secret_key", ".venv/pyvenv.cfg", ".postgres/data/PG_VERSION"]:
        (tmp_path / "unpacked" / secret).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "unpacked" / secret).write_text("secret")
    project = bake(template=tmp_path / "unpacked")
    assert files(project).keys() == made[True, "MIT"].keys()


# A template that has changed


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("templates/home.html", "<h1>Invoices</h1>", "has '<h1>Invoices</h1>' 0 times, and not 1"),
        ("pyproject.toml", "bench = [\n", r"has nothing like '^bench = \\[\\n.*?^\\]\\n'"),
        ("README.md", "## A view\n", r"has nothing like '^## A view\\n(.*?)(?=^## |\\Z)'"),
        ("lo_storage/README.md", "\n6. ", r"has '\n6. ' 0 times, and not 1"),
        ("lo_storage/README.md", "`mysite/urls.py`", "has 'mysite/' 0 times, and not 1"),
        (
            "lo_storage/README.md",
            "$ python manage.py check",
            "has 'python manage' 5 times, and not 6",
        ),
    ],
)
def test_a_text_that_the_hook_does_not_find_is_an_error(
    path, text, found, checkout, tmp_path, monkeypatch
):
    monkeypatch.chdir(checkout)
    for name in filter(project_hook.belongs, project_hook.tracked()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    there = Path(path).read_text()
    assert text in there
    Path(path).write_text(there.replace(text, "something else"))
    with pytest.raises(SystemExit) as error:
        project_hook.personalise({**ANSWERS, "sample": False, "ci": "none"})
    assert error.value.code == f"{path} {found}: mend hooks/project.py."


def test_such_an_error_is_printed_and_no_half_of_a_project_is_left(checkout, config, tmp_path):
    licence = checkout / "hooks" / "licences" / "BSD-3-Clause.txt"
    there = licence.read_text()
    licence.write_text(there.replace("YEAR HOLDER", "nobody"))
    try:
        printed = refused(checkout, config, tmp_path, "license=BSD-3-Clause")
    finally:
        licence.write_text(there)
    sentence = "BSD-3-Clause.txt has 'YEAR HOLDER' 0 times, and not 1: mend hooks/project.py."
    assert sentence in printed.splitlines()


def test_its_maker_is_told_what_to_type_next(checkout, config, tmp_path):
    command = [BIN / "cookiecutter", "--no-input", "--config-file", config, checkout]
    printed = subprocess.run(
        [*command, f"--output-dir={tmp_path}/my work", "project_name=Shoe Box"],
        cwd=tmp_path,
        env=os.environ | {"PWD": str(tmp_path)},  # as a shell does
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    commands = [line.split("    # ")[0].strip() for line in printed.splitlines()[2:]]
    assert printed.startswith("Shoe Box is made. What to type next:\n")
    assert commands == [
        "cd 'my work/shoe-box'",
        "bin/demo",
        "bin/test",
        'git init && git add . && git commit -m "As it came"',
    ]
    project = tmp_path / "my work" / "shoe-box"
    assert [os.access(project / name, os.X_OK) for name in commands[1:3]] == [True, True]


def test_a_checkout_s_virtual_environment_is_not_copied(checkout, config, tmp_path):
    """A pipe in it would keep whoever reads it waiting for ever."""
    os.mkfifo(checkout / ".venv" / "pipe")
    options = ["--no-input", "--config-file", config, "--output-dir", tmp_path]
    assert run([BIN / "cookiecutter", *options, checkout], checkout)[0] == 0


# What is refused


def refused(checkout, config, folder, *answers):
    options = ["--no-input", "--config-file", config, "--output-dir", folder]
    code, printed = run([BIN / "cookiecutter", *options, checkout, *answers], checkout)
    assert code == 1
    assert list(folder.iterdir()) == []
    return printed


@pytest.mark.parametrize(
    ("slug", "sentence"),
    [
        ("two words", "2 to 50 of a to z, 0 to 9 and single hyphens, not 'two words'."),
        ("", "2 to 50 of a to z, 0 to 9 and single hyphens, not ''."),
        ("é", "2 to 50 of a to z, 0 to 9 and single hyphens, not 'é'."),
        ("class", "class is a word of Python; choose another."),
        ("json", "json is a module of Python's standard library; choose another."),
        ("django", "django is a package that the project has; choose another."),
        ("postgres", "postgres is a database that every PostgreSQL has; choose another."),
    ],
)
def test_a_name_that_breaks_things_is_refused_with_a_sentence(
    slug, sentence, checkout, config, tmp_path
):
    printed = refused(checkout, config, tmp_path, f"project_slug={slug}")
    assert printed == f"project_slug: {sentence}\n"


@pytest.mark.parametrize("slug", ["1st", "x", "-x", "x-", "a--b", "Upper", "a/b", "..", "x" * 51])
def test_a_slug_is_a_name_on_every_machine(slug):
    assert "project_slug: 2 to 50 of" in problem({**ANSWERS, "project_slug": slug})


def test_a_slug_is_no_database_that_is_there_already():
    for slug in ["postgres", "template0", "template1"]:
        assert "every PostgreSQL has" in problem({**ANSWERS, "project_slug": slug})


@pytest.mark.parametrize("key", ["project_name", "author", "description"])
@pytest.mark.parametrize("text", ["", " ", "two\nlines", "a\0b", "\u202eright to left"])
def test_an_answer_is_one_line_that_can_be_read(key, text):
    assert problem({**ANSWERS, key: text}).startswith(f"{key}: ")


@pytest.mark.parametrize("text", ["{{ x }}", "{% x %}", "<b>", "a\\", "`x`"])
def test_what_would_be_markup_is_refused_where_it_stands_on_pages(text):
    assert problem({**ANSWERS, "project_name": text})
    assert problem({**ANSWERS, "description": text})
    assert problem({**ANSWERS, "author": text}) is None


def test_names_in_any_script_are_taken():
    for name in ["日本の書類", "Ωμέγα & Söhne", "O’Neil's", 'The "Box"']:
        assert problem({**ANSWERS, "project_name": name, "author": name}) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["{}"], "project_name: one line without braces"),
        (["Shoe Box", "Shoe Box"], "project_slug: 2 to 50 of a to z"),
        (["Shoe Box", "shoe-box", " "], "author: say something"),
        (["Shoe Box", "shoe-box", "Ann", "<b>"], "description: one line without braces"),
    ],
)
def test_an_answer_is_refused_before_the_next_question(given, sentence, checkout, config, tmp_path):
    """Nothing more is given: a question would meet the end of what there is to read."""
    command = [BIN / "cookiecutter", "--config-file", config, "--output-dir", tmp_path, checkout]
    result = subprocess.run(
        command, input="\n".join([*given, ""]), capture_output=True, text=True, check=False
    )
    asked = re.findall(r"\[\d/\d\] ", result.stdout)
    assert (result.returncode, len(asked), list(tmp_path.iterdir())) == (1, len(given), [])
    assert result.stdout.rpartition("): ")[2].startswith(sentence)
    assert result.stderr == ""
