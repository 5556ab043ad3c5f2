from django.conf import settings


def limit_statements():
    """Let PostgreSQL end each statement of a web server after STATEMENT_TIMEOUT.

    A person may leave a page, and its query would go on. Commands (`migrate`, `lo_clean`) may take
    as long as they take. A file of any size comes and goes in statements of a megabyte.
    """
    if settings.STATEMENT_TIMEOUT != "0":
        options = settings.DATABASES["default"].setdefault("OPTIONS", {})
        limit = f"-c statement_timeout={settings.STATEMENT_TIMEOUT}"
        options["options"] = f"{options.get('options', '')} {limit}".strip()


def largest_request():
    """The bytes of the largest upload: its files, and what a form may have without any."""
    return settings.UPLOAD_MAX_BATCH_SIZE + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
