from django.conf import settings
from django.db import OperationalError
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin

# All that a page needs is a file of ours. (Django's own middleware is not there in 5.2.)
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
TOOLBAR = "; img-src 'self' data:"


class SiteMiddleware(MiddlewareMixin):
    """Headers for each response without its own, and a sentence when the database is away."""

    def process_response(self, request, response):
        policy = POLICY + TOOLBAR if settings.DEBUG else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        # Another port of this host gets our cookie, and could show our users their own files.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Who comes after somebody at one browser finds no page of theirs, on disk or by going back.
        response.headers.setdefault("Cache-Control", "private, no-store")
        session = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if session and not session.value:  # It has ended.
            response.headers["Clear-Site-Data"] = '"cache"'
        return response

    def process_exception(self, request, exception):
        if isinstance(exception, OperationalError):
            return HttpResponse(
                f"The database cannot do this now: {exception}\n".split("\n")[0]
                if settings.DEBUG
                else "The database cannot do this now. Nothing was changed. Please try again.",
                status=503,
                content_type="text/plain; charset=utf-8",
            )
        return None
