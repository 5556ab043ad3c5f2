"""A site beside this one, as evil.example.com beside www.example.com, slips nothing into it."""

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from tests.serving import gunicorn

SITE, SIBLING = "https://www.example.com", "https://evil.example.com"


@pytest.fixture
def site(context, tmp_path, transactional_db):
    """The site under HTTPS, which the browser reaches by a proxy that ends TLS."""
    https = {"HTTPS": "1", "TRUST_X_FORWARDED_PROTO": "1", "ALLOWED_HOSTS": "www.example.com"}

    with gunicorn(tmp_path, **https) as (_, address, _):

        def proxy(route):
            headers = {**route.request.all_headers(), "x-forwarded-proto": "https"}
            headers["host"] = "www.example.com"
            answer = route.fetch(
                url=route.request.url.replace(SITE, address), headers=headers, max_redirects=0
            )
            route.fulfill(response=answer)

        context.route(f"{SITE}/**", proxy)
        yield
        context.unroute_all(behavior="wait")  # An icon may still be on its way.


def session_of(user):
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_a_sibling_signs_nobody_in_as_somebody_else(site, page, context, alice, bob):
    mine, session = session_of(alice), session_of(bob)
    context.add_cookies([{"name": "__Host-sessionid", "value": mine, "url": SITE, "secure": True}])

    # What bob, whose the sibling is, sends along with a page of his own, and how a browser takes it
    planted = [
        f"{name}={session}; Domain=example.com; Path={path}; Secure"
        for name in ["sessionid", "__Host-sessionid"]
        for path in ["/", "/upload/"]
    ]
    context.route(
        f"{SIBLING}/**",
        lambda route: route.fulfill(headers={"Set-Cookie": "\n".join(planted)}, body="hello"),
    )
    page.goto(f"{SIBLING}/")
    there = [c["name"] for c in context.cookies() if c["value"] == session]
    assert there == ["sessionid", "sessionid"]

    page.goto(f"{SITE}/upload/")
    expect(page.get_by_role("banner").get_by_text("alice")).to_be_visible()
