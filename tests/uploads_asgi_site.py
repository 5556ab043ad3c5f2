"""As `tests.uploads_site`, for a server of ASGI."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = "lo_storage.tests.uploads.urls"
application = get_asgi_application()
