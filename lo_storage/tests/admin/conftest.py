import pytest


@pytest.fixture
def admin_site(settings):
    """The admin of these tests, with Django's own templates and the library's."""
    settings.ROOT_URLCONF = "lo_storage.tests.admin.urls"
    settings.TEMPLATES = [{**engine, "DIRS": []} for engine in settings.TEMPLATES]
