"""docs/notebook.ipynb: run (`python -m docs.notebook`), and shown as a page of the site.

The cells are the notebook's own; only what they print and show is written anew. Running needs the group `site` of
pyproject.toml (nbclient, ipykernel), showing needs nothing.
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("notebook.ipynb")
SECONDS = 3600


def run(path: Path = PATH) -> None:
    """Run every cell in a new folder, and write what came of it into the notebook. Raises nbclient's error for a cell
    that fails."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(book, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
    text = nbformat.writes(book).replace(str(path.resolve().parents[1]), "…")  # where the checkout is tells nobody
    path.write_text(f"{text}\n", encoding="utf-8")


def as_markdown(path: Path, target: Path) -> None:
    """Write a notebook as a page, its pictures beside it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    parts: list[str] = []
    for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        outputs = (each for each in cell["outputs"])
        parts += [_output(each, target, f"{target.stem}-{number}-{index}") for index, each in enumerate(outputs)]
    target.write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


def _output(output: dict[str, Any], page: Path, name: str) -> str:
    """What a cell printed or showed."""
    if output["output_type"] == "stream":
        return f"```text\n{''.join(output['text']).rstrip()}\n```"
    data = output.get("data", {})
    if "image/png" in data:
        picture = page.with_name(f"{name}.png")
        picture.write_bytes(base64.b64decode("".join(data["image/png"])))
        return f"![]({picture.name})"
    return f"```text\n{''.join(data.get('text/plain', '')).rstrip()}\n```"


if __name__ == "__main__":
    sys.exit(run())
