"""Takes progress bars out of notebooks: on GitHub they would stand still, and diffusers draws them regardless."""

import sys
from pathlib import Path

import nbformat


def without_bars(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without the progress bars that its cells left: widgets, and lines on stderr."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            shown = output.get("data", {})
            if "application/vnd.jupyter.widget-view+json" in shown and "%|" in shown.get("text/plain", ""):
                continue
            if output.output_type == "stream" and output.name == "stderr":
                lines = output.text.replace("\r", "\n").splitlines(keepends=True)
                output.text = "".join(line for line in lines if "%|" not in line and "it/s" not in line).strip("\n")
                if not output.text:
                    continue
            kept.append(output)
        cell.outputs = kept
    return notebook


for path in map(Path, sys.argv[1:]):
    nbformat.write(without_bars(nbformat.read(path, as_version=4)), path)
