"""The settings are safe by default, and say in a sentence what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "DATABASE_URL": "postgres://app:password@db.invalid/app",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijkl",
    "ALLOWED_HOSTS": "www.example.com",
}


def manage(*arguments, **environment):
    """Run manage.py with nothing in the environment but what is given."""
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )


def show(expression, **environment):
    code = f"from django.conf import settings; print({expression})"
    result = manage("shell", "--no-imports", "-c", code, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_deployment_check_is_clean():
    result = manage("check", "--deploy", "--fail-level=INFO", **PRODUCTION)
    assert result.stdout + result.stderr == "System check identified no issues (0 silenced).\n"
    assert result.returncode == 0


def test_production_by_default():
    wanted = "(settings.DEBUG, settings.DEMO, settings.SECURE_SSL_REDIRECT)"
    assert show(wanted, **PRODUCTION) == "(False, False, True)"
    assert show("'debug_toolbar' in settings.INSTALLED_APPS", **PRODUCTION) == "False"


def test_a_key_of_its_own_on_a_machine_of_ones_own():
    own = show("settings.SECRET_KEY", **{**PRODUCTION, "SECRET_KEY": "", "DEMO": "1"})
    assert own == (ROOT / ".secret_key").read_text()
    assert (ROOT / ".secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"SECRET_KEY": ""},
            "ImproperlyConfigured: Set SECRET_KEY in the environment, or DEBUG=1 for development.",
        ),
        *(
            (
                {"DATABASE_URL": url},
                "ImproperlyConfigured: DATABASE_URL must be "
                "postgres://USER:PASSWORD@HOST:PORT/NAME.",
            )
            for url in ["rubbish", "postgrs://a:b@c/d", "sqlite:///d", "postgres://a:b@c:port/d"]
        ),
        (
            {"DATABASE_URL": "postgres://a:b@127.0.0.1:1/d"},
            "OperationalError: connection failed: connection to server at "
            '"127.0.0.1", port 1 failed: Connection refused',
        ),
    ],
)
def test_what_is_wrong_is_one_message(change, message):
    result = manage("migrate", **{**PRODUCTION, **change})
    assert result.returncode == 1
    assert result.stderr.splitlines()[0] == message
    assert "Traceback" not in result.stderr
    assert "password" not in result.stderr
