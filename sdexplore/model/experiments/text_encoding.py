"""What a pipeline's text encoders make of a prompt: every hidden state, and their self-attention."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from ...base.errors import InspectionError
from ...base.parameters import parameters_of
from ...records.text_encoding import TextEncoding, TextEncodings
from ...text.tokenization import Tokenization
from ..components.fed_tokens import fed_tokenization
from ..components.pipeline_lock import lock_of
from ..components.pipeline_parts import parts
from ..components.prompt_doubts import refuse_unknown_ids
from ..components.tokens import tokens
from ..components.weights_present import without_weights
from ..families import family_of
from ..families.family import Family

_SAME = 1e-4  # of the largest hidden state: what another order of summation may change


@dataclass(frozen=True)
class Encoded:
    """What one text encoder returned for one prompt, on its device and in its number format.

    Attributes:
        hidden_states: Each (1, position, width): embeddings, then every layer's output before the final norm.
        first: The first output: (1, position, width), or pooled and projected (1, width).
        masked: Whether padding was hidden from the encoder, whatever its config says.
    """

    name: str
    module: Any
    tokens: Tokenization
    hidden_states: tuple[torch.Tensor, ...]
    first: torch.Tensor
    output: Any
    masked: bool = False

    def normed(self, hidden_state: torch.Tensor) -> torch.Tensor:
        """A hidden state after the encoder's final layer norm; InspectionError where it has none."""
        # CLIPTextModel is flat since transformers 5.6, CLIPTextModelWithProjection is not.
        norm = getattr(getattr(self.module, "text_model", self.module), "final_layer_norm", None)
        if norm is None:
            raise InspectionError(f"{self.name}, a {type(self.module).__name__}, has no final_layer_norm to apply")
        normed: torch.Tensor = norm(hidden_state)
        return normed


def text_encoding(pipe: Any, prompt: str, *, attention: bool = True) -> TextEncodings:
    """The prompt in every text encoder of the pipeline: each layer's hidden states, pooled vectors, self-attention.

    A family that puts a template around the prompt (Qwen-Image, Z-Image, FLUX.2, Lumina2, Sana) has it encoded in it.
    The encoders run unchanged. Their attention is computed again in float32 from the queries and keys that they make.
    Each makes two forward passes: the second, with another last word, tells whether the encoder is causal.

    Args:
        attention: Whether to keep the self-attention: layers × heads × 77 × 77 numbers, 15 MB for SDXL's second.

    Raises:
        InspectionError: The pipeline has no text encoder.
    """
    family = _family(pipe)
    masked = family is not None and family.masks_padding
    with lock_of(pipe), torch.no_grad():
        found = {}
        for name, module, tokenization in encoders_of(pipe, prompt):
            with _projections(module, wanted=attention) as seen:
                encoded = encode(name, module, tokenization, masked=masked)
            causal = _is_causal(encoded)
            found[name] = _record(pipe, encoded, causal=causal, attention=_probabilities(seen, encoded, causal=causal))
    return TextEncodings(found)


def encoders_of(pipe: Any, prompt: str) -> Iterator[tuple[str, Any, Tokenization]]:
    """Every text encoder with its name and what its tokenizer makes of the prompt, in the pipeline's order.

    Raises:
        InspectionError: There is none.
        RunError: It has no embedding for a token.
    """
    known, found = parts(pipe), False
    read = tokens(pipe, prompt)
    refuse_unknown_ids(pipe, read, "text_encoding")
    for tokenizer, tokenization in {**read, **_in_templates(pipe, prompt)}.items():
        names = (tokenizer.replace("tokenizer", "text_encoder"), "bert")  # LDMTextToImagePipeline's
        name = next((name for name in names if isinstance(known.get(name), torch.nn.Module)), None)
        if name is not None:
            found = True
            if (lacking := without_weights(pipe, name)) is not None:
                raise InspectionError(lacking)
            yield name, known[name], tokenization
    if not found:
        raise InspectionError(f"this {type(pipe).__name__} has no text encoder: there is nothing that reads a prompt")


def _in_templates(pipe: Any, prompt: str) -> dict[str, Tokenization]:
    """The prompt in the template that the pipeline puts around it, by tokenizer; without padding behind it."""
    family = _family(pipe)
    known = parameters_of(type(pipe).__call__)
    given = {name: one.default for name, one in known.items() if one.default is not one.empty}
    several = () if family is None else family.fed
    return {name: fed_tokenization(pipe, name, prompt, given, _all_but_padding) for name in several}


def _all_but_padding(ids: Sequence[int], seen: Sequence[int]) -> Sequence[int]:
    """The places up to the last that the encoder sees; it sees nothing behind, and padding before moves positions."""
    return range(max((place + 1 for place, one in enumerate(seen) if one), default=len(ids)))


def encode(
    name: str, module: Any, tokenization: Tokenization, ids: tuple[int, ...] | None = None, *, masked: bool = False
) -> Encoded:
    """One forward pass of a text encoder over the padded sequence (or other `ids` of its length).

    Args:
        masked: Whether the pipeline hides padding from its encoders, whatever their configs say.
    """
    device = getattr(getattr(module, "_hf_hook", None), "execution_device", None) or module.device
    given = torch.tensor([tokenization.ids if ids is None else ids], device=device)
    output = module(given, attention_mask=_mask(module, tokenization, given, masked=masked), output_hidden_states=True)
    return Encoded(name, module, tokenization, tuple(output.hidden_states), output[0], output, masked)


