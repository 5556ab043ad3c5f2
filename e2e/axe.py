"""axe-core, light and dark, on a phone and a desk."""

from axe_playwright_python.sync_playwright import Axe

# WCAG 2.2 AA, whose own rules axe leaves out unless they are asked for, and what else is advised.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}


def expect_accessible(page):
    for width in [360, 1280]:
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ["light", "dark"]:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            # Links of Django's admin go over to their other colour.
            page.evaluate("Promise.allSettled(document.getAnimations().map(one => one.finished))")
            results = Axe().run(page, options=OPTIONS)
            report = results.generate_report() if results.violations_count else ""
            assert not report, f"{page.url}, {width} pixels, {scheme}"
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{page.url} is too wide for {width} pixels, by {overflow}"
