"""The script against a registry of the test's own, with small packages."""

import gzip
import hashlib
import io
import re
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts import visdom_offline
from scripts.visdom_offline import Package
from util.errors import run_command


class Quiet(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()

    def log_message(self, *words):
        pass


def tarball(members, folder="package"):
    """A package; a member that is no bytes is a link to what it names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
    return gzip.compress(packed.getvalue(), mtime=0)


class Registry:
    """A registry's folder, its server, and the table of what the page needs."""

    def __init__(self, root, monkeypatch):
        self.root, self._monkeypatch, self.packages = root, monkeypatch, []

    def add(self, name, members, files, **options):
        content = tarball(members, **options)
        path = self.root / name / "-" / f"{name}-1.0.tgz"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        self.packages.append(Package(name, "1.0", hashlib.sha256(content).hexdigest(), files))
        self._monkeypatch.setattr(visdom_offline, "PACKAGES", tuple(self.packages))
        return path


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "visdom" / "static"
    folder.mkdir(parents=True)
    monkeypatch.setattr(visdom_offline, "find_static", lambda: folder)
    return folder


@pytest.fixture
def registry(tmp_path, monkeypatch):
    root = tmp_path / "registry"
    root.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = Registry(root, monkeypatch)
        server.asked = found.asked = []
        found.url = f"http://127.0.0.1:{server.server_port}"
        for name in ("HTTP_PROXY", "http_proxy", "NPM_CONFIG_REGISTRY", "npm_config_registry"):
            monkeypatch.delenv(name, raising=False)
        for name in ("NO_PROXY", "no_proxy"):  # whatever other proxy the machine names
            monkeypatch.setenv(name, "127.0.0.1")
        monkeypatch.setattr(visdom_offline.shutil, "which", lambda name: None)
        found.add("one", {"dist/one.js": b"1", "dist/other.js": b"-"}, {"dist/one.js": "js/renamed.js"})
        found.add(
            "two", {"two.css": b"2", "f.svg": b"3"}, {"two.css": "css/two.css", "f.svg": "fonts/f.svg#f"}, folder="x"
        )
        yield found
        server.shutdown()


def run(*words):
    return run_command(visdom_offline.main, [str(word) for word in words])


def test_the_page_is_filled_and_the_second_call_has_nothing_to_do(static, registry, capsys):
    assert run("--registry", f"{registry.url}/") == 0
    assert "files added" in capsys.readouterr().out
    assert registry.asked == ["/one/-/one-1.0.tgz", "/two/-/two-1.0.tgz"]
    found = {path.relative_to(static).as_posix() for path in static.rglob("*") if path.is_file()}
    assert found == {"js/renamed.js", "css/two.css", "fonts/f.svg#f", "version.built", *visdom_offline.STUBS}
    assert (static / "js" / "renamed.js").read_bytes() == b"1"
    assert (static / "version.built").read_text() == visdom_offline.VISDOM_VERSION
    assert len(visdom_offline.STUBS) == 8
    assert run() == 0
    assert capsys.readouterr().out.startswith("all there")
    assert len(registry.asked) == 2


def test_only_the_packages_of_missing_files_are_fetched(static, registry):
    assert run("--registry", registry.url) == 0
    registry.asked.clear()
    (static / "css" / "two.css").unlink()
    assert run("--registry", registry.url) == 0
    assert registry.asked == ["/two/-/two-1.0.tgz"]
    assert (static / "css" / "two.css").read_bytes() == b"2"


def test_a_filled_cache_needs_no_network_and_no_registry(static, registry, tmp_path):
    assert run("--registry", registry.url, "--cache", tmp_path / "cache") == 0
    registry.asked.clear()
    (static / "version.built").unlink()
    (static / "js" / "renamed.js").write_text("what an interrupted download left")
    assert run("--cache", tmp_path / "cache") == 0
    assert registry.asked == []
    assert (static / "js" / "renamed.js").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["NPM_CONFIG_REGISTRY", "npm_config_registry"])
def test_the_registry_of_the_environment_is_used(static, registry, monkeypatch, name):
    monkeypatch.setenv(name, registry.url)
    assert run() == 0


