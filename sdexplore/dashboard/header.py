"""The line above a dashboard, and the still picture that a notebook's file keeps of it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..base.display import clip, escape, size
from ..base.errors import SdexploreError
from ..figures.picture import Picture
from ..strings.wording import wording
from ..trace.provenance import model_in_words
from .board import Board
from .sections.section import Section


def header(board: Board, runs: str) -> str:
    """Model, device, dtype, memory and the kept runs (`runs`, in words), as HTML."""
    if board.pipe is None:
        trace = board.trace
        model = wording("dashboard.header.no_trace") if trace is None else model_in_words(trace.provenance)
        facts = [wording("dashboard.header.stored"), runs]
        if board.study is not None:
            model, facts = (
                wording("dashboard.header.study", study=board.study.identity),
                [str(board.study.folder), wording("dashboard.header.table"), runs],
            )
    else:
        from ..model.inspection.situation import situation

        now = situation(board.pipe)
        where = "dashboard.header.gpu" if now.device.startswith("cuda") else "dashboard.header.process"
        held = wording(where, size=size(now.bytes))
        named = now.model if now.model == now.pipeline else f"{now.model} ({now.pipeline})"
        model, facts = named, [now.device, now.dtype, held, runs]
    return f"<b>{escape(clip(model, 80))}</b> · {escape(' · '.join(facts))}"


def static(board: Board, sections: Mapping[str, Section]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Data and metadata of a picture and a sentence, for a page without a kernel: GitHub, a site, untrusted notebooks.

    JupyterLab prefers the live dashboard to both.
    """
    live = wording("dashboard.static.live")
    try:
        picture = _picture(board, sections)
        kept = picture.kept()
    except SdexploreError as error:
        return {"text/plain": wording("dashboard.static.nothing", live=live, why=error)}, {}
    except Exception as error:  # noqa: BLE001  (a repr never raises)
        return {"text/plain": wording("dashboard.static.failed", live=live, why=f"{type(error).__name__}: {error}")}, {}
    return {**kept, "text/plain": f"{live}\n{picture.alt}\n{picture.call}"}, {"image/png": {"alt": picture.alt}}


def _picture(board: Board, sections: Mapping[str, Section]) -> Picture:
    if board.trace is None:
        return sections["Components" if board.study is None else "Study"].figure()
    if board.trace.cross_attention and board.trace.image is not None:
        with suppress(SdexploreError):  # a prompt without words has no maps
            return sections["Attention"].figure()
    return sections["Denoising"].figure()
