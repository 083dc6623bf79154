"""The denoiser asked again at a run's own latents: by the pipeline's own call, for other prompts, or called directly.

What a run was conditioned with (sizes, pooled text, adapters) is made by the pipeline itself. Guidance of any kind does
not change one conditional prediction at given latents, and is left out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import nn

from ...base.errors import RunError, TraceError
from ...base.parameters import parameters_of
from ...text.tokenization import Tokenization
from ...trace.collections import Traces
from ...trace.record import Record
from ...trace.trace import Trace
from ..components.patching import quiet
from ..components.pipeline_parts import denoiser, vae_scale_factor
from ..families import family_of
from ..families.attention_modules import Layer, Places
from ..families.family import Family
from ..runs.call import Call
from ..runs.provenance import given_again, is_summary
from ..runs.session import Session, session
from ..schedulers.one_step import StandingScheduler

AT_ONCE = 8
"""Rows in a batch."""
SAME = 0.05
"""Share of the root mean square; a larger difference means another pipeline, or other arguments."""
_BARE = Record(latents=False, cross_attention=False, decode=0)
# Arguments of the run that do not change one conditional prediction at given latents, or that are set here.
_OURS = frozenset(
    {"prompt", "negative_prompt", "negative_prompt_2", "negative_prompt_3", "true_cfg_scale"}
    | {"num_inference_steps", "timesteps", "sigmas", "latents", "skip_guidance_layers"}
    | {"num_images_per_prompt", "output_type", "return_dict", "guidance_scale", "guidance_rescale", "eta"}
    | {"height", "width", "callback_on_step_end", "callback_on_step_end_tensor_inputs", "guide", "guide_scale"}
)


@dataclass(frozen=True)
class SeenCall:
    """The arguments of one call that a pipeline made of its denoiser, so that it can be called so again.

    Attributes:
        arguments: By name.
        channels: Of the latents; a variance that the denoiser predicts behind them is left out.
    """

    family: Family
    denoiser: nn.Module
    arguments: Mapping[str, Any]
    channels: int

    @property
    def embeddings(self) -> Float[torch.Tensor, "row position width"] | None:
        """The words' embeddings; None where a row's text is no part of one tensor (Z-Image gives a list)."""
        found = self.arguments.get(self.family.text)
        return found if isinstance(found, torch.Tensor) and found.ndim == 3 else None  # noqa: PLR2004

    @property
    def standing(self) -> Callable[[Layer, int], Places] | None:
        """(layer, row) -> where picture and words stand, in a family that is changed at the kernel; None in others."""
        if not self.family.changed_at_kernel:
            return None
        return lambda layer, row: self.family.standing(self.denoiser, layer, self.arguments, row)

    def predict(
        self, embeddings: torch.Tensor | None = None, sample: torch.Tensor | None = None
    ) -> Float[torch.Tensor, "row channel y x"]:
        """The denoiser's prediction, with other embeddings or another sample if they are given."""
        call = dict(self.arguments)
        if embeddings is not None:
            call[self.family.text] = embeddings
        if sample is not None:
            call[self.family.sample] = sample
        return self.family.noise_pred(self.denoiser(**call), call)[:, : self.channels]


