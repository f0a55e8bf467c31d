"""Re-create static/vendor, the icon sprite and the axe copy of the browser tests.

    python scripts/vendor.py                 # fetches the packages with `npm pack`
    python scripts/vendor.py --from DIR      # uses the .tgz files that lie in DIR

What a release contains is fixed twice: by the exact version here and by the
SHA-384 of every file in static/vendor/MANIFEST.json, which a test re-computes.
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
BROWSER_TESTS = ROOT / "tests" / "browser" / "vendor"
SPRITE = ROOT / "static" / "icons.svg"
MANIFEST = VENDOR / "MANIFEST.json"


class Package(NamedTuple):
    name: str
    version: str
    licence: str
    folder: Path
    files: tuple[str, ...]

    @property
    def tarball(self) -> str:
        """The file name that `npm pack` chooses: `@tabler/core` -> `tabler-core-…`."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"


PACKAGES = (
    Package(
        "htmx.org", "2.0.10", "0BSD", VENDOR / "htmx", ("dist/htmx.min.js", "LICENSE")
    ),
    Package(
        "idiomorph",
        "0.8.0",
        "0BSD",
        VENDOR / "idiomorph",
        ("dist/idiomorph-ext.min.js", "LICENSE"),
    ),
    Package(
        "@tabler/core", "1.6.1", "MIT", VENDOR / "tabler", ("dist/css/tabler.min.css",)
    ),
    Package(
        "uplot",
        "1.6.32",
        "MIT",
        VENDOR / "uplot",
        ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"),
    ),
    Package("axe-core", "4.14.1", "MPL-2.0", BROWSER_TESTS, ("axe.min.js", "LICENSE")),
)
ICONS = Package("@tabler/icons", "3.51.0", "MIT", VENDOR / "tabler-icons", ("LICENSE",))

# Names as on tabler.io/icons. Add one here, run the script, use {% icon "name" %}.
ICON_NAMES = [
    "adjustments-horizontal",
    "alert-circle",
    "alert-hexagon",
    "alert-triangle",
    "arrow-back-up",
    "arrow-right",
    "arrows-diff",
    "ban",
    "bell",
    "broadcast",
    "calendar-time",
    "chart-line",
    "check",
    "chevron-down",
    "chevron-right",
    "circle-check",
    "circle-dashed",
    "circle-dot",
    "circle-minus",
    "circle-x",
    "clipboard-list",
    "clock",
    "cloud-off",
    "copy",
    "crown",
    "device-desktop",
    "diamond",
    "dots",
    "download",
    "equal",
    "external-link",
    "eye",
    "filter",
    "fingerprint",
    "git-compare",
    "help-circle",
    "history",
    "hourglass",
    "info-circle",
    "key",
    "keyboard",
    "language",
    "layout-dashboard",
    "list-check",
    "lock",
    "logout",
    "menu-2",
    "moon",
    "pencil",
    "player-pause",
    "player-play",
    "player-skip-forward",
    "player-stop",
    "plug-connected",
    "plus",
    "minus",
    "progress",
    "refresh",
    "route",
    "search",
    "send",
    "server",
    "server-2",
    "settings",
    "shield-check",
    "shield-half",
    "square-x",
    "stethoscope",
    "sun",
    "table",
    "terminal-2",
    "tool",
    "topology-star-3",
    "trash",
    "unlink",
    "user",
    "users",
    "world",
    "x",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, help="folder of .tgz files")
    folder: Path | None = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        tarballs = folder or Path(scratch)
        if folder is None:
            fetch((*PACKAGES, ICONS), tarballs)
        entries = [
            entry
            for package in (*PACKAGES, ICONS)
            for entry in unpack(package, tarballs / package.tarball)
        ]
        SPRITE.write_text(sprite(tarballs / ICONS.tarball), encoding="utf-8")
    entries.append(entry_for(ICONS, SPRITE))
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    print(f"{len(entries)} files, {len(ICON_NAMES)} icons")


def fetch(packages: tuple[Package, ...], folder: Path) -> None:
    for package in packages:
        subprocess.run(
            ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
            cwd=folder,
            check=True,
        )


def unpack(package: Package, tarball: Path) -> list[dict[str, str]]:
    package.folder.mkdir(parents=True, exist_ok=True)
    entries = []
    with tarfile.open(tarball) as archive:
        for member in package.files:
            target = package.folder / Path(member).name
            target.write_bytes(without_source_map(read(archive, member)))
            entries.append(entry_for(package, target))
    return entries


def without_source_map(content: bytes) -> bytes:
    # The maps are not shipped, and Django's manifest storage refuses a style
    # sheet that names a file which does not exist.
    content = re.sub(rb"\n?/\*# sourceMappingURL=[^*]*\*/\s*", b"\n", content)
    return re.sub(rb"\n?//# sourceMappingURL=\S*\s*", b"\n", content)


def read(archive: tarfile.TarFile, member: str) -> bytes:
    stream = archive.extractfile(f"package/{member}")
    if stream is None:
        raise FileNotFoundError(member)
    return stream.read()


def entry_for(package: Package, path: Path) -> dict[str, str]:
    return {
        "name": package.name,
        "version": package.version,
        "licence": package.licence,
        "file": path.relative_to(ROOT).as_posix(),
        "sha384": sha384(path.read_bytes()),
    }


def sha384(content: bytes) -> str:
    """Return the hash in the spelling of an `integrity` attribute."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def sprite(tarball: Path) -> str:
    with tarfile.open(tarball) as archive:
        symbols = [
            symbol(name, read(archive, f"icons/outline/{name}.svg").decode())
            for name in sorted(ICON_NAMES)
        ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg">\n'
        "<!-- Tabler Icons, MIT. Made by scripts/vendor.py -->\n"
        + "".join(symbols)
        + "</svg>\n"
    )


def symbol(name: str, svg: str) -> str:
    paths = re.findall(r'<path d="([^"]+)"', svg)
    drawn = "".join(f'<path d="{path}"/>' for path in paths)
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">'
        f"{drawn}</symbol>\n"
    )


if __name__ == "__main__":
    main()
