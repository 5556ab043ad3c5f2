"""Settings from the environment, safe for production by default. `.env.example` lists them.

Without DATABASE_URL this is somebody's own machine: an embedded PostgreSQL is started, a secret
key is made and kept, and plain HTTP will do. DEBUG or DEMO say the same of a server of your own.
"""

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from config.mail import mail_settings
from config.reports import report_errors

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.bool("DEBUG", default=False)
# Shows whom one may sign in as, and what is for trying out.
DEMO = env.bool("DEMO", default=False)
DATABASE_URL = env.str("DATABASE_URL", default="")
LOCAL = DEBUG or DEMO or not DATABASE_URL

SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY and LOCAL:
    SECRET_KEY_FILE = BASE_DIR / ".secret_key"
    if not SECRET_KEY_FILE.exists():
        with tempfile.NamedTemporaryFile("w", dir=BASE_DIR) as file, suppress(FileExistsError):
            file.write(get_random_secret_key())
            file.flush()
            os.link(file.name, SECRET_KEY_FILE)  # whole at once, and never over another's
    SECRET_KEY = SECRET_KEY_FILE.read_text()
if not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY in the environment, or DEBUG=1 for development.")
# Those that were in use before it: what they signed holds.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "config",
    "users",
    "lo_storage",
    "lo_storage.uploads",
    "invoices",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.SiteMiddleware",
    "config.middleware.HealthMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.demo",
            ],
        },
    },
]

if DATABASE_URL:
    try:
        if not DATABASE_URL.startswith(("postgres://", "postgresql://")):
            raise ValueError("not PostgreSQL")
        DATABASES = {"default": env.db_url("DATABASE_URL")}
    except ValueError:
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://USER:PASSWORD@HOST:PORT/NAME."
        ) from None
else:
    from config import embedded_postgres

    DATABASES = {"default": embedded_postgres.database(BASE_DIR)}
DATABASES["default"] |= {
    "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=0),
    "CONN_HEALTH_CHECKS": True,
}
# Of a web server (`config/limits.py`), in PostgreSQL's words: "30s", "500ms"; "0" for none.
STATEMENT_TIMEOUT = env.str("STATEMENT_TIMEOUT", default="30s")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "users.User"  # Another can be chosen as long as there are no tables.
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in [
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    ]
]
# The first counts, and refuses (config/attempts.py).
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_HANDLER = "config.attempts.Attempts"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# Who is refused cannot make it last longer, neither for themselves nor for somebody else.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "config.attempts.network"
AXES_USERNAME_CALLABLE = "config.attempts.username"
AXES_CLIENT_STR_CALLABLE = "config.attempts.logged"
AXES_LOCKOUT_CALLABLE = "config.attempts.refused"
AXES_DISABLE_ACCESS_LOG = True  # It would keep each sign-in for ever.
AXES_VERBOSE = False
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# By mail goes the link to a new password. On a machine of one's own it is printed.
EMAIL_URL = env.str("EMAIL_URL", default="consolemail://" if LOCAL else "")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="webmaster@localhost")
if EMAIL_URL:
    globals().update(mail_settings(EMAIL_URL))

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = LOCAL
STORAGES = {
    "default": {"BACKEND": "lo_storage.storage.DbFileStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# Whether nginx sends what a view allows, from a cache of its own (docs/handing-over.md).
PG_LO_STORAGE_X_ACCEL = env.bool("X_ACCEL", default=False)

# A view takes files only if it says so (config/uploads.py), within these limits: bytes of one file,
# bytes and files of one request.
FILE_UPLOAD_HANDLERS = ["config.uploads.NoFiles"]
UPLOAD_MAX_FILE_SIZE = 100 * 1024**2
UPLOAD_MAX_BATCH_SIZE = 200 * 1024**2
UPLOAD_MAX_BATCH_FILES = 100
CLAMD = env.str("CLAMD", default="")
# What has come and is not saved yet: `manage.py lo_expire` deletes it after EXPIRES (7 days).
LO_STORAGE_UPLOADS = {
    "MAX_SIZE": UPLOAD_MAX_FILE_SIZE,
    "QUOTA_SIZE": 5 * UPLOAD_MAX_BATCH_SIZE,
    "QUOTA_NUMBER": 5 * UPLOAD_MAX_BATCH_FILES,
    # What is asked before one becomes a file (docs/uploads.md), and who knows of viruses.
    "ACCEPT": env.list("UPLOAD_ACCEPT", default=[]),
    "SCAN": "lo_storage.uploads.clamd.scan" if CLAMD else None,
    "CLAMD": CLAMD,
}

HTTPS = env.bool("HTTPS", default=not LOCAL)
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=30 * 24 * 3600) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # A browser takes such a name from this host alone, and none from a sibling domain.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
# A cookie of messages would be another one to slip in, and would outlive the session.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
# Only behind a proxy that sets or removes this header itself, and adds to X-Forwarded-For.
TRUST_X_FORWARDED_PROTO = env.bool("TRUST_X_FORWARDED_PROTO", default=False)
if TRUST_X_FORWARDED_PROTO:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
TRUST_X_FORWARDED_FOR = env.bool("TRUST_X_FORWARDED_FOR", default=TRUST_X_FORWARDED_PROTO)

# What follows one of these is a key: whoever has the address needs no password.
ADDRESSES_WITH_A_KEY = [
    "/accounts/reset/",
    "/link/",  # of invoices
    "/x-accel/",
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"without_keys": {"()": "config.logs.WithoutKeys"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["without_keys"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # any scanner can cause it
    },
}

SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    report_errors(SENTRY_DSN)

if DEBUG and find_spec("debug_toolbar"):
    from debug_toolbar.settings import PANELS_DEFAULTS

    DEBUG_TOOLBAR_PANELS = [*PANELS_DEFAULTS, "lo_storage.panels.LargeObjectsPanel"]
    DEBUG_TOOLBAR_CONFIG = {"SHOW_COLLAPSED": True}  # what a visitor came for is beneath it
    INSTALLED_APPS.append("debug_toolbar")
    MIDDLEWARE.insert(0, "debug_toolbar.middleware.DebugToolbarMiddleware")
    INTERNAL_IPS = ["127.0.0.1", "::1"]