def test_the_registry_that_npm_is_set_to_is_used(static, registry, monkeypatch, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho noise >&2\necho {registry.url}/\n")
    npm.chmod(0o755)
    monkeypatch.setattr(visdom_offline.shutil, "which", lambda name: str(npm))
    assert run() == 0


def assert_refused(capsys, static, word, *words):
    assert run(*words) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: ")
    assert word in message
    assert not (static / "version.built").exists()


def test_without_a_registry_it_says_how_to_name_one(static, registry, capsys):
    assert_refused(capsys, static, "--registry URL")


def test_a_package_with_another_content_is_refused(static, registry, capsys):
    (registry.root / "two" / "-" / "two-1.0.tgz").write_bytes(tarball({"two.css": b"evil", "f.svg": b"3"}))
    assert_refused(capsys, static, "SHA256", "--registry", registry.url)
    assert not (static / "css").exists()


def test_a_package_that_is_not_there_is_named(static, registry, capsys):
    (registry.root / "two" / "-" / "two-1.0.tgz").unlink()
    assert_refused(capsys, static, "two-1.0.tgz: cannot be downloaded (404)", "--registry", registry.url)


def test_a_registry_that_does_not_answer_is_one_line(static, registry, capsys):
    assert_refused(capsys, static, "cannot be downloaded (no answer)", "--registry", "http://127.0.0.1:1")


def test_a_password_in_a_registrys_address_is_not_shown(static, registry, capsys):
    assert_refused(capsys, static, "http://127.0.0.1:1/one", "--registry", "http://me:secret@127.0.0.1:1")
    assert run("--registry", "http://me:secret@127.0.0.1:1") == 2
    assert "secret" not in capsys.readouterr().err


def test_an_npm_that_hangs_is_no_registry(static, registry, capsys, monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, 60)

    monkeypatch.setattr(visdom_offline.shutil, "which", lambda name: "npm")
    monkeypatch.setattr(visdom_offline.subprocess, "run", hang)
    assert_refused(capsys, static, "--registry URL")


@pytest.mark.parametrize(
    "members",
    [{"../../evil.js": b"x"}, {"dist/three.js": "/etc/hostname"}, {"dist/three.js": "../../../secret"}, {}],
    ids=["path upwards", "link to a file", "link upwards", "not in it"],
)
def test_names_and_links_in_a_package_never_become_paths(static, registry, tmp_path, capsys, members):
    (tmp_path / "secret").write_text("secret")
    registry.add("three", members, {"dist/three.js": "js/three.js"})
    before = {path for path in tmp_path.rglob("*") if "registry" not in path.parts}
    assert_refused(capsys, static, "holds no plain file dist/three.js", "--registry", registry.url)
    assert not (static / "js" / "three.js").exists()
    after = {path for path in tmp_path.rglob("*") if "registry" not in path.parts and static not in path.parents}
    assert after <= before


def test_absolute_names_in_a_package_are_passed_over(static, registry, tmp_path):
    evil = tmp_path / "evil.js"
    registry.add("three", {str(evil): b"x", "p/dist/three.js": b"3"}, {"dist/three.js": "js/three.js"}, folder="")
    assert run("--registry", registry.url) == 0
    assert (static / "js" / "three.js").read_bytes() == b"3"
    assert not evil.exists()


def test_a_folder_that_is_not_ours_is_named_before_anything_is_fetched(static, registry, capsys, monkeypatch):
    monkeypatch.setattr(visdom_offline.os, "access", lambda path, mode: False)  # root may write anywhere
    assert_refused(capsys, static, f"{static}: cannot be written to", "--registry", registry.url)
    assert registry.asked == []


def test_another_visdom_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(visdom_offline.importlib.metadata, "version", lambda name: "0.3")
    assert run() == 2
    assert "visdom 0.3 is installed" in capsys.readouterr().err
    monkeypatch.setattr(visdom_offline, "find_spec", lambda name: None)
    assert run() == 2
    assert "not installed" in capsys.readouterr().err


def test_the_table_has_what_the_installed_server_wants():
    build = pytest.importorskip("visdom.server.build")
    source = Path(build.__file__).read_text()
    table = {name for package in visdom_offline.PACKAGES for name in package.files.values()}
    wanted = set(re.findall(r'^\s*(?:% bb?: |"[^"]*"(?: % bb?)?: )"([^"/ ]+)"', source, re.MULTILINE))
    assert wanted == {name.partition("/")[2] for name in table}
    mathjax = re.findall(r'^\s*"([\w/-]+\.js)\?', source, re.MULTILINE)
    assert set(visdom_offline.STUBS) == {f"js/mathjax/2.7.5/{path}" for path in mathjax}
    for package in visdom_offline.PACKAGES:
        assert re.fullmatch("[0-9a-f]{64}", package.sha256)
