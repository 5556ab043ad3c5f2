"""bin/setup in a directory of its own, and what bin/demo runs."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from .test_embedded_postgres import running, until

ROOT = Path(__file__).parent.parent
TOOLS = [
    *("cat", "cmp", "cp", "dirname", "env", "find", "flock", "grep", "id", "ls", "mkdir", "rm"),
    *("sh", "sort"),
]


@pytest.fixture
def machine(tmp_path):
    """An empty home, and a PATH with the usual tools and no Python."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in TOOLS:
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    return {"PATH": str(tools), "HOME": str(tmp_path)}


@pytest.fixture
def project(tmp_path):
    """As much of the project as bin/setup looks at, with nothing to download."""
    project = tmp_path / "my project"
    (project / "bin").mkdir(parents=True)
    (project / "requirements").mkdir()
    shutil.copy(ROOT / "bin" / "setup", project / "bin")
    (project / "pyproject.toml").touch()
    for name in ["site", "demo", "docs", "test", "bench"]:
        (project / "requirements" / f"{name}.txt").write_text(f"# nothing for {name}\n")
    return project


def script(path, text):
    path.unlink(missing_ok=True)  # never through a link to the machine's own
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def setup(project, machine, *arguments):
    result = subprocess.run(
        [project / "bin" / "setup", *arguments], env=machine, capture_output=True, text=True
    )
    return result.returncode, result.stdout, result.stderr


def test_setup_uses_a_python_that_runs_and_does_nothing_twice(project, machine):
    script(Path(machine["PATH"]) / "python3.14", "exit 127")  # as a pyenv shim
    script(Path(machine["PATH"]) / "python3", "exit 1")  # as one that is too old
    versions = Path(machine["HOME"]) / ".pyenv" / "versions" / "3.99.0" / "bin"
    versions.mkdir(parents=True)
    script(versions / "python", f'exec "{sys.executable}" "$@"')

    status, output, _ = setup(project, machine, "demo")
    assert (status, output) == (
        0,
        f"Making .venv with {versions}/python\nInstalling requirements/demo.txt\n",
    )
    assert setup(project, machine, "demo") == (0, "", "")
    # The lock changed.
    (project / "requirements" / "demo.txt").write_text("# still nothing\n")
    assert setup(project, machine, "demo") == (0, "Installing requirements/demo.txt\n", "")
    # The tests need more; after them the demo needs nothing.
    assert setup(project, machine, "test") == (0, "Installing requirements/test.txt\n", "")
    assert setup(project, machine, "demo") == (0, "", "")
    # A virtual environment does not survive a move.
    moved = project.rename(project.parent / "moved")
    assert setup(moved, machine, "demo")[1].startswith("Making .venv with")


@pytest.mark.parametrize("pip", [[], ["--without-pip"]], ids=["as venv", "as uv"])
def test_setup_takes_a_virtual_environment_that_somebody_made(pip, project, machine):
    subprocess.run([sys.executable, "-m", "venv", *pip, ".venv"], cwd=project, check=True)
    made = (project / ".venv" / "pyvenv.cfg").stat()
    assert setup(project, machine) == (0, "Installing requirements/demo.txt\n", "")
    kept = (project / ".venv" / "pyvenv.cfg").stat()
    assert (kept.st_ino, kept.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)  # It was read since.
    assert setup(project, machine) == (0, "", "")


def test_setup_puts_back_what_pip_or_uv_has_changed(project, machine):
    script(Path(machine["PATH"]) / "python3.13", f'exec "{sys.executable}" "$@"')
    setup(project, machine)
    (packages,) = project.glob(".venv/lib/*/site-packages")
    os.utime(project / ".venv" / "demo.txt", (0, 0))  # long ago: the clock of files may be coarse
    (packages / "newer-2.0.dist-info").mkdir()
    assert setup(project, machine) == (0, "Installing requirements/demo.txt\n", "")
    assert setup(project, machine) == (0, "", "")


def test_setup_asks_uv_first_and_goes_on_without_it(project, machine):
    script(Path(machine["PATH"]) / "python3.13", f'exec "{sys.executable}" "$@"')
    asked = project / "asked"
    script(Path(machine["PATH"]) / "uv", f'echo "$1" >> "{asked}"; exit 1')
    assert setup(project, machine)[0] == 0
    assert asked.read_text() == "venv\npip\n"
    assert setup(project, machine) == (0, "", "")


