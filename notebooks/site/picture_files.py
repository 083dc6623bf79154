"""Pictures of notebooks: each has its alt text, and is a file of its own that is loaded when a reader scrolls to it."""

import base64
import hashlib
import io
import re
from html import escape
from pathlib import Path

from PIL import Image

_INLINE = re.compile(r'src="data:image/(png|webp|gif|jpeg);base64,([^"]+)"')


def described(output):
    """An output of a notebook; a PNG with an alt text and no HTML gets HTML, since MyST-NB drops the alt text."""
    data, said = output.get("data", {}), output.get("metadata", {}).get("image/png", {})
    if said.get("alt") and "text/html" not in data:
        png = "".join("".join(data["image/png"]).split())
        shown = f'<img src="data:image/png;base64,{png}" alt="{escape(said["alt"])}" style="max-width:100%">'
        return {**output, "data": {**data, "text/html": shown}}
    return output


def _to_file(found, folder, address):
    content = base64.b64decode(found[2])
    path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.{found[1]}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    wide, high = Image.open(io.BytesIO(content)).size  # the page knows its place before it is there
    return f'src="{address}/{path.name}" width="{wide}" height="{high}" loading="lazy"'


def _body(app, _name, _template, context, _doctree):
    if "data:image/" in context.get("body", ""):
        address = context["pathto"]("_images", resource=True)
        folder = Path(app.outdir) / "_images"
        context["body"] = _INLINE.sub(lambda found: _to_file(found, folder, address), context["body"])


def setup(app):
    """Changes the pages when they are written."""
    app.connect("html-page-context", _body)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
