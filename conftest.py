import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate

# What the tests share says as much of a failure as they do.
pytest.register_assert_rewrite("e2e", "tests", "lo_storage.tests")


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers(config):
    """One process for some of the tests: they are done before several have started."""
    cores = yield
    some = ["file_or_dir", "keyword", "markexpr", "lf", "trace"]
    if any(map(config.getoption, some)) or config.getoption("capture") == "no":
        return 0
    return min(cores + 1, 6)  # each waits now and then, for PostgreSQL or a browser


@pytest.fixture(scope="session", autouse=True)
def nothing_is_made_anew():
    """Django would make all permissions and content types after each test that commits.

    That takes longer than many a test. A content type is made where it is asked for, too.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    post_migrate.connect(forget_content_types)


def forget_content_types(**kwargs):
    from django.contrib.contenttypes.models import ContentType  # Once there are settings.

    ContentType.objects.clear_cache()


@pytest.fixture(scope="session")
def chromium():
    """The path of a browser that runs, found or installed."""
    browser = Path(__file__).parent / "bin" / "browser"
    return subprocess.run([browser], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args, chromium, pytestconfig):
    # Debian's Chromium without windows, as Playwright's own: a test takes half as long in it.
    is_headed = pytestconfig.getoption("--headed")
    shell = None if is_headed else shutil.which("chromium-headless-shell")
    quiet = [
        # A browser that asks its maker for news fails slowly where there is no network.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
        # Two more renderers for each window, of which no test sees anything.
        "--disable-features=SpareRendererForSitePerProcess,WebUIOmniboxPopup,WebUIOmniboxAimPopup",
    ]
    if os.geteuid() == 0:
        quiet.append("--no-sandbox")  # Chromium's sandbox refuses to run as root
    return {
        **browser_type_launch_args,
        "executable_path": shell or chromium,
        "args": [*browser_type_launch_args.get("args", []), *quiet],
    }
