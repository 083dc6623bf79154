"""What views of tokens, text encoders and closed forms say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "tokens.start": "start",
    "tokens.end": "end",
    "tokens.padding": "padding",
    "tokens.truncated": "cut off",
    "text.title": "“{prompt}”\n{encoder}, {class_name}",
    "text.embeddings": "embeddings",
    "text.layer": "layer {layer}",
    "text_similarity.cosine": "cosine",
    "text_similarity.alt": "Square panels of the cosines of all pairs of tokens of “{prompt}”, after layers {layers} of "
    "{encoder}, blue over white to red, red along the diagonal. {words}",
    "text_similarity.words": "Two words are {first} alike on average in the first and {last} in the last.",
    "text_similarity.no_words": "There are no two words.",
    "text_similarity.caption": "How alike the {encoder} makes the tokens of the prompt from layer to layer: a red cell "
    "is a pair whose vectors point the same way.",
    "text_attention.head": "layer {layer}, head {head}",
    "text_attention.mean": "probability, mean of heads (√ scale)",
    "text_attention.probability": "probability (√ scale)",
    "text_attention.causal": "Each token sees itself and what is before it; what is hidden is grey.",
    "text_attention.all": "Each token sees all.",
    "text_attention.sink": "The words give {share} of theirs to the first token on average.",
    "text_attention.no_word": "There is no word.",
    "text_attention.alt": "Square panels of the self-attention of {encoder} over “{prompt}” in layers {layers}: a row "
    "for the token that looks, a column for what it looks at. {seen} {sink}",
    "text_attention.caption.causal": "What each token of the prompt looks at inside the {encoder}: only at itself and at "
    "earlier ones, so that a word knows nothing of the words behind it.",
    "text_attention.caption.all": "What each token of the prompt looks at inside the {encoder}, earlier and later ones.",
    "text_norms.layer": "layer (0: embeddings)",
    "text_norms.length": "length of the hidden state",
    "text_norms.no_number": "no number",
    "text_norms.alt": "A line for each token of “{prompt}” over the layers of {encoder}, on a logarithmic axis, with its "
    "name at its end: lengths of {first} in the embeddings and {last} after the last layer, the longest {longest}.",
    "text_norms.caption": "How long the {encoder} makes the vector of each token, layer by layer, before its final "
    "layer norm.",
}
