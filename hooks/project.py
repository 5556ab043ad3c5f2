"""A project that is made from this repository: what goes along, and what is changed in it.

A text that is not where it is expected is an error, so that nothing stays unseen.
"""

import datetime
import html
import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

LICENCES = Path(__file__).parent / "licences"
# Git fills it in where it makes an archive, as GitHub's zip.
COMMIT_OF_AN_ARCHIVE = "$Format:%H$"

# What is about this repository, and not about a project.
LEFT_OUT = {
    *("CHANGELOG.md", "LICENSE", "CONTRIBUTING.md", "benchmarks", "bin/bench", "bin/clients"),
    *("bin/docs", "bin/explore", "bin/faults", "bin/pictures", "trials"),
    *("cookiecutter.json", "{{cookiecutter.project_slug}}", "hooks"),
    *(".ci/bake", ".ci/containers", ".ci/postgres-entrypoint"),
    *(f"requirements/{name}.txt" for name in ["bench", "docs", "library"]),
}
# The rest of these folders is about the library alone.
KEPT = {
    "docs": {
        *("backup-programs.md", "backups.md", "checking.md", "checks.md", "deploy.md"),
        *("handing-over.md", "how-it-works.md", "in-and-out.md", "moving.md", "replicas.md"),
        *("restoring.md", "running.md", "serving.md", "statistics.md", "storing.md"),
        *("testing.md", "uploads.md"),
    },
    "tests": {
        *("__init__.py", "doors.py", "serving.py", "streaming_site.py", "test_accepting.py"),
        "test_attempts.py",
        *("test_bin.py", "test_database_away.py", "test_embedded_postgres.py", "test_layers.py"),
        *("test_request_bodies.py", "test_settings.py"),
    },
}

CI_HOSTS = {"GitHub": ".github", "GitLab": ".gitlab-ci.yml"}
CI_FILES = [".ci/run", ".github/workflows/tests.yml", ".gitlab-ci.yml"]
# What packages, checks and pages of this repository alone add: where, a pattern of `cut`, and what
# takes its place.
LIBRARY_LINES = [
    ("pyproject.toml", r"^docs = \[\n.*?^\]\n", ""),
    ("pyproject.toml", r"^bench = \[\n.*?^\]\n", ""),
    (
        "pyproject.toml",
        r"^# What a project that is made from this [^\n]*\nlibrary = \[\n.*?^\]\n",
        "",
    ),
    ("pyproject.toml", r"^\[tool\.check-wheel-contents\].*?(?=^\[)", ""),
    ("pyproject.toml", ', "trials"]', "]"),
    # The largest set of packages is that of the tests.
    *(
        (path, r"(bin/setup |requirements/)library\b", r"\1test")
        for path in [*CI_FILES, "bin/test"]
    ),
    (".pre-commit-config.yaml", "bin/setup library", "bin/setup test"),
    ("pyproject.toml", r'(?<=^default-groups = \[")library', "test"),
    ("bin/lock", "largest=library\n", "largest=test\n"),
    ("bin/lock", "in site demo docs test bench;", "in site demo;"),
    ("bin/setup", '"site demo docs test library"', '"site demo test"'),
    ("bin/setup", '"demo test library"', '"demo test"'),
    ("bin/setup", r"^    docs \| test\)[^\n]*\n", ""),
    ("tests/test_bin.py", '"site", "demo", "docs", "test", "bench"', '"site", "demo", "test"'),
    ("tests/test_bin.py", r"\n\n\ndef test_clients_installs.*?(?=\n\n\n|\n\Z)", ""),
    ("docs/how-it-works.md", ", or, where a server has to crash, in `tests/`", ""),
    ("docs/uploads.md", r"^### As it looks\n.*?(?=^## )", ""),
    (".gitignore", r"^/\.(bench|docs)/\n", ""),
    (".gitattributes", r"^hooks/[^\n]*\n", ""),
    *(
        (
            path,
            r"\btemplate(, | \| | )packages\1browsers\1backups\1trials\1containers\1(?=all-tests)",
            "",
        )
        for path in CI_FILES
    ),
    (".ci/run", r"^template\(\).*?^}\n\n", ""),
    (
        ".ci/run",
        r"^# The library installed, or copied in[^\n]*\npackages\(\).*?(?=^all-tests\(\))",
        "",
    ),
    (".ci/run", r"^left_out=[^\n]*\n", ""),
    (".ci/run", r"^# What bin/test leaves out, at once.*?^fi\n", ""),
    (
        ".ci/run",
        r", other packages,\n# other browsers, backups, trials and the containers\. [^\n]*\n",
        ".\n",
    ),
    (".ci/run", r"^# \(status 77[^\n]*\n", ""),
    (".ci/run", r"^named=[^\n]*\n", ""),
    (".ci/run", r'^\[ ! -e "\$scratch/not_run"[^\n]*\n', ""),
    (".gitlab-ci.yml", r"^  allow_failure:\n[^\n]*\n", ""),
    ("pyproject.toml", r"^  # Each a leg of \.ci/run[^\n]*\n", ""),
    *(
        ("pyproject.toml", rf'^  "--ignore=tests/test_{name}\.py",\n', "")
        for name in [
            *("backup_programs", "browsers", "containers", "copy_in", "docs_tutorial", "explore"),
            *("faults", "package", "packages", "template", "tus_clients", "updates"),
        ]
    ),
    (".ci/run", r"^    # Which a project that is made from this repository.*?^    fi\n", ""),
    (".ci/run", r'^    echo "== bin/pictures.*?failed, bin/pictures"\n', ""),
    (".ci/run", r'^    # With older ones than are supported[^\n]*\n    COPY_IN="[^"]*" ', "    "),
]

