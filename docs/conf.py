"""How bin/docs makes a site of these pages. Any warning is an error."""

import os
import sys
from pathlib import Path

import django
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter
from sphinx.util import inspect
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# To look at the library, not to reach a database.
os.environ |= {
    "DATABASE_URL": "postgres://nobody@localhost/nothing",
    "SECRET_KEY": "nothing is signed",
    "DJANGO_SETTINGS_MODULE": "config.settings",
}
django.setup()

project = "lo_storage"
copyright = "its authors, MIT licence"
html_title = "lo_storage"
html_theme = "furo"
pygments_dark_style = "github-dark"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "../static/favicon.svg"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5a54", "color-brand-content": "#0b5a54"},
    "dark_css_variables": {"color-brand-primary": "#7fd1c8", "color-brand-content": "#7fd1c8"},
}

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
nitpicky = True
smartquotes = False  # "--delete" and '' are meant to the letter
# Other projects' names are no links: the build needs no network.
nitpick_ignore_regex = [("py:.*", r"(?!lo_storage\b).*")]
# `DbFileIO` in a docstring is a link where it can be one, and else a piece of code.
default_role = "py:obj"

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    # What Django adds to a class of ours.
    "exclude-members": "deconstruct, descriptor_class, DoesNotExist, MultipleObjectsReturned,"
    " NotUpdated",
}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 120
add_module_names = False


class Command(SphinxDirective):
    """A management command of the library, as its parser describes it."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        command = load_command_class(get_commands()[name], name)
        parser = command.create_parser("manage.py", name)
        own = [
            action
            for action in parser._actions
            if not DjangoHelpFormatter.show_last.intersection(action.option_strings)
            and "--help" not in action.option_strings
        ]
        options = [
            f"- `{', '.join(action.option_strings) or action.dest}`: {action.help}"
            for action in own
        ]
        return self.parse_text_to_nodes("\n".join([command.help, "", *options]))


def in_the_site(app, docname, source):
    """Link to the page of this site that a page outside of docs/ is shown on."""
    source[0] = source[0].replace("](../lo_storage/README.md", "](adding-it.md")


def without_private_bases(app, name, obj, options, bases):
    bases[:] = [base for base in bases if not getattr(base, "__name__", "").startswith("_")]


def signature_of_init(app, what, name, obj, options, signature, returns):
    """Show the arguments of `__init__` where Django's `@deconstructible` hides them."""
    if what == "class" and signature == "(*args, **kwargs)":
        own = inspect.signature(obj.__init__, bound_method=True)
        return inspect.stringify_signature(own, unqualified_typehints=True), returns
    return None


def setup(app):
    app.add_directive("command", Command)
    app.connect("source-read", in_the_site)
    app.connect("autodoc-process-signature", signature_of_init)
    app.connect("autodoc-process-bases", without_private_bases)
