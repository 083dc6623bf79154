"""What a run is asked to change, checked before anything is computed: names, words, heads, steps and roles."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ...base.errors import RunError, TokenError, did_you_mean
from ...changes.change import Change, ChangeAtSteps, several
from ...changes.several import changes_of
from ..capture.prompts import image_count, prompts_of, tokens_of_text
from ..interventions.plan import changing_of, check_words
from ..schedulers.names import scheduler_from_name
from .call import Call
from .call_outline import Outline, outline_of
from .riding_along import check_riding

_UNFORESEEN = ("extra_", "edit_", "skipped")  # beginnings of roles that arguments alone do not tell


def check_changes(pipe: Any, call: Call, function: str) -> None:
    """Refuses changes that name something that the pipeline, its prompt or the run has not.

    Args:
        function: The public function that the user called.

    Raises:
        RunError: Something else than a change is given; a module, layer, head, role or step is not there.
        TokenError: The prompt has no such word.
    """
    if changes := changes_of(call.change, function):
        if call.record.concepts:
            raise RunError(
                f"{function}: Record(concepts=…) does not go with change=…: the concepts go through the denoiser's own "
                "modules, and what changes those would change the concepts too"
            )
        try:
            _check(pipe, call, changes)
        except (RunError, TokenError) as error:
            raise type(error)(f"{function}: {error}") from error


def _check(pipe: Any, call: Call, changes: Sequence[Change]) -> None:
    outline = _outline(pipe, call)
    images = image_count(call.prompt, call.arguments)
    tokens = outline.tokens if outline else prompts_of(pipe, call.prompt, call.arguments, images)
    changing = changing_of(changes, pipe, tokens, partial(tokens_of_text, pipe, call.arguments))
    check_riding(pipe, call, changing.sources)
    if outline is None:  # the run itself then finds out
        return
    _check_roles(changes, outline)
    for edit in changing.edits:
        at = edit.change.steps_of(outline.steps) if isinstance(edit.change, ChangeAtSteps) else range(outline.steps)
        roles = {outline.filed(step) for step in at} | {*outline.roles} - {"cond"}
        check_words(edit, sorted(roles), images)


def _outline(pipe: Any, call: Call) -> Outline | None:
    """What the call will do; None where its arguments do not tell."""
    try:
        scheduler = scheduler_from_name(pipe, call.scheduler) if isinstance(call.scheduler, str) else call.scheduler
        return outline_of(pipe, call.prompt, call.outlined, scheduler)
    except Exception:  # noqa: BLE001  (an outline that fails must not keep a run from being made)
        return None


def _check_roles(changes: Iterable[Change], outline: Outline) -> None:
    for change in changes:
        for role in several(change.roles) if isinstance(change, ChangeAtSteps) else ():
            if role not in outline.roles and not role.startswith(_UNFORESEEN):
                raise RunError(f"{change!r}: this run has no role {role!r}; {did_you_mean(role, outline.roles)}")
