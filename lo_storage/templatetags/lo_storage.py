"""`{% load lo_storage %}{{ file.name|visible }}`: a file's name in which nothing hides."""

import re

from django import template
from django.template.defaultfilters import stringfilter

register = template.Library()

# What turns letters around or has no width, and control characters. Not the joiners of emoji and of
# Persian words, and not the marks of direction in Hebrew and Arabic names: these turn none around.
HIDDEN = re.compile(
    "[\0-\x1f\x7f-\x9f\xad\u180e\u200b\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]"
)


@register.filter(is_safe=True)
@stringfilter
def visible(name: str) -> str:
    """Return a name with `[U+202E]` in place of what would hide its end.

    `letter\\u202efdp.exe` looks like `letterexe.pdf` in a page, and is a program.
    """
    return HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", name)
