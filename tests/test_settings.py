"""The settings are safe by default, and say in a sentence what is missing."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection

from config.demo import people

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


def test_deployment_check_is_clean_but_for_the_database_that_does_not_answer():
    result = manage("check", "--deploy", "--fail-level=WARNING", **PRODUCTION)
    assert "System check identified 1 issue (0 silenced).\n" in result.stderr
    assert "?: (config.I001) Whether the demo's people are in the database is not" in result.stderr
    assert result.returncode == 0


def of_deployment():
    return [
        (message.id, message.msg, message.hint)
        for message in run_checks(include_deployment_checks=True)
        if message.id.startswith("config.")
    ]


@pytest.mark.django_db
def test_deployment_check_tells_of_the_demo_and_of_whom_it_left(settings, django_user_model):
    settings.DEMO = settings.DEBUG = False
    django_user_model.objects.create_user("alice", password="another one")
    assert of_deployment() == []
    django_user_model.objects.all().delete()

    settings.DEMO = True
    demo = (
        "config.W001",
        "DEMO is on: plain HTTP will do, and the sign-in page says whom anyone may sign in as.",
        "Unset DEMO in the environment.",
    )
    assert of_deployment() == [demo]
    users = people()
    settings.DEMO = False
    alice, bob = of_deployment()
    assert alice == (
        "config.W002",
        "Anyone may sign in as 'alice', a superuser, with the demo's password.",
        "manage.py changepassword alice; or delete the user.",
    )
    assert bob[1] == "Anyone may sign in as 'bob' with the demo's password."

    users["alice"].set_password("another one")
    users["alice"].save()
    users["bob"].is_active = False
    users["bob"].save()
    assert of_deployment() == []


@pytest.mark.django_db
def test_deployment_check_before_the_first_migration(settings, django_user_model):
    settings.DEMO = False
    with connection.schema_editor() as editor:
        editor.alter_db_table(django_user_model, django_user_model._meta.db_table, "not_yet")
    assert of_deployment() == []


def test_production_by_default():
    wanted = "(settings.DEBUG, settings.DEMO, settings.SECURE_SSL_REDIRECT)"
    assert show(wanted, **PRODUCTION) == "(False, False, True)"
    assert show("'debug_toolbar' in settings.INSTALLED_APPS", **PRODUCTION) == "False"


def test_no_sibling_domain_can_set_a_cookie_of_the_site():
    names = "settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME"
    assert show(names, **PRODUCTION) == "__Host-sessionid __Host-csrftoken"
    # Which no browser takes over plain HTTP
    assert show(names, **PRODUCTION, HTTPS="0") == "sessionid csrftoken"


FOREIGN = [
    "203.0.113.7:8000",
    "[2001:db8::7]",
    "evil.example",
    "evil.example/accounts/login/?",
    "www.example.com@evil.example",
    "[::1",
    'a b"<script>',
    "x" * 5000,
    "",
]


@pytest.fixture
def of_one_host(settings):
    settings.ALLOWED_HOSTS = ["www.example.com"]
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.django_db
@pytest.mark.parametrize("host", FOREIGN)
def test_a_probe_is_answered_whatever_host_it_names(client, of_one_host, host):
    answer = client.get("/healthz/?a=b", headers={"host": host})
    assert (answer.status_code, answer.content) == (200, b"ok")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.cookies == {}
    assert not host or host not in str(answer.headers)
    assert client.head("/healthz/", headers={"host": host}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/accounts/login/", "/admin/login/", "/healthz", "/healthz/login/", "/HEALTHZ/"),
        *("//healthz/", "/accounts/login/?/healthz/", "/healthz/../accounts/login/"),
        *("/healthz/%2e%2e/accounts/login/", "/healthz/%00", "/healthz/%0a", "/healthz%2f%2f"),
    ],
)
def test_nothing_else_is(client, of_one_host, path, host):
    assert client.get(path, headers={"host": host}, secure=True).status_code == 400
    assert client.post("/healthz/", headers={"host": host}, secure=True).status_code == 400


def test_what_an_older_key_signed_holds():
    assert show("settings.SECRET_KEY_FALLBACKS", **PRODUCTION) == "[]"
    kept = {"SECRET_KEY_FALLBACKS": "the-last-one,the-one-before"}
    expression = "settings.SECRET_KEY_FALLBACKS"
    assert show(expression, **PRODUCTION, **kept) == "['the-last-one', 'the-one-before']"


def test_mail_goes_by_the_server_of_the_environment():
    code = (
        "from django.core import mail\n"
        "c = mail.mailers.default if hasattr(mail, 'mailers') else mail.get_connection()\n"
        "print(c.host, c.port, c.username, c.password, c.use_tls, c.use_ssl, c.timeout)"
    )
    for url, used in [
        ("smtp+tls://me:a%40b@mail.invalid:2525", "mail.invalid 2525 me a@b True False 10"),
        ("smtp+ssl://mail.invalid:465", "mail.invalid 465 None None False True 10"),
    ]:
        result = manage("shell", "--no-imports", "-c", code, **PRODUCTION, EMAIL_URL=url)
        assert result.stdout.strip() == used, result.stderr


def test_no_new_password_is_offered_where_no_mail_goes():
    names = "[p.name for p in __import__('config.accounts').accounts.urlpatterns]"
    assert show(names, **PRODUCTION) == "['login', 'logout', 'password_change']"
    by_mail = ["password_reset", "password_reset_done", "password_reset_confirm"]
    with_mail = show(names, **PRODUCTION, EMAIL_URL="smtp://mail.invalid")
    assert with_mail == str(["login", "logout", "password_change", *by_mail])


@pytest.mark.django_db
def test_a_form_sends_to_the_site_alone(client):
    policy = client.get("/accounts/login/").headers["Content-Security-Policy"]
    assert "; form-action 'self';" in policy


@pytest.mark.django_db
def test_no_page_tells_the_key_in_its_address(client, settings):
    for address in settings.ADDRESSES_WITH_A_KEY:
        assert client.get(f"{address}a/key/").headers["Referrer-Policy"] == "strict-origin"
    assert client.get("/accounts/login/").headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("logger", "message", "arguments", "logged"),
    [
        (
            *("django.request", "Not Found: %s", ("/accounts/reset/Mg/set-4f-5a.",)),
            "Not Found: /accounts/reset/…",
        ),
        (
            *("django.security.csrf", "/accounts/reset/Mg/4f-5a/ is refused", ()),
            "/accounts/reset/… is refused",
        ),
        (
            *("gunicorn.access", '"%(r)s" %(s)s "%(f)s"'),
            {"r": "GET /accounts/reset/Mg/4f-5a/?a HTTP/1.1", "s": 404, "f": "/accounts/reset/Mg"},
            '"GET /accounts/reset/… HTTP/1.1" 404 "/accounts/reset/…"',
        ),
        (
            *("uvicorn.access", '"%s %s" %d', ("GET", "/accounts/reset/Mg/4f-5a/", 404)),
            '"GET /accounts/reset/…" 404',
        ),
    ],
)
def test_no_key_in_an_address_is_logged(logger, message, arguments, logged):
    record = logging.LogRecord(logger, logging.WARNING, "", 0, message, (arguments,), None)
    if not isinstance(arguments, dict):
        record.args = arguments
    console = next(h for h in logging.root.handlers if h.filters)
    filters = logging.getLogger(logger).filters or console.filters
    assert all(each.filter(record) for each in filters)
    assert record.getMessage() == logged


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
        *(
            (
                {"EMAIL_URL": url},
                "ImproperlyConfigured: EMAIL_URL must be smtp+tls://USER:PASSWORD@HOST:PORT.",
            )
            for url in ["rubbish", "smtp+tls://a:b@c:port", "https://a:b@c"]
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
