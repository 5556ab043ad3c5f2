"""Errors, told to a service that somebody reads."""

from django.core.exceptions import ImproperlyConfigured

from config.logs import WithoutKeys


def report_errors(dsn):
    """Send each error, without what a person has sent, to a service that takes Sentry's reports."""
    try:
        import sentry_sdk
    except ModuleNotFoundError:
        raise ImproperlyConfigured(
            "SENTRY_DSN needs the package sentry-sdk: add it to the group 'site' of pyproject.toml,"
            " run bin/lock, and install."
        ) from None
    try:
        sentry_sdk.init(
            dsn,
            send_default_pii=False,
            # In these may be a password, or a piece of a file.
            include_local_variables=False,
            max_request_body_size="never",
            auto_session_tracking=False,  # how many visit is not asked
            before_send=lambda event, hint: without_keys(event),
        )
    except sentry_sdk.utils.BadDsn:
        raise ImproperlyConfigured("SENTRY_DSN must be https://KEY@HOST/PROJECT.") from None


def without_keys(value):
    """The same, in whose addresses no key is left."""
    if isinstance(value, dict):
        return {name: without_keys(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_keys(item) for item in value]
    return WithoutKeys().without(value)
