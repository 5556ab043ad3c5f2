"""The admin makes somebody, whichever model AUTH_USER_MODEL names."""

from django.contrib.auth import get_user_model
from django.urls import reverse

User = get_user_model()
PASSWORD = "a-Secret-1"


def test_who_is_made_in_the_admin_can_sign_in(admin_client, client):
    page = reverse(f"admin:{User._meta.app_label}_{User._meta.model_name}_add")
    passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    answer = admin_client.post(page, {"username": "bob", **passwords})
    made = User.objects.get(username="bob")
    assert answer.headers["Location"].endswith(f"/{made.pk}/change/")
    form = {"username": "bob", "password": PASSWORD}
    assert client.post(reverse("login"), form).headers["Location"] == reverse("home")
