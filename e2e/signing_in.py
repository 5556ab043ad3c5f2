"""The page to sign in, in the language of the site."""

from django.contrib.auth.forms import AuthenticationForm

FORM = AuthenticationForm()
NAME, PASSWORD = (str(FORM.fields[field].label) for field in ["username", "password"])
(WRONG,) = FORM.get_invalid_login_error().messages


def fill_in(page, password, name="alice"):
    page.get_by_label(NAME).fill(name)
    page.get_by_label(PASSWORD).fill(password)
    page.get_by_role("main").get_by_role("button").click()  # of either page, ours or the admin's
