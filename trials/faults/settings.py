"""The site's own settings, with a replica from which files are read."""

import os

from config.settings import *  # noqa: F403

DATABASES["replica"] = {**DATABASES["default"], "HOST": os.environ["REPLICA_SOCKET"]}  # noqa: F405
PG_LO_STORAGE_DB_FOR_READ = "replica"
# Nobody guesses these passwords, and the time is better spent otherwise.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
