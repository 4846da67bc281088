"""The report in a real browser, from disk and without a network.

Looks for Chromium in $CARSIM_CHROMIUM, then on the path. What the browser is asked about the page
is answered by a script that only the copy for the test has; the page itself has none.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carsim.config import read_config
from carsim.report import write_report
from carsim.sweep import run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 120.0
TITLE = "Risk <script>console.error('broken')</script>"

# The browser's own, which it tries to reach whatever page is open.
ITS_OWN = re.compile(r"(^|\.)(google|googleapis|gstatic|gvt1)\.com$|^~notfound$")

PROBE = """<script>
addEventListener("load", () => {
  const of = (selector) => [...document.querySelectorAll(selector)];
  document.body.dataset.probe = JSON.stringify({
    title: document.title,
    images: of("img").map((each) => [each.naturalWidth, each.naturalHeight, each.alt.length]),
    headings: of("h1, h2").map((each) => each.textContent),
    requests: performance.getEntriesByType("resource").map((each) => each.name),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    mode: document.compatMode,
    folded: of("details").length,
  });
});
</script>"""


@dataclass(frozen=True)
class Seen:
    """What became of a page.

    Attributes
    ----------
    probe : dict
        What the script of the test found.
    console : list of str
        Messages of the page.
    hosts : set of str
        Hosts that the browser asked for, without its own.
    """

    probe: dict[str, Any]
    console: list[str]
    hosts: set[str]


@pytest.fixture(scope="module")
def browser() -> str:
    """Path of a Chromium."""
    given = os.environ.get("CARSIM_CHROMIUM", "")
    found = shutil.which(given) if given else next(filter(None, map(shutil.which, BROWSERS)), None)
    if given and found is None:
        pytest.fail(f"CARSIM_CHROMIUM = {given!r}: there is no such program.")
    if found is None:
        pytest.skip(
            "THE REPORT WAS NOT OPENED IN A BROWSER: there is no Chromium on the path. Install "
            "one, or say where it is with CARSIM_CHROMIUM=/path/to/chromium."
        )
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The report of a small sweep of the flagship, with a title that would do harm unescaped."""
    changes = ("population.size=12", f"title={json.dumps(TITLE)}")
    example = repository / "examples" / "prophylaxis_by_depletion.toml"
    planned = read_config(str(example), changes).sweep
    assert planned is not None
    file = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(run(planned), file, patients=6)


def look(browser: str, page: Path, folder: Path, *, width: int = 1280) -> Seen:
    """Open a page without a network, with the probe in a copy of it."""
    folder.mkdir()
    copy = folder / "page.html"
    text = page.read_text(encoding="utf-8")
    copy.write_text(text.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    log = folder / "network.json"
    done = subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--v=0",
            f"--log-net-log={log}",
            f"--window-size={width},900",
            "--dump-dom",
            copy.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found, f"the page did not load: {done.stderr[-2000:]}"
    hosts = set(re.findall(r"https?://([^\"/:;\s\\]+)", log.read_text(encoding="utf-8")))
    return Seen(
        json.loads(html.unescape(found[1])),
        re.findall(r"CONSOLE[^\]]*\] (.*)", done.stderr),
        {host for host in hosts if not ITS_OWN.search(host.lower())},
    )


def test_the_report_opens_without_an_error_and_asks_for_nothing(
    browser: str, report: Path, tmp_path: Path
) -> None:
    seen = look(browser, report, tmp_path / "wide")
    assert seen.console == []
    assert seen.hosts == set()
    assert seen.probe["requests"] == []
    assert seen.probe["mode"] == "CSS1Compat"  # not the quirks of an invalid page
    assert seen.probe["title"] == TITLE
    headings = seen.probe["headings"]
    assert headings[0] == seen.probe["title"]
    assert headings[1] == "Contents"
    assert [words.split(" ")[0] for words in headings[2:]] == list("123456789")
    images = seen.probe["images"]
    assert len(images) >= 6
    assert all(width > 100 and height > 100 and alt > 20 for width, height, alt in images)
    assert seen.probe["wide"] <= 0


def test_the_report_fits_a_telephone(browser: str, report: Path, tmp_path: Path) -> None:
    # Wide tables and figures scroll or shrink inside the page; the page itself does not scroll.
    assert look(browser, report, tmp_path / "narrow", width=500).probe["wide"] <= 0


def test_a_page_that_is_wrong_is_found_out(browser: str, report: Path, tmp_path: Path) -> None:
    text = report.read_text(encoding="utf-8")
    wrong = (
        '<img src="https://example.org/far.png" alt="far away">'
        "<script>console.error('broken')</script></body>"
    )
    page = tmp_path / "wrong.html"
    page.write_text(text.replace("</body>", wrong), encoding="utf-8")
    seen = look(browser, page, tmp_path / "seen")
    assert any("broken" in message for message in seen.console)
    assert "example.org" in seen.hosts
    assert seen.probe["requests"] == ["https://example.org/far.png"]
    assert [0, 0, 8] in seen.probe["images"]
