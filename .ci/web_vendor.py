"""Fetch the files of others that the page, and its tests, use: ``make web-vendor``.

They are in the repository, as the page has no build step. This writes them anew from npm's registry, at
the versions below; an archive whose hash is not the one below is not unpacked.
"""

import sys
import tarfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
REGISTRY = "https://registry.npmjs.org"


class Package(NamedTuple):
    """Some files of a package.

    Args:
        files: paths in the archive, below its folder ``package``.
        folder: where they go, under their own names.
    """

    name: str
    version: str
    sha256: str
    files: tuple[str, ...]
    folder: str


PACKAGES = (
    Package(
        "uplot",
        "1.6.32",
        "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d",
        ("dist/uPlot.esm.js", "dist/uPlot.min.css", "LICENSE"),
        "service/web/vendor/uplot",
    ),
    Package(
        "axe-core",
        "4.14.1",
        "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
        ("axe.min.js", "LICENSE"),
        "tests/web/vendor/axe-core",
    ),
)


def fetch(package: Package) -> bytes:
    """The package's archive."""
    with urlopen(f"{REGISTRY}/{package.name}/-/{package.name}-{package.version}.tgz") as answer:  # noqa: S310
        content: bytes = answer.read()
    found = sha256(content).hexdigest()
    if found != package.sha256:
        sys.exit(f"{package.name} {package.version}: sha256 is {found}, expected {package.sha256}")
    return content


def unpack(package: Package, content: bytes, root: Path = ROOT) -> None:
    """Write the package's files."""
    folder = root / package.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        for name in package.files:
            member = archive.extractfile(f"package/{name}")
            assert member, name
            (folder / Path(name).name).write_bytes(member.read())


def main() -> None:
    """All packages."""
    for package in PACKAGES:
        unpack(package, fetch(package))
        print(f"{package.name} {package.version}: {package.folder}")


if __name__ == "__main__":
    main()
