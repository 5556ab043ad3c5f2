"""What may be answered. `cookiecutter.json` asks after each answer, by a filter.

Cookiecutter would ask all the rest before a hook, and print a traceback below the sentence of one
that fails.
"""

import keyword
import os
import re
import sys

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment, pass_context
from jinja2.ext import Extension
from jinja2.runtime import Context

DATABASES = {"postgres", "template0", "template1"}
OURS = {
    *("config", "django", "e2e", "invoices", "lo_storage", "psycopg", "static", "tests", "users"),
}


def problem(answers: dict) -> str | None:
    """Return a sentence about the first answer that would break something, of those there are."""
    for key in ["project_name", "author", "description"]:
        text = answers.get(key, "nothing yet")
        if not text.strip():
            return f"{key}: say something, and not nothing."
        if not text.isprintable() or (key != "author" and re.search(r"[{}<>\\`]", text)):
            return f"{key}: one line without braces, angle brackets, backslash and `: {text!r}."
    slug = answers.get("project_slug", "nothing-yet")
    module = slug.replace("-", "_")
    if not re.fullmatch(r"[a-z](-?[a-z0-9]){1,49}", slug):
        return f"project_slug: 2 to 50 of a to z, 0 to 9 and single hyphens, not {slug!r}."
    if keyword.iskeyword(module):
        return f"project_slug: {slug} is a word of Python; choose another."
    if module in sys.stdlib_module_names:
        return f"project_slug: {slug} is a module of Python's standard library; choose another."
    if module in OURS:
        return f"project_slug: {slug} is a package that the project has; choose another."
    if module in DATABASES:
        return f"project_slug: {slug} is a database that every PostgreSQL has; choose another."
    return None


@pass_context
def checked(context: Context, text: str) -> str:
    sentence = problem(context["cookiecutter"])
    if sentence:
        raise FailedHookException(sentence)
    return text


class Answers(Extension):
    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters["checked"] = checked
        environment.globals["folder_of_the_template"] = os.getcwd  # where a hook is filled in
