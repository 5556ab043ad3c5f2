from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoStorageConfig(AppConfig):
    name = "lo_storage"
    verbose_name = _("Large object storage")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  # registers them
