"""The site, with the addresses that the library's tests of uploads have."""

import json
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from lo_storage.uploads import bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = "lo_storage.tests.uploads.urls"
settings.CSRF_FAILURE_VIEW = "lo_storage.tests.uploads.urls.refuse"
bodies.SILENCE = float(os.environ.get("SILENCE", bodies.SILENCE))
if pool := os.environ.get("POOL"):
    settings.DATABASES["default"].setdefault("OPTIONS", {})["pool"] = json.loads(pool)
application = get_wsgi_application()
