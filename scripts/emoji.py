"""Makes a dataset of pictures with tags from public npm packages: emoji and their English keywords.

    python scripts/emoji.py data/emoji
    gan train task=tag dataset.path=data/emoji/pictures dataset.tags=data/emoji/tags.json

The pictures are those of emoji-datasource-google 16.0.0 (Noto Emoji, 64 x 64 pixels, Apache License 2.0), the keywords
those of emojibase-data 17.0.0 (MIT License): 1,649 pictures. Skin tones are left out, and so are the 262 flags of
countries and regions, whose keywords are `flag` and a code. npm must be installed; it downloads 80 MB from the registry
of its configuration, or from --registry.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PICTURES, KEYWORDS = "emoji-datasource-google@16.0.0", "emojibase-data@17.0.0"
_FOLDER = "package/img/google/64/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="directory for pictures/ and tags.json")
    parser.add_argument("--registry", help="npm registry (default: that of npm's configuration)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = pngs(packed(PICTURES, Path(folder), arguments.registry))
        with tarfile.open(packed(KEYWORDS, Path(folder), arguments.registry)) as archive:
            emoji = json.load(archive.extractfile("package/en/data.json"))
    tags = write(arguments.out, emoji, pictures)
    words = {word for of_one in tags.values() for word in of_one}
    print(f"{arguments.out}: {len(tags):,} pictures with {len(words):,} different tags")


def packed(package: str, folder: Path, registry: str | None) -> Path:
    """Return the archive of a package, which npm downloads into a folder and verifies."""
    command = ["npm", "pack", "--silent", package, *(["--registry", registry] if registry else [])]
    try:
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        sys.exit("npm is not installed; it comes with Node.js")
    except subprocess.CalledProcessError as error:
        sys.exit(f"npm pack {package} ended with exit code {error.returncode}")
    return folder / done.stdout.strip().splitlines()[-1]


def pngs(archive: Path) -> dict[str, bytes]:
    """Return the content of each picture by its code points, such as 1f347; see `plain`."""
    found = {}
    with tarfile.open(archive) as members:
        for member in members:
            if member.name.startswith(_FOLDER) and member.name.endswith(".png"):
                found[plain(Path(member.name).stem)] = members.extractfile(member).read()
    return found


def plain(code: str) -> str:
    """Return code points without the selector of coloured pictures, which one package writes and the other may not."""
    return code.replace("-fe0f", "")


def write(out: Path, emoji: list[dict[str, Any]], pictures: dict[str, bytes]) -> dict[str, list[str]]:
    """Write the picture of each emoji that has keywords, and the file of tags; return the tags by picture."""
    (out / "pictures").mkdir(parents=True)
    tags = {}
    for one in emoji:
        code = plain(one["hexcode"].lower())
        content = pictures.get(code)
        if content is None or not one.get("tags") or one["label"].startswith("flag: "):
            continue
        name = re.sub(r"[^a-z0-9]+", "_", one["label"].lower()).strip("_")
        name = f"{name}.png" if f"{name}.png" not in tags else f"{name}_{code}.png"
        (out / "pictures" / name).write_bytes(content)
        tags[name] = one["tags"]
    (out / "tags.json").write_text(json.dumps(tags, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return tags


if __name__ == "__main__":
    main()
