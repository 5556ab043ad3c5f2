"""A database with tables of another user model: what is said, and that it can be kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.serving import database

ROOT = Path(__file__).parent.parent.parent
SIGN_IN = """
from django.contrib.auth import get_user_model
from django.test import Client
get_user_model().objects.create_superuser("alice", password="a-Secret-1")
client = Client(headers={"host": "localhost"})
form = {"username": "alice", "password": "a-Secret-1"}
print(client.post("/accounts/login/", form).status_code, client.get("/admin/").status_code)
"""


@pytest.fixture
def manage(tmp_path, transactional_db):
    """A function that runs manage.py with an AUTH_USER_MODEL, on a database that was empty."""
    address = database()
    server, _, name = address["DATABASE_URL"].rpartition("/")
    name = f"{name}_before"

    def manage(model, *arguments):
        (tmp_path / "other_settings.py").write_text(
            f"from config.settings import *\n\nAUTH_USER_MODEL = {model!r}\n"
        )
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *arguments],
            env={
                **os.environ,
                **address,
                "DATABASE_URL": f"{server}/{name}",
                "DEMO": "1",
                "DJANGO_SETTINGS_MODULE": "other_settings",
                "PYTHONPATH": str(tmp_path),
                "PYTHONDONTWRITEBYTECODE": "1",  # two settings in one second
            },
            capture_output=True,
            text=True,
        )

    with connection._nodb_cursor() as cursor:
        cursor.execute(f'create database "{name}"')
        yield manage
        cursor.execute(f'drop database "{name}"')


def test_a_database_with_djangos_own_users_is_told_and_goes_on_with_them(manage):
    assert manage("auth.User", "migrate", "admin").returncode == 0
    refused = manage("users.User", "migrate")
    assert refused.returncode == 1
    assert "This database was made with another user model than users.User." in refused.stderr
    assert 'AUTH_USER_MODEL = "auth.User"' in refused.stderr
    assert "Traceback" not in refused.stderr
    migrated = manage("auth.User", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    signed_in = manage("auth.User", "shell", "--no-imports", "-c", SIGN_IN)
    assert signed_in.stdout == "302 200\n", signed_in.stderr
