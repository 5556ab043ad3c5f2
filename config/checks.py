"""What `manage.py check --deploy` says of the demo, and of what it left."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password
from django.core import checks
from django.db import OperationalError, connection

from .demo import PASSWORD, PEOPLE


@checks.register(checks.Tags.security, deploy=True)
def check_demo(**kwargs):
    """W001: the site is not for everyone to try."""
    if not settings.DEMO:
        return []
    return [
        checks.Warning(
            "DEMO is on: plain HTTP will do, and the sign-in page says whom anyone may sign in as.",
            hint="Unset DEMO in the environment.",
            id="config.W001",
        )
    ]


# Not among the checks of databases: without --database these are silent.
@checks.register(checks.Tags.security, deploy=True)
def check_people(**kwargs):
    """W002: nobody may sign in with the demo's password."""
    users = get_user_model()
    try:
        with connection.cursor() as cursor:
            if users._meta.db_table not in connection.introspection.table_names(cursor):
                return []  # It is about to be migrated.
        people = list(users.objects.filter(username__in=PEOPLE, is_active=True))
    except OperationalError as error:
        reason = str(error).partition("\n")[0]
        return [
            checks.Info(
                f"Whether the demo's people are in the database is not known: {reason}",
                hint="Check again where the database answers.",
                id="config.I001",
            )
        ]
    return [
        checks.Warning(
            f"Anyone may sign in as {user.get_username()!r}{', a superuser,' * user.is_superuser}"
            " with the demo's password.",
            hint=f"manage.py changepassword {user.get_username()}; or delete the user.",
            id="config.W002",
        )
        for user in people
        if check_password(PASSWORD, user.password)
    ]
