"""Fills the installed Visdom with the files of its page, so that its server starts without internet."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from options.strict import StrictParser
from util.errors import EXIT_DONE, UserError, run_command
from util.files import write_bytes

_DESCRIPTION = """Visdom's server downloads the scripts, styles and fonts of its page when it is first started, and
fails where it cannot. This script takes the same files from an npm registry (or a mirror of one), checks them, and puts
them where the server looks for them. With --cache the packages are kept: on a machine without any connection, give a
copy of that folder."""

VISDOM_VERSION = "0.2.4"  # the table of packages is that of its server/build.py
LARGEST_FILE = 16 * 1024**2  # bytes


@dataclass(frozen=True)
class Package:
    """A package of the registry and what the page needs of it.

    Attributes:
        name: of the package.
        version: of the package.
        sha256: of its tarball.
        files: path inside the package → path below Visdom's folder `static`.
    """

    name: str
    version: str
    sha256: str
    files: dict[str, str]

    @property
    def tarball(self) -> str:
        """The name of the package's file."""
        return f"{self.name}-{self.version}.tgz"


_TABLE = Path(__file__).with_name("visdom_page.yaml")
PACKAGES = tuple(Package(**entry) for entry in yaml.safe_load(_TABLE.read_text(encoding="utf-8")))
# Typesetting of formulas is 60 MB that no window of ours needs; the server only wants the files to be there.
_STUB = b"/* formulas are shown as they are written: MathJax is not part of this installation */\n"
_MATHJAX = """MathJax.js config/Safe.js config/TeX-AMS-MML_HTMLorMML.js extensions/Safe.js jax/output/SVG/config.js
jax/output/SVG/jax.js jax/output/SVG/fonts/TeX/fontdata.js jax/output/SVG/fonts/TeX/Size1/Regular/Main.js"""
STUBS = tuple(f"js/mathjax/2.7.5/{path}" for path in _MATHJAX.split())
_MARK = "version.built"  # the server downloads nothing when it holds Visdom's version and the files are there


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    static = find_static()
    missing = find_missing(static)
    if not missing:
        print(f"all there: {static}")
        return EXIT_DONE
    if not os.access(static, os.W_OK):
        raise UserError(f"{static}: cannot be written to; run this as its owner, or in an environment of your own")
    with tempfile.TemporaryDirectory() as temporary:
        cache = vars(options).get("cache") or Path(temporary)
        packages = [package for package in PACKAGES if missing & set(package.files.values())]
        download(packages, cache, vars(options).get("registry"))
        for package in packages:
            for path, content in read_files(cache / package.tarball, package).items():
                write_bytes(static / package.files[path], content)
    for path in STUBS:
        if path in missing:
            write_bytes(static / path, _STUB)
    # Last, so that an interrupted run is not taken for a complete one.
    write_bytes(static / _MARK, VISDOM_VERSION.encode())
    print(f"{len(missing)} files added to {static}\nstart the server: python -m visdom.server -bind_local")
    return EXIT_DONE


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="visdom_offline.py", description=_DESCRIPTION)
    add = parser.add_argument
    add(
        "--registry",
        metavar="URL",
        default=argparse.SUPPRESS,
        help="address of the npm registry (default: NPM_CONFIG_REGISTRY of the environment, else what npm is set to)",
    )
    add("--cache", metavar="DIR", type=Path, default=argparse.SUPPRESS, help="keep the packages in this folder")
    add("--verbose", action="store_true", help="show where an error comes from")
    return parser


def find_static() -> Path:
    """The folder `static` of the installed Visdom.

    Raises:
        UserError: Visdom is not installed, or in a version that needs other files.
    """
    spec = find_spec("visdom")
    if spec is None or spec.origin is None:
        raise UserError("visdom is not installed: pip install -r requirements.txt")
    version = importlib.metadata.version("visdom")
    if version != VISDOM_VERSION:
        raise UserError(f"visdom {version} is installed; this script knows the files of {VISDOM_VERSION} only")
    return Path(spec.origin).parent / "static"


def find_registry(given: str | None) -> str:
    """The address of the npm registry: the one given, the environment's, npm's own.

    Raises:
        UserError: there is none.
    """
    found = given or ""
    for name in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        found = found or os.environ.get(name, "")
    if not found and (npm := shutil.which("npm")):
        command = [npm, "config", "get", "registry"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
    if not found.startswith(("http://", "https://")):
        raise UserError("no npm registry is known: add --registry URL, or --cache DIR with the packages in it")
    return found.rstrip("/")


def download(packages: Sequence[Package], cache: Path, registry: str | None) -> None:
    """Fetches the packages that are not in `cache` yet.

    Raises:
        UserError: one cannot be downloaded, or is not the file that it should be.
    """
    kept = [path for path in (cache / package.tarball for package in packages) if path.is_file()]
    hashes = {path.name: pooch.file_hash(str(path)) for path in kept}
    wanted = [package for package in packages if hashes.get(package.tarball) != package.sha256]
    address = find_registry(registry) if wanted else ""
    pooch.get_logger().setLevel("ERROR")  # its lines would stand between the progress bars
    for number, package in enumerate(wanted, 1):
        sys.stderr.write(f"{number}/{len(wanted)} {package.tarball}\n")
        url = f"{address}/{package.name}/-/{package.tarball}"
        shown = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()  # without a password
        try:
            progress = sys.stderr.isatty()
            fetch = pooch.HTTPDownloader(progressbar=progress, timeout=60)
            pooch.retrieve(url, f"sha256:{package.sha256}", package.tarball, cache, downloader=fetch)
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else "no answer"
            raise UserError(f"{shown}: cannot be downloaded ({status})") from error
        except ValueError as error:
            raise UserError(f"{shown}: is not the file that it should be (SHA256 differs)") from error


def read_files(tarball: Path, package: Package) -> dict[str, bytes]:
    """Reads the files that are wanted of a package. Nothing is unpacked: no name in the package becomes a path.

    Raises:
        UserError: one is not in it as a plain file.
    """
    contents = {}
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            # The first part of a name is the package's folder, mostly "package".
            path = member.name.partition("/")[2]
            if path in package.files and member.isfile() and member.size <= LARGEST_FILE:
                file = archive.extractfile(member)
                contents[path] = file.read() if file else b""
    absent = sorted(set(package.files) - set(contents))
    if absent:
        raise UserError(f"{tarball}: holds no plain file {absent[0]}")
    return contents


def find_missing(static: Path) -> set[str]:
    """What is not there yet; everything, when Visdom's own download was of another version or never done."""
    wanted = {path for package in PACKAGES for path in package.files.values()} | set(STUBS)
    mark = static / _MARK
    if not mark.is_file() or mark.read_text(encoding="utf-8").strip() != VISDOM_VERSION:
        return wanted
    return {path for path in wanted if not (static / path).is_file()}


if __name__ == "__main__":
    sys.exit(run_command(main))
