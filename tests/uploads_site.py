"""The site, with the addresses that the library's tests of uploads have."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.ROOT_URLCONF = "lo_storage.tests.uploads.urls"
application = get_wsgi_application()