# No view of such a project takes files unless it says so.
UPLOAD_BY_THE_ADMIN = """\
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile


class UploadTests(TestCase):
    def test_what_was_uploaded_comes_back(self):
        self.client.force_login(get_user_model().objects.create_superuser("alice"))
        file = SimpleUploadedFile("march.pdf", b"march")
        self.client.post("/admin/papers/paper/add/", {"title": "March", "data": file})
        paper = Paper.objects.get()
        self.assertEqual(self.client.get(paper.data.url).getvalue(), b"march")
"""
TAKES_FILES = (
    " The view has to\nbe decorated by `takes_files`, and a ModelAdmin to begin with `TakesFiles`,"
    "\nboth of `config/uploads.py`: else the file is left out."
)
# The pages of such a project: where, a pattern of `cut`, and what takes its place.
PAGES_OF_A_PROJECT = [
    ("docs/moving.md", r"^From \[pg-lo-storage\].*?\n\n", ""),
    ("docs/in-and-out.md", r"^\| of pg-lo-storage [^\n]*\n", ""),
    *(
        (page, r"\[Add it to your project\]\(adding-it\.md\)", "[the first page](../README.md)")
        for page in ["docs/storing.md", "docs/testing.md"]
    ),
    *(
        (page, rf"(?<={end})$", TAKES_FILES)
        for page, end in [
            ("docs/storing.md", r"does the same with what was uploaded\."),
            ("docs/moving.md", r"pages link to `\(letter\.data or letter\.scan\)\.url`\."),
        ]
    ),
    ("docs/moving.md", r"\bmysite/urls\.py", "config/urls.py"),
    ("docs/uploads.md", r"\bmysite/(?=settings\.py|urls\.py)", "config/"),
    *(
        (f"docs/{page}.md", r"\bpython manage\.py", ".venv/bin/python manage.py")
        for page in ["checking", "in-and-out", "moving", "restoring", "statistics", "uploads"]
    ),
    ("docs/how-it-works.md", r"^Each line is a test in .*?\n\n", ""),
    ("docs/backup-programs.md", r" by `python -m benchmarks\.backups`", ""),
    ("docs/uploads.md", r" by `python -m benchmarks\.uploads`", ""),
    ("docs/handing-over.md", r" \(`bin/bench nginx`\)", ""),
    ("docs/running.md", r", which the tests run as well", ""),
    (
        "docs/replicas.md",
        r" the machine that \[How fast it is\]\(performance\.md\) names",
        " one machine",
    ),
    ("docs/checks.md", r", as\n\[the page about other packages\][^ ]* has it\.", "."),
    ("docs/serving.md", r"^A link for someone without an account .*?\n\n", ""),
    (
        "docs/testing.md",
        r"^from django\.core\.files\.uploadedfile import SimpleUploadedFile\n.*?(?=^```\n)",
        UPLOAD_BY_THE_ADMIN,
    ),
]

# Where the lines that name the sample are all that there is to cut.
SAMPLE_LINES = [
    *(".ci/run", "config/demo.py", "config/settings.py", "config/urls.py", "pyproject.toml"),
]

