"""Guesses of a password are counted, slowed and logged, on each page to sign in."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.core import mail

from config.attempts import NETWORK_LIMIT

pytestmark = pytest.mark.django_db
pages = pytest.mark.parametrize("page", ["/accounts/login/", "/admin/login/"])


@pytest.fixture(autouse=True)
def alice(settings, django_user_model):
    # Slow on purpose, and there are many here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return django_user_model.objects.create_superuser(
        "alice", password="a long one", email="alice@example.com"
    )


@pytest.fixture
def attempt(client):
    """Try to sign in; return the status: 302 is in, 200 a wrong password, 429 too many."""

    def attempt(name="alice", password="wrong", page="/accounts/login/", address="1.2.3.4", **more):
        form = {"username": name, "password": password}
        response = client.post(page, form, REMOTE_ADDR=address, **more)
        client.logout()
        attempt.response = response
        return response.status_code

    return attempt


def times_passes(**delta):
    for row in AccessAttempt.objects.all():
        row.attempt_time -= timedelta(**delta)
        row.save()


@pages
def test_the_fifth_wrong_password_is_the_last_for_a_while(page, attempt):
    assert [attempt(page=page) for _ in range(5)] == [200] * 4 + [429]
    assert attempt(password="a long one", page=page) == 429
    text = attempt.response.content.decode()
    assert "For 15 minutes none is taken, not even the right one." in text
    assert attempt.response.headers["Retry-After"] == "900"
    # Neither is the other page a way around.
    other = {"/accounts/login/", "/admin/login/"} - {page}
    assert attempt(password="a long one", page=other.pop()) == 429


def test_it_ends_by_itself_and_trying_on_does_not_make_it_longer(attempt):
    for _ in range(5):
        attempt()
    times_passes(minutes=14)
    assert [attempt() for _ in range(20)] == [429] * 20
    times_passes(minutes=2)
    assert attempt(password="a long one") == 302
    # The rows of the past go with the next sign-in.
    assert AccessAttempt.objects.count() == 0


def test_a_stranger_keeps_nobody_out_who_is_elsewhere(attempt):
    for _ in range(50):
        attempt(address="6.6.6.6")
    assert attempt(address="6.6.6.6", password="a long one") == 429
    assert attempt(password="a long one") == 302


def test_an_admin_lets_in_who_was_refused(attempt, client, alice):
    for _ in range(5):
        attempt(name="bob", address="6.6.6.6")
        attempt()
    client.force_login(alice)
    rows = AccessAttempt.objects.filter(username="alice").values_list("pk", flat=True)
    form = {"action": "delete_selected", "_selected_action": list(rows), "post": "yes"}
    assert client.post("/admin/axes/accessattempt/", form).status_code == 302
    assert attempt(password="a long one") == 302
    assert attempt(name="bob", address="6.6.6.6") == 429


def test_a_list_of_names_is_no_way_around(attempt):
    guesses = [attempt(name=f"user{number}") for number in range(NETWORK_LIMIT)]
    assert guesses == [200] * (NETWORK_LIMIT - 1) + [429]
    assert attempt(name="another") == 429
    assert attempt(name="another", address="1.2.3.5") == 200


def test_signing_in_between_is_no_way_around(attempt):
    for _ in range(4):
        attempt()
        assert attempt(name="alice", password="a long one", address="6.6.6.6") == 302
    assert attempt() == 429


@pytest.mark.parametrize(
    "more",
    [
        lambda number: {"headers": {"User-Agent": f"browser {number}"}},
        lambda number: {"headers": {"X-Forwarded-For": f"9.9.9.{number}"}},
        lambda number: {"headers": {"X-Real-IP": f"9.9.9.{number}"}},
        lambda number: {"address": f"2001:db8:7:{number}::{number}"},
        lambda number: {"address": "::ffff:1.2.3.4"},
        lambda number: {"name": "ａlice" if number % 2 else "alice"},  # NFKC: one name
    ],
)
def test_another_appearance_is_no_way_around(more, attempt):
    assert [attempt(**more(number)) for number in range(5)] == [200] * 4 + [429]


def test_behind_a_proxy_its_word_counts_and_not_the_client_s(attempt, settings):
    settings.TRUST_X_FORWARDED_FOR = True

    def by(client, made_up="8.8.8.8"):
        return {"address": "10.0.0.1", "headers": {"X-Forwarded-For": f"{made_up}, {client}"}}

    assert [attempt(**by("6.6.6.6", f"8.8.8.{n}")) for n in range(5)] == [200] * 4 + [429]
    assert attempt(**by("1.2.3.4", "6.6.6.6"), password="a long one") == 302


@pytest.mark.parametrize("address", ["", "unix:", "1.2.3.4:5678"])
def test_without_an_address_attempts_are_counted_too(address, attempt):
    assert [attempt(address=address) for _ in range(5)] == [200] * 4 + [429]


@pages
@pytest.mark.parametrize("name", ["x" * 100_000, "a\0b", "\n", "", "a\nb", "💩", "%s{name}"])
def test_no_name_is_an_error(name, page, attempt):
    statuses = [attempt(name=name, page=page) for _ in range(6)]
    assert set(statuses) <= {200, 429}


@pytest.fixture
def change(client, alice):
    """Change alice's password; return the status as `attempt` does."""
    client.force_login(alice)

    def change(old, page="/accounts/password/"):
        new = {"new_password1": "another long one", "new_password2": "another long one"}
        form = {"old_password": old, **new}
        return client.post(page, form, REMOTE_ADDR="1.2.3.4").status_code

    return change


def test_who_changes_a_password_cannot_guess_the_old_one_either(change, attempt, alice, client):
    assert change("") == 200  # which is no guess
    assert [change("wrong") for _ in range(5)] == [200] * 4 + [429]
    assert change("a long one") == 429
    alice.refresh_from_db()
    assert alice.check_password("a long one")
    client.logout()
    assert attempt(password="a long one") == 429
    times_passes(minutes=16)
    assert attempt(password="a long one") == 302


def test_a_password_is_changed_by_who_knows_the_old_one(change, alice):
    assert change("a long one") == 302
    alice.refresh_from_db()
    assert alice.check_password("another long one")


def test_the_admin_has_no_other_page_for_it(change, client):
    assert change("wrong", page="/admin/password_change/") == 302
    assert client.get("/admin/password_change/").url == "/accounts/password/"


def test_they_are_logged_in_a_line_each_without_the_password(attempt, caplog):
    attempt(name="alice\nERROR all is lost", password="hunter2")
    for _ in range(5):
        attempt(password="hunter2", page="/admin/login/")
    lines = [f"{r.levelname} {r.getMessage()}" for r in caplog.records if r.name[:5] == "axes."]
    assert lines[0].startswith(
        r"WARNING AXES: New login failure by 'alice\nERROR all is lost' from 1.2.3.4 at /accounts/"
    )
    assert "WARNING AXES: Locking out 'alice' from 1.2.3.4 at /admin/login/" in lines[-1]
    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(list(AccessAttempt.objects.values()))


def test_a_new_password_goes_to_who_has_the_mail_alone(client, alice):
    for address in ["alice@example.com", "nobody@example.com"]:
        response = client.post("/accounts/reset/", {"email": address})
        assert (response.status_code, response.url) == (302, "/accounts/reset/sent/")
    (message,) = mail.outbox
    assert message.to == ["alice@example.com"]
    assert message.subject == "A new password for testserver"