def penultimate(pipe: Any) -> bool:
    """Whether the pipeline feeds the hidden state before the last, without norm, as SDXL's do; else last and normed."""
    return getattr(pipe, "text_encoder_2", None) is not None


def _family(pipe: Any) -> Family | None:
    """The family of the pipeline's denoiser; None where it has none that is known."""
    try:
        return family_of(pipe)
    except InspectionError:
        return None


def _mask(module: Any, tokenization: Tokenization, ids: torch.Tensor, *, masked: bool) -> torch.Tensor | None:
    """The attention mask that pipelines give: of some families to each encoder, else where its config asks for one."""
    if not masked and not getattr(module.config, "use_attention_mask", False):
        return None
    real = [token.kind != "padding" for token in tokenization.tokens if token.position is not None]
    return torch.tensor([real], device=ids.device, dtype=torch.long)


def _is_causal(encoded: Encoded) -> bool:
    """Whether another token changes nothing before it."""
    ids = list(encoded.tokens.ids)
    place = encoded.tokens.first_end or len(ids) - 1  # T5 begins an empty prompt with its end: nothing is before it
    ids[place] = ids[place - 1] if ids[place] != ids[place - 1] else (ids[place] + 1) % encoded.module.config.vocab_size
    before, after = (
        one.hidden_states[-1][0, :place].float()
        for one in (encoded, encode(encoded.name, encoded.module, encoded.tokens, tuple(ids), masked=encoded.masked))
    )
    if not before.numel():  # one token, which sees itself either way
        return True
    return bool((before - after).abs().max() <= _SAME * before.abs().max())


@contextmanager
def _projections(module: torch.nn.Module, *, wanted: bool) -> Iterator[dict[str, dict[str, torch.Tensor]]]:
    """Layer -> its queries and keys, (position, width) each, filled by forward passes within the block."""
    seen: dict[str, dict[str, torch.Tensor]] = {}

    def keep(layer: str, part: str, _: Any, __: Any, output: torch.Tensor) -> None:
        seen.setdefault(layer, {})[part] = output[0].detach().float()

    with ExitStack() as stack:
        for name, layer in module.named_modules():
            if wanted and all(hasattr(layer, part) for part in ("q_proj", "k_proj", "num_heads")):
                for part in ("q_proj", "k_proj"):
                    hook = partial(keep, name, part)
                    stack.callback(getattr(layer, part).register_forward_hook(hook).remove)
        yield seen


def _probabilities(
    seen: Mapping[str, Mapping[str, torch.Tensor]], encoded: Encoded, *, causal: bool
) -> Float32[np.ndarray, "layer head position position"] | None:
    if not seen:
        return None
    found = []
    for layer, parts_ in seen.items():
        heads = encoded.module.get_submodule(layer).num_heads
        q, k = (parts_[part].reshape(len(parts_[part]), heads, -1).transpose(0, 1) for part in ("q_proj", "k_proj"))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if causal:
            length = scores.shape[-1]
            hidden = torch.ones(length, length, dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(hidden, float("-inf"))
        found.append(scores.softmax(-1))
    return np.asarray(torch.stack(found).cpu().numpy(), np.float32)


def _record(
    pipe: Any, encoded: Encoded, *, causal: bool, attention: Float32[np.ndarray, "l h p p"] | None
) -> TextEncoding:
    output = encoded.output
    pooled = next(
        (found for part in ("text_embeds", "pooler_output") if (found := _get(output, part)) is not None), None
    )
    states = torch.stack([one[0] for one in encoded.hidden_states]).float().cpu().numpy()
    return TextEncoding(
        encoder=encoded.name,
        class_name=type(encoded.module).__name__,
        tokens=encoded.tokens,
        hidden_states=states,
        last_hidden_state=_last(output)[0].float().cpu().numpy(),
        pooled=None if pooled is None else pooled[0].float().cpu().numpy(),
        attention=attention,
        causal=causal,
        to_unet=_fed(pipe, encoded.module, len(states)),
        denoiser="denoiser" if (family := _family(pipe)) is None else family.title,
    )


def _fed(pipe: Any, module: Any, states: int) -> str:
    """What the denoiser gets of this encoder, in words."""
    before_last = f"hidden state {states - 2}, the last but one, without final norm"
    last = f"hidden state {states - 1}, the last, after the final layer norm"
    kind, name = type(module).__name__, type(pipe).__name__
    if "T5" in kind:
        return last
    if "Flux" in name and kind.startswith("CLIP"):
        return "no hidden state, its pooled vector alone"
    if isinstance(getattr(pipe, "transformer", None), torch.nn.Module) and "StableDiffusion3" not in name:
        return f"which hidden state {name} takes is not known here"
    return before_last if penultimate(pipe) else last


def _get(output: Any, part: str) -> torch.Tensor | None:
    found: torch.Tensor | None = getattr(output, part, None)
    return found


def _last(output: Any) -> torch.Tensor:
    """The last hidden state; of a language model, whose output is of the next token, the last of all states."""
    found: torch.Tensor = output.last_hidden_state if hasattr(output, "last_hidden_state") else output.hidden_states[-1]
    return found
