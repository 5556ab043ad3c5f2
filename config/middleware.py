from django.conf import settings
from django.utils.deprecation import MiddlewareMixin

from config.limits import largest_request
from config.uploads import too_much
from config.urls import healthz

# All that a page needs is a file of ours. (Django's own middleware is not there in 5.2.)
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
TOOLBAR = "; img-src 'self' data:"
PAGE_OF_DJANGOS = "; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'"


class SiteMiddleware(MiddlewareMixin):
    """No request that is too long; headers for each response without its own."""

    def process_request(self, request):
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0  # Django reads none of it.
        return too_much(request) if length > largest_request() else None

    def process_response(self, request, response):
        policy = POLICY
        if settings.DEBUG:
            policy += TOOLBAR
            if response.status_code >= 400:
                policy += PAGE_OF_DJANGOS
        response.headers.setdefault("Content-Security-Policy", policy)
        # Another port of this host gets our cookie, and could show our users their own files.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        # Who comes after somebody at one browser finds no page of theirs, on disk or by going back.
        response.headers.setdefault("Cache-Control", "private, no-store")
        if any(address in request.path for address in settings.ADDRESSES_WITH_A_KEY):
            # No address is told. (By "no-referrer" no Origin, too, and Django refuses the form.)
            response.headers.setdefault("Referrer-Policy", "strict-origin")
        session = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if session and not session.value:  # It has ended.
            response.headers["Clear-Site-Data"] = '"cache"'
        return response


class HealthMiddleware(MiddlewareMixin):
    """Answers who asks by an address, as a load balancer does, and is told nothing but its health.

    Stands before all that reads the Host: on each other page ALLOWED_HOSTS decides.
    """

    def process_request(self, request):
        asks = request.method in ("GET", "HEAD") and request.path_info == "/healthz/"
        return healthz(request) if asks else None