def test_setup_twice_at_once(project, machine):
    script(Path(machine["PATH"]) / "python3.13", f'exec "{sys.executable}" "$@"')
    both = [
        subprocess.Popen(
            [project / "bin" / "setup"], env=machine, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = sorted(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == ""
    assert outputs[1].startswith("Making .venv")


def test_setup_without_a_python(project, machine):
    assert setup(project, machine) == (
        1,
        "",
        "bin/setup: install Python 3.12 or newer, with its venv module, or uv "
        "(https://docs.astral.sh/uv)\n",
    )


def test_setup_of_a_set_that_does_not_exist(project, machine):
    status, _, errors = setup(project, machine, "demon")
    assert status == 2
    assert "there is no set 'demon'" in errors


def test_all_tests_run_in_several_processes(small_project):
    printed = bin_test(small_project, "-x")
    assert re.search(r"^created: ([2-6])/\1 workers\n\1 workers \[2 items\]$", printed, re.M)
    assert re.fullmatch(r"=+ 2 passed in .* =+", printed.splitlines()[-1])


@pytest.mark.parametrize("arguments", [["tests/test_a.py"], ["-k", "test_a"], ["--pdb"]])
def test_some_tests_and_a_debugger_run_in_one(arguments, small_project):
    printed = bin_test(small_project, *arguments)
    assert "workers" not in printed
    assert re.fullmatch(r"=+ [12] passed.* in .* =+", printed.splitlines()[-1])


@pytest.fixture
def small_project(tmp_path):
    """bin/test with two tests, whose other checks find nothing."""
    for name in ["bin/test", "conftest.py"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ["bin/setup", "bin/browser", ".venv/bin/lint-imports"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        script(tmp_path / name, "exit")
    python = f'[ "$2" != pytest ] || exec "{sys.executable}" "$@"'
    script(tmp_path / ".venv/bin/python", python)
    (tmp_path / "tests").mkdir()
    for name in ["a", "b"]:
        (tmp_path / "tests" / f"test_{name}.py").write_text(f"def test_{name}(): pass\n")
    return tmp_path


def bin_test(project, *arguments):
    environment = {
        **{name: value for name, value in os.environ.items() if name[:7] != "PYTEST_"},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # which takes longest
        "PYTEST_PLUGINS": "xdist.plugin",
    }
    result = subprocess.run(
        [project / "bin" / "test", *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_manage_says_what_to_do_where_there_is_no_django():
    result = subprocess.run(
        [sys.executable, "-S", "manage.py", "check"], cwd=ROOT, capture_output=True, text=True
    )
    sentence = "There is no Django here: run bin/setup, then .venv/bin/python manage.py …\n"
    assert (result.returncode, result.stdout, result.stderr) == (1, "", sentence)


def test_uv_installs_the_largest_set_and_git_takes_no_lock_of_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (largest,) = re.findall(r"^largest=(\w+)$", (ROOT / "bin" / "lock").read_text(), re.MULTILINE)
    assert project["tool"]["uv"]["default-groups"] == [largest]
    assert "/uv.lock" in (ROOT / ".gitignore").read_text().splitlines()


def test_each_package_is_locked_by_its_hashes():
    for lock in (ROOT / "requirements").iterdir():
        packages = re.split(r"\n(?=\w)", lock.read_text())[1:]  # The first is a comment.
        assert len(packages) > 10
        for package in packages:
            assert re.fullmatch(
                r"[\w-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n?", package
            ), package


@pytest.mark.parametrize("debug", ["0", "1"])
def test_demo_takes_the_next_port_and_ends_with_its_database(debug, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(
        ROOT, project, ignore=shutil.ignore_patterns(".*", "__pycache__", "test-results")
    )
    ours = {"DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    environment = {k: v for k, v in os.environ.items() if k not in ours}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with subprocess.Popen(
            [sys.executable, "-m", "config.demo", str(port)],
            cwd=project,
            env={**environment, "DEMO": "1", "DEBUG": debug},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as demo:
            output = []
            address = None
            while not address:
                line = demo.stdout.readline()
                assert line, "".join(output)
                output.append(line)
                address = re.search(r"http://localhost:(\d+)", line)
            assert f"Port {port} is taken.\n" in output
            assert int(address[1]) > port

            def page(path):
                try:
                    with urlopen(f"http://127.0.0.1:{address[1]}{path}") as answer:
                        return answer.read().decode()
                except HTTPError as error:
                    return error.read().decode()
                except OSError:  # URLError around a refused connection
                    return ""

            assert "csrfmiddlewaretoken" in until(lambda: page("/accounts/login/"))
            # Debugging, it sees a view that is added; else a page says why it does not.
            with (project / "config" / "urls.py").open("a") as urls:
                urls.write('urlpatterns += [path("added/", healthz)]\n')
            if debug == "1":
                assert until(lambda: page("/added/") == "ok")
            else:
                assert "<code>DEBUG=1 bin/demo</code> sees it" in page("/added/")
            demo.send_signal(signal.SIGINT)
            assert demo.wait(20) == 0
    until(lambda: not running(project))


def test_clients_installs_what_is_missing(machine):
    tools = Path(machine["PATH"])
    script(tools / "wget", "exit")
    script(tools / "apt-get", f'echo "$@" >> "{tools}/asked"')
    script(tools / "sudo", f'[ "$1" = -n ] && echo sudo >> "{tools}/asked"; shift; "$@"')
    packages = ["curl", "aria2"]
    if not Path("/usr/sbin/pgbouncer").exists():  # where PATH need not lead
        packages.append("pgbouncer")
    install = f"install --yes {' '.join(packages)}\n"
    for user, asked in [
        (0, f"update\n{install}"),
        (1000, f"sudo\nsudo\nupdate\n{install}"),
    ]:
        script(tools / "id", f"echo {user}")
        subprocess.run([ROOT / "bin" / "clients"], env=machine, check=True, capture_output=True)
        assert (tools / "asked").read_text() == asked
        (tools / "asked").unlink()


def test_apt_waits_for_who_else_installs(machine):
    tools = Path(machine["PATH"])
    script(tools / "sleep", f'echo "slept $@" >> "{tools}/asked"')
    locked = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (apt)"
    script(tools / "apt-get", f'[ -e "{tools}/asked" ] || {{ echo "{locked}" >&2; exit 100; }}')
    subprocess.run([ROOT / "bin" / "apt", "wget"], env=machine, check=True)
    assert (tools / "asked").read_text() == "slept 5\n"

    script(tools / "apt-get", 'echo "E: Unable to locate package $3" >&2; exit 100')
    failed = subprocess.run([ROOT / "bin" / "apt", "wgett"], env=machine, capture_output=True)
    assert (failed.returncode, b"E: Unable to locate package" in failed.stderr) == (1, True)
    assert (tools / "asked").read_text() == "slept 5\n"
