"""One self-contained HTML file in which readers explore a trace, without network and without Python."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..base import json_text
from ..base.atomic_files import named, save
from ..base.display import clip, harmless, size
from ..base.errors import PublishError, SdexploreError
from ..base.options import options, pinned
from ..browser.explorer_strings import explorer_strings
from ..browser.front_end import front_end
from ..browser.packing import Packed, one_trace, pack
from ..browser.picture_files import File, exact
from ..browser.printable import printable
from ..browser.provenance_facts import run_in_short
from ..figures.names import role_name
from ..strings.wording import listed, wording
from ..trace.trace import Trace

BUDGET: Final = 25 * 10**6
_ENDINGS = (".html", ".htm")
_FRAME = 160_000  # bytes for the front end and the HTML around the data
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 16px; max-width: 1080px; }
body { background: light-dark(#fff, #14171b); color: light-dark(#1b1f24, #e8ecf0); }
body { font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .2rem; overflow-wrap: anywhere; }
.run { margin: 0 0 .9rem; color: light-dark(#59636e, #9aa4ae); font-size: .9rem; overflow-wrap: anywhere; }
body:lang(ja) { word-break: auto-phrase; }
img { max-width: 100%; height: auto; }
footer { margin-top: 1.5rem; color: light-dark(#59636e, #9aa4ae); font-size: .8rem; }
"""


def page(trace: Trace | str | Path, path: str | Path, *, title: str | None = None, budget: int = BUDGET) -> Path:
    """Writes one HTML file in which a reader explores the trace; returns its path.

    The page holds the picture, the words of the prompt, every step, word maps, region to words, guidance, provenance.
    It loads nothing from the network (a content security policy forbids it) and needs no Python. The picture is there
    at once, then the means over all steps, while the rest of the file loads, then single steps one by one. Without
    JavaScript it shows the picture and its words. Parts that do not fit the budget are left out in the order that
    `sdexplore.browser.packing.pack` gives, and the page names them. Pictures that were decoded on the way become AVIF,
    which takes most of the time: a core needs about a fifth of a second for a picture of 512 × 512.

    The page is in the language of the options (`set_options`); what an error says of a missing part stays English. It
    is light or dark as the reader's system. Inside another page, in an `<iframe>`, it has the theme that the
    other one sends: `frame.contentWindow.postMessage({theme: "dark"}, "*")`, or "light", or "auto". It asks once with
    the message `{asks: "theme"}`, when it is there.

    Args:
        trace: A Trace, or the path of a saved one.
        path: The file, whose name ends in .html. Its folders are made; an older file is replaced as a whole.
        title: The title of the page; None for the prompt.
        budget: The most bytes that the file may have.

    Raises:
        SdexploreError: The name does not end in .html.
        TraceError: There is no such trace; or even the smallest page is larger than the budget.
    """
    target = named(path, PublishError)
    if target.suffix.lower() not in _ENDINGS:
        raise SdexploreError(f"page(path={target.name!r}): the name must end in .html")
    content = page_of(trace, title, budget)
    save(target, content, PublishError)
    return target


def page_of(trace: Trace | str | Path, title: str | None = None, budget: int = BUDGET) -> bytes:
    """The content of the file that `page` writes; same arguments."""
    with pinned():
        return _page_of(one_trace(trace), title, budget)


def _page_of(whole: Trace, title: str | None, budget: int) -> bytes:
    still = None if whole.image is None else exact(whole.image, smallest=True)
    around = _FRAME + (0 if still is None else len(still.content) * 4 // 3)
    packed = pack(whole, max(0, (budget - around) * 13 // 16), for_page=True)
    content = _html(whole, packed, still, title).encode()
    if len(content) > budget:
        raise SdexploreError(
            f"page(budget={budget}): the page takes {size(len(content))}, more than that; give a larger budget"
        )
    return content


def _html(trace: Trace, packed: Packed, still: File | None, title: str | None) -> str:
    script = f"{front_end()}\nmountPage();\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    first = packed.facts["first"]
    heading = title if title is not None else trace.prompt or wording("page.title.none")
    return f"""<!DOCTYPE html>
<html lang="{options().lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="sdexplore">
<meta name="description" content="{harmless(clip(_alt(trace)))}">
<title>{harmless(clip(heading))}</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1 dir="auto">{harmless(clip(heading, 500))}</h1>
<p class="run">{harmless(run_in_short(trace))}</p>
<div id="explorer">{_picture(trace, still)}<p class="run">{wording("page.needs")}</p></div>
<noscript>
{_without_script(packed.facts)}
</noscript>
</main>
<footer>{harmless(wording("page.footer", trace=trace.fingerprint))}</footer>
<script type="application/json" id="strings">{_inert(explorer_strings())}</script>
<script type="application/json" id="facts">{_inert(packed.facts)}</script>
<script type="text/plain" id="first">{printable(packed.data[:first])}</script>
<script type="module" async>{script}</script>
<script type="text/plain" id="data">{printable(packed.data[first:])}</script>
</body>
</html>
"""


def _inert(facts: Mapping[str, Any]) -> str:
    """JSON in which no HTML parser finds markup, whatever its texts are."""
    text = json_text.dumps(facts, ascii_only=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _alt(trace: Trace) -> str:
    return wording("page.alt.none") if trace.prompt is None else wording("page.alt", prompt=trace.prompt)


def _picture(trace: Trace, still: File | None) -> str:
    if still is None:
        return ""
    source = base64.b64encode(still.content).decode("ascii")
    return f'<p><img src="data:{still.kind};base64,{source}" alt="{harmless(_alt(trace))}"></p>'


def _without_script(facts: Mapping[str, Any]) -> str:
    parts = [f"<p>{wording('page.script')}</p>"]
    for role in facts["roles"]:
        words = listed(clip(entry["text"]) for entry in role["entries"] if entry["kind"] == "word")
        said = {"role": role_name(role["role"])}
        line = wording("page.words", **said, words=words) if words else wording("page.words.none", **said)
        parts.append(f"<p>{harmless(line)}</p>")
    parts += [f"<p>{harmless(line)}</p>" for line in facts["missing"]]
    return "\n".join(parts)
