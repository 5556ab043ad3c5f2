"""The headers that describe a file.

Whatever was uploaded is taken for hostile. Its content type comes from the stored name, and never
from the content. Types that cannot run are shown in the browser; all others are saved to disk, and
so is a text whose encoding nobody tells.
"""

import re
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from unicodedata import combining, normalize
from urllib.parse import quote

from ..catalogue import Entry

__all__ = ["CACHE_CONTROL", "SHOWN", "describe"]

# HTML, SVG and XML are not among them: each can carry a script. The last suffix alone decides, so
# that "a.pdf.gz" is no PDF with a Content-Encoding. `mimetypes` would read the machine's tables.
#: The types that are shown in the browser, by the last suffix: ".pdf" is "application/pdf".
SHOWN = {
    **dict.fromkeys([".txt", ".text", ".log"], "text/plain"),
    ".pdf": "application/pdf",
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ico": "image/vnd.microsoft.icon",
    **dict.fromkeys([".jpg", ".jpeg", ".jpe", ".jfif"], "image/jpeg"),
    ".png": "image/png",
    **dict.fromkeys([".tif", ".tiff"], "image/tiff"),
    ".webp": "image/webp",
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    **dict.fromkeys([".oga", ".ogg", ".opus"], "audio/ogg"),
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    **dict.fromkeys([".mp4", ".m4v"], "video/mp4"),
    ".mov": "video/quicktime",
    ".ogv": "video/ogg",
    ".webm": "video/webm",
}

#: "private, no-cache": a cache may keep a file for one user, and asks each time if it still holds.
CACHE_CONTROL = "private, no-cache"

# No script runs and nothing else is loaded, even where a browser takes the content for a page. The
# styles are those of the pages that Firefox and WebKit make around images, media and PDFs.
_RULES = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
POLICY = f"{_RULES}; sandbox"
# A browser's page around audio and video is of this site, and loads the file again. WebKit's
# buttons in it are a script of its own, which a sandbox stops. `default-src` stops all others.
MEDIA_POLICY = f"{_RULES}; media-src 'self'; sandbox allow-same-origin allow-scripts"
# WebKit's page around a PDF is blank in any sandbox. A PDF is never taken for a page of this site:
# nosniff, and the type of its suffix.
PDF_POLICY = _RULES

# Control characters, what RFC 6266, appendix D, advises against, and what separates a path.
_NOT_PLAIN = re.compile(r'[^ -~]|["%/\\]')


def describe(
    entry: Entry,
    as_attachment: bool | None = None,
    download_name: str | None = None,
    cache_control: str = CACHE_CONTROL,
    charset: str | None = None,
) -> dict[str, str]:
    """Return the headers that describe a file, whatever part of it is sent.

    Arguments:

    - `entry`: the file.
    - `as_attachment`: whether the browser is told to save it (None: only what is not in `SHOWN`).
      What is not in `SHOWN` is always saved, and a text without `charset`.
    - `download_name`: the name that it is saved under (None: the original name).
    - `cache_control`: who may keep it, and for how long.
    - `charset`: the encoding of a text, where you know it: "utf-8" (None: none is claimed).
    """
    shown = SHOWN.get("." + entry.name.rpartition(".")[2].lower())
    content_type = shown or "application/octet-stream"
    if shown == "text/plain":
        # Browsers take what has no charset for Windows-1252, and so UTF-8 could not be read.
        if charset is None:
            shown = None
        else:
            content_type = f"{content_type}; charset={charset}"
    policy = POLICY
    if shown == "application/pdf":
        policy = PDF_POLICY
    elif shown and shown.startswith(("audio/", "video/")):
        policy = MEDIA_POLICY
    digest = {}
    if entry.sha256 is not None:  # RFC 9530, section 3.
        sha256 = b64encode(bytes.fromhex(entry.sha256)).decode()
        digest = {"Repr-Digest": f"sha-256=:{sha256}:"}
    # The database's clock may be ahead of this one: RFC 9110, section 8.8.2.1.
    modified = min(entry.modified_at, datetime.now(UTC)).astimezone(UTC)
    return {
        "Content-Type": content_type,
        "Content-Disposition": _disposition(
            "attachment" if as_attachment or shown is None else "inline",
            download_name or entry.original_name or entry.name,
        ),
        **digest,
        "Accept-Ranges": "bytes",
        "ETag": etag(entry),
        "Last-Modified": format_datetime(modified, usegmt=True),
        "Cache-Control": cache_control,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": policy,
    }


def refusal_headers(file_headers: dict[str, str]) -> dict[str, str]:
    """Return the headers of a refusal, which speaks of the file and does not have its content."""
    of_content = {"Content-Type", "Content-Disposition", "Repr-Digest"}
    return {name: value for name, value in file_headers.items() if name not in of_content}


def etag(entry: Entry) -> str:
    """Return the strong validator, which survives dump and restore (RFC 9110, section 8.8.3)."""
    # After a restore a number may be used again: `modified_at` tells the two files apart.
    modified = entry.modified_at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")
    return f'"{entry.loid}-{entry.version}-{modified}"'


def _disposition(kind: str, filename: str) -> str:
    """Return the Content-Disposition header (RFC 6266; other names as in RFC 8187).

    A `filename` in ASCII stands before `filename*`, as RFC 6266, appendix D, advises. curl's -J
    knows no other, and would take the last part of the address.
    """
    letters = "".join(c for c in normalize("NFKD", filename) if not combining(c))
    plain = f'{kind}; filename="{_NOT_PLAIN.sub("_", letters)}"'
    if _NOT_PLAIN.search(filename) is None:
        return plain
    return f"{plain}; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
