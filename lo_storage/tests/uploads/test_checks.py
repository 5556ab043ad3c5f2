from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.utils import timezone

from lo_storage.uploads.models import Upload


def ids(**kwargs):
    messages = [message for message in run_checks(**kwargs) if message.id[-3:-2] == "1"]
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def test_the_defaults_are_right(db):
    assert ids(databases=["default"]) == []


def test_a_key_that_nobody_reads(settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA": 5}
    assert ids() == ["lo_storage.E101"]


def test_a_hook_that_is_none(settings):
    here = "lo_storage.tests.uploads.hooks"
    settings.LO_STORAGE_UPLOADS = {"ACCEPT": [f"{here}.accept"], "SCAN": f"{here}.scan"}
    assert ids() == []
    settings.LO_STORAGE_UPLOADS = {"ACCEPT": [f"{here}.says", "nowhere"], "SCAN": f"{here}.scam"}
    assert ids() == 3 * ["lo_storage.E103"]


class UsersElsewhere:
    def db_for_write(self, model, **hints):
        return "users"


def test_users_elsewhere(settings):
    settings.DATABASE_ROUTERS = [UsersElsewhere()]
    assert ids() == ["lo_storage.E102"]


def test_no_quota(settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_SIZE": None, "QUOTA_NUMBER": None}
    assert ids() == ["lo_storage.W101", "lo_storage.W101"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("MAX_SIZE", value) for value in ("5", 0, -1, 1.5, True)),
        ("QUOTA_SIZE", "2 GB"),
        ("QUOTA_NUMBER", timedelta(days=1)),
        *(("EXPIRES", value) for value in (7, None, timedelta(), timedelta(days=-1))),
    ],
)
def test_a_limit_that_is_none(key, value, settings):
    settings.LO_STORAGE_UPLOADS = {key: value}
    assert ids() == ["lo_storage.E104"]


@pytest.mark.parametrize(
    ("largest", "quota", "found"),
    [(5, 5, []), (6, 5, ["lo_storage.W103"]), (None, 5, ["lo_storage.W103"])],
)
def test_a_file_that_no_quota_has_room_for(largest, quota, found, settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": largest, "QUOTA_SIZE": quota}
    assert ids() == found


def test_lo_expire_is_not_run(staged):
    staged()
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=1, hours=23))
    assert ids(databases=["default"]) == []
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=2, hours=1))
    assert ids(databases=["default"]) == ["lo_storage.W102"]
    assert ids() == []
