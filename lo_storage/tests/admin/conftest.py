import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType


@pytest.fixture
def admin_site(settings):
    """The admin of these tests, with Django's own templates and the library's."""
    settings.ROOT_URLCONF = "lo_storage.tests.admin.urls"
    settings.TEMPLATES = [{**engine, "DIRS": []} for engine in settings.TEMPLATES]


@pytest.fixture
def staff(documents, django_user_model, client):
    """A function that signs somebody in who may view only the models that are named."""

    def sign_in(*models):
        user = django_user_model.objects.create_user("bob", is_staff=True)
        for model in models:
            permission, _ = Permission.objects.get_or_create(
                content_type=ContentType.objects.get_for_model(model),
                codename=f"view_{model._meta.model_name}",
            )
            user.user_permissions.add(permission)
        client.force_login(user)
        return client

    return sign_in