PYTHON = ".venv/bin/python manage"
FIRST_STEPS = """\
Piece by piece, here without an owner, for an app that you have or one by Django's own
`.venv/bin/python manage.py startapp papers`. Name it in `INSTALLED_APPS`, in `config/settings.py`;
`bin/test` and Docker find it by themselves. Each block of Python goes to the end of the file that
is named above it, and what it imports to the head of that file. What `bin/test` complains of there,
such as the order of imports, `.venv/bin/ruff check --fix` and then `.venv/bin/ruff format` mend.
"""
DOCUMENTATION = """\
How to [store, replace and delete](docs/storing.md) files, [serve](docs/serving.md) them,
also [by nginx](docs/handing-over.md), [test](docs/testing.md) what does, keep the files of
[refused forms](docs/uploads.md), and move files [in and out](docs/in-and-out.md), also
[beside the old column](docs/moving.md);
[how it works](docs/how-it-works.md); [before production](docs/running.md),
[backups](docs/backups.md), [programs for them](docs/backup-programs.md),
[one file out of one](docs/restoring.md), [proof that nothing is missing](docs/checking.md),
[what is there](docs/statistics.md), and [replicas, pgbouncer and roles](docs/replicas.md);
[what `check` says](docs/checks.md).
"""
# Nor does the admin.
ADMIN_THAT_TAKES_FILES = [
    (
        "   from .models import Paper\n\n   admin.site.register(Paper)\n",
        "   from config.uploads import TakesFiles\n\n   from .models import Paper\n\n\n"
        "   @admin.register(Paper)\n   class PaperAdmin(TakesFiles, admin.ModelAdmin):\n"
        "       pass\n",
    ),
    (
        "you upload a file;",
        "you upload a file, within the limits of `UPLOAD_MAX_FILE_SIZE` and its neighbours in\n"
        "   `config/settings.py` (views of your own by `takes_files`, of `config/uploads.py`);",
    ),
]


