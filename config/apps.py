import logging

from django.apps import AppConfig

from .logs import WithoutKeys


class SiteConfig(AppConfig):
    name = "config"

    def ready(self):
        from . import checks  # noqa: F401  # registers them

        # What web servers log on their own
        for name in ["gunicorn.access", "uvicorn.access"]:
            logging.getLogger(name).addFilter(WithoutKeys())
