"""What a person does on these pages, and sees there."""

import re

KB = 1024
PIECE = 256 * KB  # what the pages send at once


def choose(page, *paths, label="Files"):
    page.get_by_label(label, exact=True).set_input_files(list(paths))


def rows(page):
    return page.get_by_role("list", name="Files to save").get_by_role("listitem")


def row(page, name):
    return rows(page).filter(has_text=name)


def save(page, title="March"):
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Save").click()


def button(page, what, name):
    return page.get_by_role("button", name=f"{what} {name}", exact=True)


class Line:
    """What becomes of each piece of a page after the first: sent on, unless a test holds it.

    While there is a `problem`, it has whatever is asked of an upload.
    """

    def __init__(self, page):
        self.page, self.held, self.answers = page, [], []
        self.is_open, self.problem = False, None
        page.route(re.compile("/uploads/[-0-9a-f]{36}/$"), self._handle)

    def _handle(self, route):
        offset = route.request.headers.get("upload-offset", "0")
        if self.problem:
            self.problem(route)
        elif route.request.method != "PATCH" or offset == "0":
            route.continue_()
        elif self.answers:
            self.answers.pop(0)(route)
        elif self.is_open:
            route.continue_()
        else:
            self.held.append(route)

    def choose(self, *paths, into="input[type=file]:visible"):
        """Choose files, and come back when all but the first piece of a large one is held."""
        with self.page.expect_request(lambda it: it.headers.get("upload-offset") == str(PIECE)):
            self.page.locator(into).set_input_files(list(paths))

    def answer(self, answer):
        """End with this what is held, or will be in a moment; what comes then is held."""
        if self.held:
            answer(self.held.pop())
        else:
            self.answers.append(answer)

    def open(self):
        self.is_open, self.problem = True, None
        for route in self.held:
            route.continue_()
        self.held.clear()
