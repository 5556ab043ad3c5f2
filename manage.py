#!/usr/bin/env python
import os
import sys
from contextlib import contextmanager

OTHER_USER_MODEL = """{error}
This database was made with another user model than {model}. Name that one in config/settings.py
(Django's own: AUTH_USER_MODEL = "auth.User"), or begin with an empty database: where there is no
DATABASE_URL, and you need nothing that is in it, rm -r .postgres"""


@contextmanager
def one_sentence():
    """End with what happened and what to do; a traceback would not help whoever can mend it."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError
    from django.db.migrations.exceptions import InconsistentMigrationHistory

    from config.embedded_postgres import StartError

    try:
        yield
    except (ImproperlyConfigured, OperationalError, StartError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except InconsistentMigrationHistory as error:
        model = settings.AUTH_USER_MODEL
        if f"its dependency {model.partition('.')[0]}." not in str(error):
            raise
        sys.exit(OTHER_USER_MODEL.format(error=error, model=model))


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        sys.exit("There is no Django here: run bin/setup, then .venv/bin/python manage.py …")

    with one_sentence():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
