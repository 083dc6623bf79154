"""What views of tokens, text encoders and closed forms say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "tokens.start": "start",
    "tokens.end": "end",
    "tokens.padding": "padding",
    "tokens.truncated": "cut off",
    "tokens.paddings": "padding × {n}",
    "tokens.head": "{tokenizer}, {used} of {limit} positions",
    "tokens.head.endless": "{tokenizer}, {used} positions",
    "tokens.head.lost": "{head}; {left} more tokens were cut off",
    "tokens.note": " Note: {note}.",
    "tokens.doubt.vectors.typed": "{text} stands for the first of {name}'s {vectors} vectors alone: {tokenizer} "
    "lower-cases the prompt, and diffusers does not find the name; type it {right}",
    "tokens.doubt.vectors.loaded": "{text} stands for the first of {name}'s {vectors} vectors alone: {tokenizer} "
    "lower-cases the prompt, and diffusers does not find the name; load it with token={right}",
    "tokens.doubt.template": "{pipeline} puts the prompt into a template before {tokenizer} reads it: {encoder} is "
    "fed a longer sequence, in which these positions are moved",
    "tokens.doubt.template.named": "{pipeline} puts the prompt into a template ({template}) before {tokenizer} reads "
    "it: {encoder} is fed a longer sequence, in which these positions are moved",
    "tokens.doubt.default": "max_sequence_length, by default {length}",
    "tokens.doubt.length.any": "{pipeline} cuts and pads to {most}: {encoder} is fed a sequence of that length, and "
    "this one is of any length; words stand at the same positions",
    "tokens.doubt.length.cut": "{pipeline} cuts and pads to {most}: {encoder} is fed a sequence of that length, and "
    "this one is cut and padded to {length}; words stand at the same positions",
    "tokens.doubt.beyond": "{tokenizer} gives {token} the id {id}, and the {encoder} has embeddings for {rows} ids "
    "alone: they do not belong together, or a textual inversion was added to one of them only; load it with "
    "pipe.load_textual_inversion",
    "tokens.alt": "Boxes in a row, the prompt {prompt} as {tokens}: {pieces}.{notes}",
    "tokens.alt.none": "Boxes in a row: the prompt {prompt} holds no text, and what stands there the tokenizer "
    "added.{notes}",
    "tokens.alt.lost": "Boxes in a row, the prompt {prompt} as {tokens}: {pieces}; {lost} more, in red, are cut "
    "off.{notes}",
    "tokens.caption": "The prompt as the model reads it: pieces of text, each with its position and its number in "
    "the vocabulary.",
    "tokens.caption.lost": "The prompt as the model reads it: pieces of text, each with its position and its "
    "number in the vocabulary; the model never sees what was cut off.",
    "text.title": "“{prompt}”\n{encoder}, {class_name}",
    "text.embeddings": "embeddings",
    "text.layer": "layer {layer}",
    "text_similarity.cosine": "cosine",
    "text_similarity.alt": "Square panels of the cosines of all pairs of tokens of {prompt}, after layers {layers} "
    "of {encoder}, blue over white to red, red along the diagonal. {words}",
    "text_similarity.words": "Two words have a cosine of {first} on average in the first panel and {last} in the last.",
    "text_similarity.no_words": "There are no two words.",
    "text_similarity.caption": "How alike the {encoder} makes the tokens of the prompt from layer to layer: a red "
    "cell is a pair whose vectors point the same way.",
    "text_attention.head": "layer {layer}, head {head}",
    "text_attention.mean": "probability, mean of heads (√ scale)",
    "text_attention.probability": "probability (√ scale)",
    "text_attention.causal": "Each token sees itself and what is before it; what is hidden is grey.",
    "text_attention.all": "Each token sees all.",
    "text_attention.sink": "On average the words give {share} of their attention to the first token.",
    "text_attention.no_word": "There is no word.",
    "text_attention.alt": "Square panels of the self-attention of {encoder} over {prompt} in layers {layers}: a "
    "row for the token that looks, a column for what it looks at. {seen} {sink}",
    "text_attention.caption.causal": "What each token of the prompt looks at inside the {encoder}: only at itself "
    "and at earlier ones, so that a word knows nothing of the words behind it.",
    "text_attention.caption.all": "What each token of the prompt looks at inside the {encoder}, earlier and later "
    "ones.",
    "text_norms.layer": "layer (0: embeddings)",
    "text_norms.length": "length of the hidden state",
    "text_norms.alt": "A line for each token of {prompt} over the layers of {encoder}, on a logarithmic axis, with "
    "its name at its end: lengths of {first} in the embeddings and {last} after the last layer, the longest "
    "{longest}.",
    "text_norms.caption": "How long the {encoder} makes the vector of each token, layer by layer, before its final "
    "layer norm.",
    "equation_checks.scheduler": "DDPMScheduler on the betas of this {own} ({betas}, {steps} of {of} steps)",
    "equation_checks.variance": "{equation}, variance",
    "equation_checks.size": "size",
    "equation_checks.timestep": "timestep t",
    "equation_checks.difference": "largest difference",
    "equation_checks.worst": "{equation}, {float32} in float32 and {float64} in float64",
    "equation_checks.alt": "{panels} panels of curves on logarithmic axes: how far DDPM's equations differ from "
    "the {scheduler}, at {timesteps} timesteps. The largest differences: {worst}.",
    "equation_checks.caption": "DDPM's equations held against the scheduler's code: where the difference vanishes "
    "in float64, code and paper agree, and what float32 shows is rounding.",
    "time_embedding.title": "{unet}: {sinusoids} sinusoids, then time_embedding to {learned}",
    "time_embedding.sinusoids": "sinusoids",
    "time_embedding.before": "cosine of sinusoids",
    "time_embedding.after": "cosine, learned",
    "time_embedding.dimension": "dimension",
    "time_embedding.timestep": "timestep",
    "time_embedding.alt": "Three maps from blue over white to red: the sinusoids of timesteps {first} to {last}, "
    "and the cosines of all pairs of timesteps before and after the {unet}'s own layers. The first and last have "
    "cosine {before} before and {after} after.",
    "time_embedding.caption": "How the {unet} is told the time: sinusoids tell near timesteps apart, and its "
    "learned layers make of them which timesteps are treated alike.",
}
