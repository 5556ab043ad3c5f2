"""Failed attempts to sign in: how they are counted, and what is answered when there were too many.

django-axes counts them in the database, those of the admin's page, too, and refuses. It asks here
who it is that tries. A name is refused to the network that guessed, and to no other: a stranger
elsewhere keeps nobody out.
"""

import ipaddress

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.shortcuts import render

# For all names together, so that a list of names is no way around. An office is one network, too.
NETWORK_LIMIT = 50

# Who has one address of IPv6 mostly has the others of that network as well.
IPV6_NETWORK = 48  # bits


class Attempts(AxesDatabaseHandler):
    """The attempts that are not older than AXES_COOLOFF_TIME."""

    def get_failures(self, request, credentials=None):
        """Return how many there were for this name from this network, or too many from there."""
        from_network = AccessAttempt.objects.filter(
            ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
        ).aggregate(total=Sum("failures_since_start", default=0))["total"]
        if from_network >= NETWORK_LIMIT:
            return settings.AXES_FAILURE_LIMIT
        return super().get_failures(request, credentials)


def network(request):
    """Return the address that attempts are counted by; where there is none, one for all."""
    address = request.META.get("REMOTE_ADDR", "")
    if settings.TRUST_X_FORWARDED_FOR:
        # The last one is the proxy's word. What stands before it a client may have made up.
        address = request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket. Not None: with it the same attempt could be counted twice.
        return "0.0.0.0"
    if address.version == 6:
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        network = ipaddress.ip_network((address, IPV6_NETWORK), strict=False)
        return str(network.network_address)
    return str(address)


def username(request, credentials=None):
    """Return the name that attempts are counted by: no more of it than the column takes."""
    name = (credentials or request.POST).get("username")
    return name and name[:255]


def logged(username, address, user_agent, path, request):
    """Return who tried, for the log. A name may have line breaks, and here has none."""
    return f"{username!r} from {address} at {path}"


def refused(request, response, credentials):
    """Return the page for who has tried too often, of either page to sign in."""
    seconds = settings.AXES_COOLOFF_TIME.total_seconds()
    context = {"minutes": round(seconds / 60)}
    page = render(request, "accounts/refused.html", context, status=429)
    page.headers["Retry-After"] = str(round(seconds))
    return page
