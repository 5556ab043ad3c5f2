from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class UploadsConfig(AppConfig):
    name = "lo_storage.uploads"
    label = "lo_storage_uploads"
    verbose_name = _("Uploads")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  # registers them
        from .migrating import make_triggers_where_migrations_are_off

        post_migrate.connect(make_triggers_where_migrations_are_off, sender=self)
