"""What bin/new runs: Django's startapp, with `app_template/`, names the app where Django looks."""

import keyword
import re
import sys
from pathlib import Path

from django.core.management import CommandError, call_command
from django.core.management.commands import startapp
from django.utils.text import camel_case_to_spaces

HERE = Path(__file__).parent
SETTINGS, URLS, JOURNEYS = Path("config/settings.py"), Path("config/urls.py"), Path("e2e")


class StartApp(startapp.Command):
    stealth_options = ("model", "one", "many")  # which only the template reads


def model_of(app: str) -> str:
    """Return what one of them is called: Document for documents, LabReport for lab_reports."""
    return "".join(word.capitalize() for word in app.removesuffix("s").split("_"))


def added(path: Path, name: str, line: str) -> str:
    """Add a line to the list of this name in a file; return what remains to be done by hand."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^{name} = \[\n.*?(?=^\]$)", text, re.DOTALL | re.MULTILINE)
    if not found:
        return f"Add to {name} in {path}: {line}\n"
    path.write_text(f"{text[: found.end()]}    {line}\n{text[found.end() :]}", encoding="utf-8")
    return ""


def main() -> None:
    app, model = [*sys.argv[1:], model_of(sys.argv[1])][:2] if len(sys.argv) in (2, 3) else ("", "")
    if not re.fullmatch("[a-z][a-z0-9_]*", app):
        sys.exit("bin/new APP [MODEL]: bin/new documents, or bin/new categories Category")
    if not re.fullmatch("[A-Z][A-Za-z0-9]*", model) or keyword.iskeyword(model):
        sys.exit(f"bin/new: a model has a name like Document, not {model!r}")
    if Path(app).exists() or (JOURNEYS / app).exists():
        sys.exit(f"bin/new: {app}/ or {JOURNEYS / app}/ is there already")
    if re.search(rf'"(\w+\.)*{app}"', SETTINGS.read_text(encoding="utf-8")):
        sys.exit(f"bin/new: {SETTINGS} has an app or a word {app!r} already; choose another")
    try:
        call_command(
            StartApp(),
            app,
            template=str(HERE / "app_template"),
            extensions=["py", "html"],
            model=model,
            one=camel_case_to_spaces(model),
            many=app.replace("_", " "),
        )
    except CommandError as error:
        sys.exit(f"bin/new: {error}")
    JOURNEYS.mkdir(exist_ok=True)
    Path(app, "e2e").rename(JOURNEYS / app)
    by_hand = added(SETTINGS, "INSTALLED_APPS", f'"{app}",')
    by_hand += added(URLS, "urlpatterns", f'path("{app}/", include("{app}.urls")),')
    print(f"{app}/ has a model {model} with its pages, admin and tests, e2e/{app}/ its journey.")
    print(by_hand or f"{SETTINGS} and {URLS} name it.")
    print(f"Files of more than 1 MiB: nginx.conf has to name {app}/add, where upload is.")
    print(f"Look at it by bin/demo, at /{app}/; test it by bin/test {app} e2e/{app}")


if __name__ == "__main__":
    main()
