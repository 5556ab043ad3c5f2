"""Mail, by an address in the environment."""

import django
import environ
from django.core.exceptions import ImproperlyConfigured

TIMEOUT = 10  # seconds; a person waits


def mail_settings(url):
    """Return the settings, as this version of Django names them, for mail that goes by `url`."""
    try:
        settings = environ.Env.email_url_config(url)
    except (ImproperlyConfigured, ValueError):
        raise ImproperlyConfigured(
            "EMAIL_URL must be smtp+tls://USER:PASSWORD@HOST:PORT."
        ) from None
    if django.VERSION < (6, 1):
        return {**settings, "EMAIL_TIMEOUT": TIMEOUT}
    options = {
        "host": settings["EMAIL_HOST"],
        "port": settings["EMAIL_PORT"],
        "username": settings["EMAIL_HOST_USER"],
        "password": settings["EMAIL_HOST_PASSWORD"],
        "use_tls": settings.get("EMAIL_USE_TLS", False),
        "use_ssl": settings.get("EMAIL_USE_SSL", False),
        "timeout": TIMEOUT,
    }
    by_server = settings["EMAIL_HOST"] is not None  # Else it is printed, or goes nowhere.
    mailer = {"BACKEND": settings["EMAIL_BACKEND"], "OPTIONS": options if by_server else {}}
    return {"MAILERS": {"default": mailer}}
