"""What mkdocs does beyond its settings: pages that lie beside docs/ are part of the site, too.

Pages link to them as a code host wants it (`../CONTRIBUTING.md`, `../recipes/demo.toml`); on the
site they lie in the same folder as the pages.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Dockerfile", "compose.yaml", "Makefile")


def on_files(files: Files, config: Any) -> Files:
    shown = [ROOT / name for name in BESIDE] + sorted((ROOT / "recipes").glob("*.toml"))
    for path in shown:
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links out of docs/, and into it from the pages beside it, lead to the same page as ever."""
    if page.file.src_uri in BESIDE:
        return re.sub(r"\]\(docs/", "](", markdown)
    return re.sub(r"\]\(\.\./", "](", markdown)
