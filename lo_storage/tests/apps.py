from django.apps import AppConfig


class TestsConfig(AppConfig):
    """For tests of what Django does with installed apps alone."""

    name = "lo_storage.tests"
    label = "lo_storage_tests"
    default_auto_field = "django.db.models.BigAutoField"