@dataclass(frozen=True)
class Asking:
    """A turn at the pipeline, in which its denoiser is asked again at steps of a trace.

    Attributes:
        call: What the pipeline is called with at each step, beside latents and prompt.
        given: Arguments of the run that the user gave again.
    """

    running: Session
    trace: Trace
    call: Call
    given: Mapping[str, Any]

    def predictions(self, step: int, prompts: Sequence[str]) -> list[Float32[np.ndarray, "channel y x"]]:
        """The model's prediction for each prompt at the latents before `step`."""
        found: list[np.ndarray] = []
        for first in range(0, len(prompts), AT_ONCE):
            found += self._batch(step, list(prompts[first : first + AT_ONCE]))
        return found

    def seen(self, step: int, prompts: Sequence[str]) -> tuple[SeenCall, list[Float32[np.ndarray, "channel y x"]]]:
        """The call of the denoiser that the pipeline makes for these prompts, one row each, and its predictions.

        Raises:
            RunError: The pipeline makes several calls, or other rows.
        """
        pipe, function = self.running.pipe, self.running.function
        family, network, calls = family_of(pipe), denoiser(pipe), list[Mapping[str, Any]]()

        def take(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls.append(family.named(args, kwargs))

        hook = network.register_forward_pre_hook(take, with_kwargs=True)
        try:
            made = self._batch(step, list(prompts))
        finally:
            hook.remove()
        if len(calls) != 1 or family.rows(calls[0]) != len(prompts):
            rows = ", ".join(str(family.rows(one)) for one in calls)
            raise RunError(
                f"{function}: for {len(prompts)} prompts without guidance, {type(pipe).__name__} calls its "
                f"{family.title} {len(calls)} times with {rows} rows: which row is which is not known here"
            )
        return SeenCall(family, network, calls[0], family.latent_channels(pipe)), made

    def checked(self, made: np.ndarray, step: int) -> float:
        """The largest difference from the recorded prediction; RunError where it is another prediction."""
        recorded, function = conditional_of(self.trace, self.running.function)[step], self.running.function
        if np.isnan(recorded).any():
            raise TraceError(f"{function}: step {step} of this trace has no conditional prediction; choose others")
        if np.sqrt(np.square(made - recorded).mean()) > SAME * np.sqrt(np.square(recorded).mean()):
            raise RunError(
                f"{function}: at step {step} this pipeline does not predict what the trace recorded: it is another, or "
                "it has changed, or the run had arguments that must be given again"
            )
        return float(np.abs(made - recorded).max())

    def model_input(self, step: int) -> Float32[np.ndarray, "channel y x"]:
        """x_t as the denoiser was given it: flow models take x_t itself, EDM's scheduler divides it by its spread."""
        trace = self.trace
        if trace.space == "flow matching":
            return np.array(trace.recorded("latents")[step])
        if trace.space == "variance exploding":
            data = trace.provenance.get("scheduler", {}).get("sigma_data", 1.0)
            spread = np.hypot(trace.recorded("sigmas")[step], data)
            return np.asarray(trace.recorded("latents")[step] / spread, np.float32)
        return np.array(trace.scaled_latents(step))

    def _batch(self, step: int, prompts: list[str]) -> list[np.ndarray]:
        pipe, trace = self.running.pipe, self.trace
        sample = torch.from_numpy(self.model_input(step)).to(next(denoiser(pipe).parameters()).dtype)
        factor, grid = vae_scale_factor(pipe), (int(sample.shape[1]), int(sample.shape[2]))
        scheduler = StandingScheduler.instead_of(pipe.scheduler)
        scheduler.at = trace.timesteps[step].item()
        arguments = {
            **self.call.arguments,
            "height": grid[0] * factor,
            "width": grid[1] * factor,
            "latents": family_of(pipe).given_latents(sample.expand(len(prompts), *sample.shape), grid),
            "num_inference_steps": 1,
            "output_type": "latent",
        }
        made = self.running.run(replace(self.call, prompt=prompts, arguments=arguments, scheduler=scheduler))
        traces = list(made) if isinstance(made, Traces) else [made]
        return [one.noise_preds["cond"][0] for one in traces]


@contextmanager
def asking(pipe: Any, trace: Trace, function: str, given: Mapping[str, Any]) -> Iterator[Asking]:
    """A turn at the pipeline that made the trace.

    Args:
        function: The public function that the user called.
        given: Arguments of the run that its trace holds as a summary only.

    Raises:
        RunError: The run was given something that only it can make again.
    """
    tokens = prompt_of(trace, function)
    call = Call.of(tokens.typed, _arguments(pipe, trace, function, given), record=_BARE)
    with session(pipe, call, function=function) as running, quiet(pipe):  # each question is a run of one step
        yield Asking(running, trace, call, given)


def prompt_of(trace: Trace, function: str) -> Tokenization:
    """The prompt of the trace; TraceError where there is none."""
    tokens = next(iter(trace.tokens.get("cond", {}).values()), None)
    if tokens is None:
        raise TraceError(f"{function}: this trace holds no prompt, and so no word to leave out")
    return tokens


def conditional_of(trace: Trace, function: str) -> Float32[np.ndarray, "step channel y x"]:
    """The recorded conditional predictions; TraceError where there are none."""
    recorded = trace.recorded("noise_preds").get("cond")
    if recorded is None:
        raise TraceError(
            f"{function}: this trace holds no noise prediction of role 'cond': run with Record(noise_pred=True)"
        )
    return np.asarray(recorded)


def check_one_trace(trace: object, function: str) -> None:
    """TraceError where this is not one trace."""
    if isinstance(trace, Traces):
        raise TraceError(f"{function}: these are {len(trace)} traces; take one of them: traces[0]")
    if not isinstance(trace, Trace):
        raise TraceError(f"{function}(trace={trace!r:.80}): a Trace, as `run` gives it, is asked about")


def check_one_prompt(trace: Trace, function: str, given: Mapping[str, Any]) -> None:
    """RunError where the denoiser was given other texts too, from which the words would not be left out."""
    told = {**trace.call.get("arguments", {}), **given}
    if told.get("change") is not None:
        raise RunError(
            f"{function}: the run was changed, change={told['change']!r:.120}, and the denoiser that is asked again is "
            "not: ask a run without change="
        )
    if "prompt_at" in told:
        raise RunError(
            f"the run changed its prompt on the way, prompt_at={told['prompt_at']!r:.120}: {function} asks about words "
            "of one prompt; ask a run of each"
        )
    if (made := trace.call.get("conditioning")) is not None:
        raise RunError(
            f"this run's embeddings were made as {dict(made)!r:.160}, which {function} cannot make again with a word "
            "left out; ask a run of the prompt itself"
        )
    if told.get("prompt_2") not in (None, "", trace.prompt):  # an empty text is the prompt, as the pipeline reads it
        raise RunError(
            f"the run told its second text encoder another prompt, prompt_2={told['prompt_2']!r:.80}: words left out "
            "of the first would not be left out of that one; ask a run without prompt_2"
        )


def _arguments(pipe: Any, trace: Trace, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the run that its conditional prediction depends on."""
    ours = _OURS | ({"image", "t"} if trace.kind == "look" else set())
    told = {name: value for name, value in trace.call.get("arguments", {}).items() if name not in ours}
    for name in told.keys() - given.keys():
        if is_summary(told[name]):
            raise RunError(f"{function}: the trace holds {name} of its run by name only; give it again: {name}=…")
    # Consistency models and FLUX.1-dev are given the scale itself; others would make an unconditional half of it.
    embedded = family_of(pipe).embeds_guidance(pipe)
    scale = trace.call.get("arguments", {}).get("guidance_scale")
    guidance: dict[str, Any] = {} if embedded and scale is None else {"guidance_scale": scale if embedded else 1.0}
    if "pag_scale" in parameters_of(type(pipe).__call__):
        told["pag_scale"] = 0.0  # its perturbed rows guide, and are no rows of the prompt
    again = {name: given_again(name, value) for name, value in told.items()}
    return {name: value for name, value in {**again, **guidance, **given}.items() if name != "prompt_2"}
