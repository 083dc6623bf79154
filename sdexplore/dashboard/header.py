"""The line above a dashboard, and the still picture that a notebook's file keeps of it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..base.display import clip, escape, size
from ..base.errors import SdexploreError
from ..figures.picture import Picture
from .board import Board
from .sections.section import Section


def header(board: Board, runs: str) -> str:
    """Model, device, dtype, memory and the kept runs (`runs`, in words), as HTML."""
    if board.pipe is None:
        trace = board.trace
        model = "no trace" if trace is None else str(trace.provenance.get("model", "?"))
        facts = ["a stored trace, no model needed", runs]
        if board.study is not None:
            model, facts = (
                f"Study {board.study.identity}",
                [str(board.study.folder), "no model needed for its table", runs],
            )
    else:
        from ..model.inspection.situation import situation

        now = situation(board.pipe)
        held = (
            f"{size(now.bytes)} {'allocated on the GPU' if now.device.startswith('cuda') else 'held by this process'}"
        )
        model, facts = f"{now.model} ({now.pipeline})", [now.device, now.dtype, held, runs]
    return f"<b>{escape(clip(model, 80))}</b> · {escape(' · '.join(facts))}"


def static(board: Board, sections: Mapping[str, Section]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data and metadata of a picture and a sentence, for a page without a kernel: GitHub, a site, untrusted notebooks.

    JupyterLab prefers the live dashboard to both.
    """
    live = "A dashboard; its controls need a running kernel: run this cell again."
    try:
        picture = _picture(board, sections)
        kept = picture.kept()
    except SdexploreError as error:
        return {"text/plain": f"{live} Nothing is drawn yet: {error}"}, {}
    except Exception as error:  # noqa: BLE001  (a repr never raises)
        return {"text/plain": f"{live} {type(error).__name__}: {error}"}, {}
    return {**kept, "text/plain": f"{live}\n{picture.alt}\n{picture.call}"}, {"image/png": {"alt": picture.alt}}


def _picture(board: Board, sections: Mapping[str, Section]) -> Picture:
    if board.trace is None:
        return sections["Components" if board.study is None else "Study"].figure()
    if board.trace.cross_attention and board.trace.image is not None:
        with suppress(SdexploreError):  # a prompt without words has no maps
            return sections["Attention"].figure()
    return sections["Denoising"].figure()