def git(*arguments: str, check: bool = True) -> str:
    """What git prints about this repository, and not about one whose hook runs this."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", *arguments]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=check)
    return os.fsdecode(result.stdout)


def tracked() -> list[Path]:
    """What git tracks, so that no secret and no data of this checkout go along."""
    if Path(".git").exists():
        paths = [Path(name) for name in git("ls-files", "-z").split("\0") if name]
        return [path for path in paths if path.is_file()]
    # An archive has nothing else, unless somebody worked in what was unpacked.
    ignored = [line.strip("/") for line in Path(".gitignore").read_text().splitlines()]
    return [
        path
        for path in Path().rglob("*")
        if path.is_file()
        and not any(fnmatch(part, name) for part in path.parts for name in ignored)
    ]


def origin() -> dict[str, str]:
    """Of which commit this is, and from where it was cloned; "" if nothing says so."""
    if Path(".git").exists():
        return {
            "_commit": git("rev-parse", "-q", "--verify", "HEAD", check=False).strip(),
            "_origin": git("config", "remote.origin.url", check=False).strip(),
        }
    known = re.fullmatch("[0-9a-f]{40}", COMMIT_OF_AN_ARCHIVE)
    return {"_commit": known[0] if known else "", "_origin": ""}


def bring(project: Path) -> None:
    """Copy what belongs to a project."""
    for path in filter(belongs, tracked()):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, project / path)
        if path.read_bytes().startswith(b"#!"):  # Python unpacks an archive without the modes.
            (project / path).chmod(0o755)


def belongs(path: Path) -> bool:
    parents = {str(parent) for parent in [path, *path.parents]}
    kept = KEPT.get(path.parts[0])
    return LEFT_OUT.isdisjoint(parents) and (kept is None or path.name in kept)


def personalise(answers: dict) -> None:
    """Give what `belongs` the name that was asked for, and leave out what was not."""
    rename(answers)
    leave_out_the_library_s_own()
    write_the_licence(answers["license"], answers["author"])
    write_the_readme(answers)
    if not answers["sample"]:
        leave_out_the_sample()
    leave_out_other_hosts(answers["ci"])
    write_the_pages(answers["sample"])
    unlink_what_is_not_there()


def change(path: str, old: str, new: str, times: int = 1) -> None:
    text = Path(path).read_text(encoding="utf-8")
    Path(path).write_text(changed(path, text, old, new, times), encoding="utf-8")


def changed(path: str, text: str, old: str, new: str, times: int = 1) -> str:
    """The same in a part of it."""
    if (found := text.count(old)) != times:
        sys.exit(f"{path} has {old!r} {found} times, and not {times}: mend hooks/project.py.")
    return text.replace(old, new)


def cut(path: str, pattern: str, new: str = "") -> None:
    """Cut what matches; a dot is any character, and ^ begins a line."""
    text = Path(path).read_text(encoding="utf-8")
    text, found = re.subn(pattern, new, text, flags=re.DOTALL | re.MULTILINE)
    if not found:
        sys.exit(f"{path} has nothing like {pattern!r}: mend hooks/project.py.")
    Path(path).write_text(text, encoding="utf-8")


def part(path: str, text: str, pattern: str) -> str:
    """Return what the group of a pattern matches in a part of it."""
    found = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    if not found:
        sys.exit(f"{path} has nothing like {pattern!r}: mend hooks/project.py.")
    return found[1]


def rename(answers: dict) -> None:
    slug, name, description = (
        html.escape(answers[key], quote=False)
        for key in ["project_slug", "project_name", "description"]
    )
    change("docker-compose.yml", '"lo-storage"', f'"{slug}"', times=4)  # as true and null need
    change("docker-compose.yml", "lo_storage", slug.replace("-", "_"), times=3)
    change("templates/base.html", "– Invoices</title>", f"– {name}</title>")
    change("templates/base.html", "  Invoices\n      </a>", f"  {name}\n      </a>")
    change("templates/home.html", "<h1>Invoices</h1>", f"<h1>{name}</h1>")
    ours = "Files that obey the transaction of the row that names them."
    change("templates/home.html", ours, description)
    cut("pyproject.toml", r"^\[build-system\].*?(?=^# Locked by)")
    change("pyproject.toml", "# Locked by", f"{metadata(answers)}\n# Locked by")


def metadata(answers: dict) -> str:
    licence = answers["license"]
    about = {
        "name": answers["project_slug"],
        "version": "0.1.0",
        "description": answers["description"],
        "readme": "README.md",
        "license": "LicenseRef-Proprietary" if licence == "Proprietary" else licence,
        "license-files": ["LICENSE", "lo_storage/LICENSE"],
        "requires-python": ">=3.12",
    }
    # Strings and lists of JSON are those of TOML.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in about.items()]
    author = json.dumps(answers["author"], ensure_ascii=False)
    return "".join(["[project]\n", *lines, f"authors = [{{ name = {author} }}]\n"])


def leave_out_the_library_s_own() -> None:
    for path, pattern, new in LIBRARY_LINES:
        cut(path, pattern, new)


def write_the_licence(licence: str, author: str) -> None:
    holder = f"{datetime.date.today().year} {author}"
    if licence == "Proprietary":
        text = f"Copyright (c) {holder}. All rights reserved.\n\n"
        text += "lo_storage/ has a licence of its own: lo_storage/LICENSE.\n"
    elif licence == "MIT":
        text = Path("lo_storage/LICENSE").read_text(encoding="utf-8")
        text, found = re.subn("Copyright .*", lambda _: f"Copyright (c) {holder}", text)
        if found != 1:
            sys.exit("lo_storage/LICENSE has no line of its copyright: mend hooks/project.py.")
    else:
        text = (LICENCES / f"{licence}.txt").read_text(encoding="utf-8")
        if licence != "Apache-2.0":  # which names nobody
            text = changed(f"{licence}.txt", text, "YEAR HOLDER", holder)
    Path("LICENSE").write_text(text, encoding="utf-8")


def section(path: str, title: str) -> str:
    """Return what stands below a heading of the second level."""
    return part(path, Path(path).read_text(encoding="utf-8"), rf"^## {title}\n(.*?)(?=^## |\Z)")


def ours(*titles: str) -> str:
    return "".join(f"## {title}\n{section('README.md', title)}" for title in titles)


def write_the_readme(answers: dict) -> None:
    """The project's own, of parts of ours."""
    sample = ours("A tour of five minutes", "A model", "A view")
    text = (
        f"# {answers['project_name']}\n\n{answers['description']}\n\n"
        + ours("Two commands", "Working on it")
        + (sample if answers["sample"] else "")
        + f"## A model with a file\n\n{first_model()}"
        + ours("Settings")
        + f"## Documentation\n\n{DOCUMENTATION}\n"
        + f"## Later changes of the template\n\n{later_changes()}\n"
        + ours("Where things are")
    )
    Path("README.md").write_text(text, encoding="utf-8")
    if not answers["sample"]:
        change("README.md", "the site with sample data, on", "the site, on")
        change("README.md", "bin/test invoices e2e/invoices", "bin/test documents e2e/documents")
    cut("README.md", r"^The tests of curl, wget.*?\n\n")
    cut("README.md", r"^benchmarks/[^\n]*\n")
    cut("README.md", r"^trials/[^\n]*\n")
    cut("README.md", r"^docs/( +)[^\n]*\n", r"docs/\1how files are kept, backed up and restored\n")
    cut(
        "README.md",
        r"^bin/( +)[^\n]*\n",
        r"bin/\1demo, test, setup; new: an app; lock: newer packages; update: later changes of the"
        r" template\n",
    )
    licence = {"Proprietary": "All rights reserved"}.get(answers["license"], answers["license"])
    cut(
        "README.md",
        r"^MIT licence\..*",
        f"{licence}: see [LICENSE](LICENSE). `lo_storage/`, with which this project began, has\n"
        "[a licence of its own](lo_storage/LICENSE).\n",
    )


