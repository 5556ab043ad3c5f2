import os

from django.core.wsgi import get_wsgi_application

from config.limits import limit_statements

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

limit_statements()
application = get_wsgi_application()
