"""The site's own settings, with a replica from which files are read."""

import os

from config.settings import *  # noqa: F403

# While the replica is away, libpq goes to the server: docs/replicas.md.
DATABASES["replica"] = {  # noqa: F405
    **DATABASES["default"],  # noqa: F405
    "HOST": f"{os.environ['REPLICA_SOCKET']},{DATABASES['default']['HOST']}",  # noqa: F405
}
PG_LO_STORAGE_DB_FOR_READ = "replica"
# Nobody guesses these passwords, and the time is better spent otherwise.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