def first_model() -> str:
    """The steps of the library's README that follow once it is installed."""
    page = "lo_storage/README.md"
    text = part(page, section(page, "What to copy, and which lines to add"), r"(\n3\. .*)")
    for step in range(3, 7):
        text = changed(page, text, f"\n{step}. ", f"\n{step - 2}. ")
    text = changed(page, text, "mysite/", "config/")
    for old, new in ADMIN_THAT_TAKES_FILES:
        text = changed(page, text, old, new)
    return FIRST_STEPS + changed(page, text, "python manage", PYTHON, times=6)


def later_changes() -> str:
    text = part("README.md", ours("Take it away"), r"by its `bin/update`\. (.*?)^- ")
    text = text.replace("\n  ", "\n")
    return f"`bin/update` brings what has changed in the template since. {text}"


def write_the_pages(sample: bool) -> None:
    for path, pattern, new in PAGES_OF_A_PROJECT:
        cut(path, pattern, new)
    if not sample:
        cut("docs/deploy.md", r" \(The search of the\nsample has [^)]*\)", "")
        cut("docs/serving.md", r" The sample shows a text\nin its page, [^\n]*\n", "\n")
        excerpt = r"^From \[`invoices/views\.py`\].*?^```python\n.*?^```\n"
        cut("docs/serving.md", excerpt, view_of_an_app())


def view_of_an_app() -> str:
    """What bin/new makes has all that the view of the sample has."""
    path = "config/app_template/views.py-tpl"
    text = Path(path).read_text(encoding="utf-8")
    whose = part(path, text, r"(^def visible.*?)\n\n\n")
    serve = part(path, text, r"(^@login_required\n@require_safe\ndef serve.*)")
    code = f"{whose}\n\n\n{serve}"
    for old, new in [("app_name", "documents"), ("model", "Document"), ("model|lower", "document")]:
        code = code.replace(f"{{{{ {old} }}}}", new)
    words = "As `bin/new documents` makes it, where each document has an owner:"
    return f"{words}\n\n```python\n{code}```\n"


def leave_out_the_sample() -> None:
    for folder in [folder for folder in Path().rglob("invoices") if folder.is_dir()]:
        shutil.rmtree(folder)
    Path("tests/streaming_site.py").unlink()  # which only journeys of the sample need
    lines = r"(?:^[^\n]*(?:invoice|INVOICE)[^\n]*\n)+"
    for path in SAMPLE_LINES:
        cut(path, rf"(?<=\n\n){lines}\n|{lines}")
    cut("README.md", r"^invoices/[^\n]*\n")
    change(
        "nginx.conf",
        "^/(upload|[0-9]+/replace|admin/.+/(add|change))/$",
        "^/admin/.+/(add|change)/$",
    )
    # Nothing else makes PDFs.
    cut("pyproject.toml", r'^  "fpdf2",\n')
    for name, package in product(["demo", "test"], ["defusedxml", "fonttools", "fpdf2"]):
        cut(f"requirements/{name}.txt", rf"^{package}==[^\n]*\n(?: [^\n]*\n)*")  # and its hashes


def leave_out_other_hosts(chosen: str) -> None:
    for host, path in CI_HOSTS.items():
        if host not in chosen:
            shutil.rmtree(path) if Path(path).is_dir() else Path(path).unlink()


def unlink_what_is_not_there() -> None:
    """Of a link to a file that does not go along leave the words; of a picture or hint nothing."""
    link = r"\[([^\]]+)\]\((?![a-z]+:|#)([^)#]+)[^)]*\)"

    for page in Path().rglob("*.md"):

        def dead(target: str, page: Path = page) -> bool:
            return not (page.parent / target).exists()

        def picture(match: re.Match) -> str:
            return "" if dead(match[2]) else match[0]

        def hint(match: re.Match) -> str:
            alive = [found[0] for found in re.finditer(link, match[0]) if not dead(found[2])]
            return f" ({', '.join(alive)})" if alive else ""

        text = page.read_text(encoding="utf-8")
        text = re.sub(rf"^!{link}\n\n?", picture, text, flags=re.MULTILINE)
        text = re.sub(rf"\s+\({link}(?:, {link})*\)", hint, text)
        text = re.sub(link, lambda found: found[1] if dead(found[2]) else found[0], text)
        page.write_text(text, encoding="utf-8")
