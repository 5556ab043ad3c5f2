from django.apps import AppConfig
from django.db.models.signals import pre_migrate
from django.utils.translation import gettext_lazy as _


class LoStorageConfig(AppConfig):
    name = "lo_storage"
    verbose_name = _("Large object storage")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  # registers them
        from .migrating import migrate_where_migrations_are_off, refuse_to_lose_files

        pre_migrate.connect(refuse_to_lose_files, sender=self)
        pre_migrate.connect(migrate_where_migrations_are_off, sender=self)
