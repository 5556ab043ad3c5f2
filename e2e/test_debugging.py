"""With DEBUG Django shows its own pages about errors, and these have their style."""

import pytest


@pytest.mark.parametrize("address", ["/nothing/", "/500/"])
def test_a_page_about_an_error_has_its_style(address, page, transactional_db, settings):
    settings.DEBUG = True
    settings.ROOT_URLCONF = "e2e.error_urls"
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(address)
    style = "node => getComputedStyle(node).backgroundColor"
    assert page.locator("#summary").evaluate(style) != "rgba(0, 0, 0, 0)"
    assert not [text for text in refused if "Content Security Policy" in text]
