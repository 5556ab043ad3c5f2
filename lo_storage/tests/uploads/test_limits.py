import pytest

from lo_storage.uploads import limits, staging


def test_no_limit_is_beyond_that_of_a_large_object(user, settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": None, "QUOTA_SIZE": None}
    with pytest.raises(limits.LimitExceeded):
        staging.create("default", user, 2**43, "a.pdf")


def test_what_is_used_is_what_was_promised_or_has_come(user, stranger):
    assert limits.used("default", user) == (0, 0)
    staging.create("default", user, 5, "a.pdf")
    staging.append("default", staging.create("default", user, None, "b.pdf"), b"abc")
    staging.create("default", stranger, 7, "c.pdf")
    assert limits.used("default", user) == limits.used("default", user.pk) == (2, 8)
