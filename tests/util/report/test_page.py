import base64
import hashlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from util.report.page import ASSETS, image_url, new_page, render_page


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("images/a b.png", "images/a%20b.png"),
        ("images/#1 50%?.png", "images/%231%2050%25%3F.png"),
        ("ä/\"<'>.png", "%C3%A4/%22%3C%27%3E.png"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        (os.fsdecode(b"\xff.png"), "%FF.png"),
    ],
)
def test_image_paths_are_quoted(path, url):
    assert image_url(path) == url


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../other/a.png", "images/../../a.png", "//host/a.png"])
def test_image_paths_stay_in_the_folder(path):
    with pytest.raises(ValueError, match="relative to the page"):
        image_url(path)


def test_the_policy_names_exactly_the_scripts_of_the_page():
    scripts = ["vendor/uplot/uPlot.iife.min.js", "viewer.js"]
    text = render_page(new_page("title", ["common.css"], scripts))
    found = []

    class Scripts(HTMLParser):
        def handle_data(self, data):
            if self.lasttag == "script" and data.strip():
                found.append(base64.b64encode(hashlib.sha256(data.encode()).digest()).decode())

    Scripts().feed(text)
    policy = re.search(r"script-src ([^;]*);", text.replace("&#x27;", "'"))
    assert policy[1] == " ".join(f"'sha256-{digest}'" for digest in found)
    assert len(found) == 2


def test_pages_load_nothing_from_elsewhere():
    for path in [*ASSETS.glob("*.css"), *ASSETS.glob("*.js")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"https?://|@import|url\(|fetch\(", text), path.name


def test_vendored_assets_carry_their_licence():
    folders = [path for path in (ASSETS / "vendor").iterdir() if path.is_dir()]
    assert len(folders) == 2
    for folder in folders:
        assert (folder / "LICENSE").stat().st_size > 500, folder.name


def test_the_package_needs_no_torch():
    code = "import sys, util.report; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
