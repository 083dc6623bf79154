"""A run as moving pictures: its denoising, or the attention to one word."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..analysis.attention import word_maps
from ..analysis.selection import Heads, Layers, Selection, Whole, Word
from ..analysis.trajectory import StepPicture, predicted_pictures, step_pictures
from ..base import atomic_files, display
from ..base.display import clip, escape, harmless
from ..base.errors import PublishError, TraceError
from ..base.options import Theme, pinned
from ..base.options import options as options_now
from ..figures.alt_texts import in_words, peak_place, way_of
from ..figures.cells import place_of
from ..figures.code_lines import CodeLine, in_language, options
from ..figures.colours import SEQUENTIAL
from ..figures.columns import SMALL
from ..figures.font_families import drawable
from ..figures.labels import colour_bar
from ..figures.names import attention_name, drawn_by, kind_named, not_decoded, steps_named, word_name
from ..figures.not_numbers import note_on, top_of, with_note
from ..figures.panels import panels
from ..figures.picture import style
from ..figures.themes import themed
from ..figures.titles import run_title, selection_title, step_title
from ..strings.wording import counted, wording
from ..trace.one_frame import one_frame
from ..trace.step_decoding import VAE
from ..trace.trace import Steps, Trace
from .media.animations_as_files import Moving, encoded

ZENN_FIT = 3 * 2**20
_SHOWN_FIT = 2**20  # in a notebook
_WIDTH = 720  # pixels, the column of a blog
_MOST = 2000  # frames, each a picture in memory
_HOLD = 1.5  # seconds that the last frame stays
_FORMATS = (".webp", ".gif", ".mp4")
Drawn: TypeAlias = tuple[list[np.ndarray], dict[str, np.ndarray], str, str]
"""Frames, the arrays that were drawn, alt text and caption."""


@dataclass(frozen=True, eq=False)
class Animation:
    """Moving pictures with an alt text, a repr for notebooks, and the code that makes them again.

    Attributes:
        frames: uint8, (Y, X, 3) each.
        seconds: How long each frame is shown.
        data: The arrays that were drawn, by frame.
        alt: What is to be seen, for a reader who does not see it.
        caption: What it means, in a sentence, for a reader who sees it: it stands beneath in an article.
        call: The line of code that makes it again.
        lang: The language of its words.
        theme: The page that it was drawn for.
    """

    frames: tuple[np.ndarray, ...]
    seconds: tuple[float, ...]
    data: dict[str, np.ndarray]
    alt: str
    caption: str
    call: str
    lang: str = field(default_factory=lambda: options_now().lang)
    theme: Theme = "light"
    _made: dict[tuple[str, int | None, int | None], Moving] = field(default_factory=dict, repr=False)

    @property
    def sources(self) -> tuple[Mapping[str, Any], ...]:
        """How the trace in it was made, as JSON."""
        return self.call.sources if isinstance(self.call, CodeLine) else ()

    def save(self, path: str | Path, *, fit: int | None = ZENN_FIT, frames: int | None = None) -> Path:
        """Writes it to `path` (.webp, .gif, or .mp4 with the extra `video`) and makes its folders; returns the path.

        Args:
            fit: The most bytes that the file may have (3 MiB is Zenn's limit; None: no limit). To meet it, first the
                quality is lowered, then the pixels, then the number of frames; `chosen` tells the result.
            frames: The most frames, evenly spread from first to last.

        Raises:
            PublishError: The ending is none of these; nothing fits; or there is no encoder for .mp4.
        """
        path = atomic_files.named(path, PublishError)
        content = self.encoded(self._kind(path), fit, frames).content
        atomic_files.save(path, content, PublishError)
        return path

    def chosen(self, kind: str = "webp", *, fit: int | None = ZENN_FIT, frames: int | None = None) -> str:
        """What `save` would write, in words: frames, pixels, quality, bytes; and what was reduced to meet the limit."""
        made = self.encoded(self._kind(Path(f"x.{kind}")), fit, frames)
        return made.said + (f"; {made.note}" if made.note else "")

    def encoded(self, kind: str, fit: int | None, frames: int | None = None) -> Moving:
        """The content of the file; `fit` and `frames` as in `save`."""
        if frames is not None and frames < 1:
            raise PublishError(f"save(frames={frames!r}): an animation has at least one frame")
        if (kind, fit, frames) not in self._made:
            self._made[kind, fit, frames] = encoded(self.frames, self.seconds, kind, fit, frames)
        return self._made[kind, fit, frames]

    @staticmethod
    def _kind(path: Path) -> Literal["webp", "gif", "mp4"]:
        match path.suffix.lower():
            case ".webp":
                return "webp"
            case ".gif":
                return "gif"
            case ".mp4":
                return "mp4"
        raise PublishError(f"cannot save an animation as {path.name!r}: the ending is one of {', '.join(_FORMATS)}")

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401  (Jupyter's)
        try:
            shown = self.encoded("webp", _SHOWN_FIT)
            last = io.BytesIO()
            Image.fromarray(self.frames[-1]).save(last, "PNG", optimize=True)
        except Exception as error:  # noqa: BLE001  (a repr never raises)
            return {"text/plain": f"{self!r}\ncannot be shown, {type(error).__name__}: {error}"}, {}
        source = base64.b64encode(shown.content).decode("ascii")
        html = (
            f'<figure style="margin:0"><img src="data:image/webp;base64,{source}" alt="{harmless(self.alt)}" '
            f'style="width:{shown.pixels[0]}px;max-width:100%">'
            f"<figcaption>{escape(shown.said)}</figcaption></figure>"
        )
        png = base64.b64encode(last.getvalue()).decode("ascii")
        return {"text/html": html, "image/png": png, "text/plain": repr(self)}, {"image/png": {"alt": self.alt}}

    def __repr__(self) -> str:
        y, x = self.frames[0].shape[:2]
        return f"Animation of {display.counted(len(self.frames), 'frame')}, {x} × {y} pixels: {self.alt}\n{self.call}"


def animation(  # noqa: PLR0913  (what word_map takes, and how it moves)
    trace: Trace,
    word: Word | None = None,
    *,
    steps: Steps = None,
    role: str = "cond",
    layers: Layers = None,
    heads: Heads = None,
    occurrence: Whole | None = None,
    seconds: float = 4.0,
    theme: Literal["light", "dark"] | None = None,
    frames: bool = False,
) -> Animation:
    """Makes moving pictures of the steps of a run: of its denoising, or of the attention to a `word`; or plays a video.

    Denoising: the left panel shows x_t before each step, the right one the picture that the step predicts (x0). As in
    `views.denoising`, both are decoded by the VAE, now if they were not before, or are the linear preview, marked
    "linear". The last frame is the final picture.
    A word: the left panel shows the predicted x0, decoded by the VAE where `steps` are given or the Record names them
    all, else the linear preview unless all were decoded already, as its title says. The right panel shows the word's
    map, the probability (0 to 1) that a latent pixel gives to the word. All frames share one scale from 0, printed at
    the colour bar.
    Of a video's steps the middle frame is shown.

    Args:
        word: A word or phrase of the prompt, or positions; None for the denoising.
        steps: The steps to show. None: for the denoising, those that the Record names (the previews of all steps, if it
            names fewer than two); for a word, all recorded steps.
        role, layers, heads, occurrence: For a word's map, as in `word_map`.
        frames: Whether the frames of a video are shown, one behind the other, in the place of its steps.
        seconds: The length; then the last frame stays for 1.5 seconds more.
        theme: The page that it is for, "light" or "dark". None: the theme that `set_options` sets.

    Raises:
        TokenError: The prompt has no such word.
        TraceError: The trace lacks the data, or an argument is not valid; or the theme that is set is "transparent".
    """
    if theme not in (None, "light", "dark") or not seconds > 0:
        raise TraceError(
            f"animation(seconds={seconds!r}, theme={theme!r}): seconds is above 0, theme is 'light' or 'dark'"
        )
    page = _page(theme)
    selection = Selection(role, steps, layers, heads, occurrence)
    own = {"seconds": seconds, "theme": page, "frames": frames}
    usual = {"seconds": 4.0, "frames": False} | ({"theme": "light"} if options_now().theme == "light" else {})
    arguments = options(selection.given | own, usual)
    if frames:
        if word is not None or selection.given:
            name = "word" if word is not None else next(iter(selection.given))
            raise TraceError(
                f"animation(frames=True, {name}=…): frames are those of the finished video; leave {name} out"
            )
        make = partial(_video, trace)
        line = f"sdx.animation(trace{arguments})"
    elif word is None:
        if extra := [name for name in selection.given if name != "steps"]:
            raise TraceError(
                f"animation({extra[0]}={selection.given[extra[0]]!r}) is for a word's map: name a word, or leave "
                f"{extra[0]} out"
            )
        make = partial(_denoising, one_frame(trace), steps)
        line = f"sdx.animation(trace{arguments})"
    else:
        _check_length(len(selection.of(trace).steps))
        make = partial(_word, trace, word, selection)
        line = f"sdx.animation(trace, {word!r}{arguments})"
    with pinned() as held:
        drawn, data, alt, caption = make(page)
        note = note_on(data, (trace,))
        alt, caption = with_note(alt, note), with_note(caption, note)
    each = seconds / len(drawn)
    return Animation(
        frames=tuple(drawn),
        seconds=(*[each] * (len(drawn) - 1), each + _HOLD),
        data=data,
        alt=alt,
        caption=caption,
        call=in_language(CodeLine(f"{line}  # trace {trace.fingerprint}", [trace]), held.lang),
        lang=held.lang,
        theme=page,
    )


def _page(theme: Literal["light", "dark"] | None) -> Literal["light", "dark"]:
    """The page to draw for: that of the argument, else the one that is set."""
    page = theme or options_now().theme
    if page == "transparent":
        raise TraceError(
            "animation(): set_options(theme='transparent') is set, and moving pictures have a page of their own: give "
            "theme='light' or theme='dark'"
        )
    return page


def _check_length(frames: int) -> None:
    if frames > _MOST:
        raise TraceError(f"animation: {frames:,} frames are more than {_MOST:,}; name fewer, steps=range(50)")


def _video(trace: Trace, theme: Theme) -> Drawn:
    frames = trace.recorded("frames")
    count, y, x = frames.shape[:3]
    _check_length(count)
    with panels(1, 1, aspect=y / x, top=0.9) as (figure, axes):
        drawn = axes[0, 0].imshow(frames[0])

        def show(number: int) -> None:
            figure.suptitle(f"{run_title(trace)}\n{wording('animation.frame', number=number, of=count)}", fontsize=9)
            drawn.set_data(frames[number])

        show(0)
        made = _rendered(figure, count, show, theme)
    alt = wording("animation.video.alt", frames=counted(count, "frame"), prompt=in_words(trace))
    return made, {"frames": frames}, alt, wording("animation.video.caption")


def _denoising(trace: Trace, steps: Steps, theme: Theme) -> Drawn:
    chosen = tuple(trace.decoded) if steps is None and len(trace.decoded) > 1 else trace.check_steps(steps)
    if not chosen:
        raise TraceError(f"animation(steps={steps!r}): name at least one step, or leave steps out")
    _check_length(len(chosen))
    names = [wording("denoising.x_t"), *[wording("denoising.x0")] * (trace.pred_original_sample is not None)]
    noisy, clean = step_pictures(trace, chosen, decode=steps is not None or len(trace.decoded) > 1)
    rows = [list(one) for one in zip(*filter(None, (noisy, clean)), strict=True)]
    titles = [step_title(trace, step).replace("\n", ", ") for step in chosen]
    if trace.image is not None:
        rows.append([StepPicture(trace.image, VAE)] * len(names))
        titles.append(wording("panel.picture"))
    said = not_decoded(dict(zip(chosen, rows, strict=False)))
    y, x = rows[0][0].pixels.shape[:2]
    with panels(1, len(names), aspect=y / x, top=0.9) as (figure, axes):
        figure.suptitle(f"{run_title(trace)}\n{titles[0]}", fontsize=9)
        drawn = [ax.imshow(picture.pixels) for ax, picture in zip(axes[0], rows[0], strict=True)]
        for ax, name in zip(axes[0], names, strict=True):
            ax.set_title(name, fontsize=9)
            ax.set_xlabel(wording("panel.linear"), fontsize=SMALL)

        def show(number: int) -> None:
            figure.suptitle(f"{run_title(trace)}\n{titles[number]}", fontsize=9)
            for ax, image, picture in zip(axes[0], drawn, rows[number], strict=True):
                image.set_data(picture.pixels)
                image.set_extent(place_of(picture.pixels))
                ax.set_xlabel(drawable(drawn_by(picture), 40) or " ", fontsize=SMALL)

        frames = _rendered(figure, len(rows), show, theme)
    alt = wording(
        "animation.alt" if len(names) > 1 else "animation.alt.x_t",
        steps=_from_to(chosen),
        of=trace.num_steps,
        way=way_of(trace),
        prompt=in_words(trace),
        drawn_by=wording("denoising.not_decoded", pictures=said) if said else "",
    )
    return frames, {"steps": np.array(chosen)}, alt, wording(f"animation.caption.{trace.kind}")


def _from_to(steps: Sequence[int]) -> str:
    return wording("steps.range", first=steps[0], last=steps[-1]) if len(steps) > 1 else steps_named(steps)


def _word(trace: Trace, word: Word, selection: Selection, theme: Theme) -> Drawn:
    read = selection.of(trace)
    chosen = read.steps
    maps = np.stack([word_maps(trace, (word,), selection.at(step))[0] for step in chosen])
    top = top_of(maps)
    asked = "steps" in selection.given or set(chosen) <= set(trace.decoded_x0)
    predicted, kind = predicted_pictures(trace, chosen, decode=asked)
    how = kind_named(kind)
    y, x = maps.shape[1:]
    with panels(1, 1 + bool(predicted), aspect=y / x, top=1.1) as (figure, axes):
        over = selection_title(trace, read, without=("steps",))

        def title(step: int) -> str:
            return f"{run_title(trace)}\n{over}\n{step_title(trace, step).replace(chr(10), ', ')}"

        figure.suptitle(title(chosen[0]), fontsize=9)
        axes[0, -1].set_title(wording("run.prompt", prompt=drawable(word_name(word), 40)), fontsize=9)
        drawn = axes[0, -1].imshow(maps[0], cmap=SEQUENTIAL, vmin=0.0, vmax=top or 1.0)
        if predicted:
            axes[0, 0].set_title(wording("animation.x0", how=how), fontsize=9)
            pictured = axes[0, 0].imshow(predicted[0])
        colour_bar(figure, drawn, axes[0, -1], label=wording("attention.probability"), pad=0.02)

        def show(number: int) -> None:
            figure.suptitle(title(chosen[number]), fontsize=9)
            drawn.set_data(maps[number])
            if predicted:
                pictured.set_data(predicted[number])

        frames = _rendered(figure, len(chosen), show, theme)
    name = clip(word_name(word))
    told = {"attention": attention_name(read), "word": name, "steps": _from_to(chosen), "of": trace.num_steps}
    told |= {"top": f"{top:.3g}", "prompt": in_words(trace)}
    told |= {"first": peak_place(maps[0]), "last": peak_place(maps[-1])}
    alt = wording("animation.word.alt.beside", **told, how=how) if predicted else wording("animation.word.alt", **told)
    return frames, {"maps": maps, "steps": np.array(chosen)}, alt, wording("animation.word.caption", word=name)


def _rendered(figure: Figure, count: int, show: Any, theme: Theme) -> list[np.ndarray]:  # noqa: ANN401  (int -> None)
    """`count` frames of the figure, all of one size and one layout."""
    figure.set_dpi(_WIDTH / figure.get_figwidth())
    frames = []
    with style():
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        figure.set_layout_engine("none")  # else the panels would move between frames
        for number in range(count):
            show(number)
            with themed(figure, theme):
                canvas.draw()
                frames.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    page = frames[0][0, 0]  # the margin that has this colour in all frames is cut off
    drawn = np.any([(frame != page).any(-1) for frame in frames], axis=0)
    (top, bottom), (left, right) = (np.flatnonzero(drawn.any(axis))[[0, -1]] for axis in (1, 0))
    margin = 6
    rows = slice(max(0, top - margin), bottom + margin)
    columns = slice(max(0, left - margin), right + margin)
    return [np.ascontiguousarray(frame[rows, columns]) for frame in frames]
