"""What views of attention, regions and heads say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "attention.bar.mean": "attention probability",
    "attention.bar.method": "{method}'s score",
    "attention.bar.words": "probability that the word gives the pixel",
    "attention.range": "0 to {top}",
    "attention.scale.shared": "all on one scale from {low} to {top}",
    "attention.scale.each": "each on its own scale",
    "attention.over.mean": "{selection}",
    "attention.over.method": "method {method}, {selection}",
    "attention.over.words": "the words look at the picture: {selection}",
    "attention.maps.mean": "{attention} to {words}",
    "attention.maps.method": "{attention} to {words}",
    "attention.maps.words": "{attention}: {words}",
    "attention.alt.over": "Heat maps of the {maps} ({selection}), {scale}: a column a word, over the picture above "
    "and bare beneath. Of these, {peaks}.",
    "attention.alt.bare": "Heat maps of the {maps} ({selection}), {scale}: a panel a word. Of these, {peaks}.",
    "attention.caption.mean": "Where the {attention} to {words} lies: it shows where the model looks, not why the "
    "picture is as it is.",
    "attention.caption.method": "The {attention} to {words} by the formula of {method}, which takes its own mean over "
    "layers and heads and has a scale of its own.",
    "attention.caption.words": "How much the words look at each place of the picture ({words}), and not the picture at "
    "the words.",
    "attention_compare.difference": "difference",
    "attention_compare.alt": "Three rows of heat maps, a column a word ({words}): the {attention} in a, {a}, and in "
    "b, {b}, on one scale from 0 to {top}; and b less a, from −{reach} (blue) to {reach} (red). Mean change: {means}.",
    "attention_compare.caption": "Where the {attention} to the same words lies in two runs, and how it differs: "
    "where the lowest row is red, b looks more, where it is blue, less.",
    "attention_layers.title": "“{word}”: {selection}",
    "attention_layers.mean": "mean",
    "attention_layers.head": "head {head}",
    "attention_layers.beside": " The picture stands first, to compare with.",
    "attention_layers.alt.layers": "Heat maps of the {attention} to {word} in {layers}, {scale}: a panel a layer on "
    "its own grid, in the network's order.{picture} The brightest is {brightest}: {peak}.",
    "attention_layers.alt.heads": "Heat maps of the {attention} to {word} in {layers}, head by head, {scale}: a row "
    "a layer on its own grid, in the network's order, each row beginning with the mean over heads.{picture} The "
    "brightest mean is that of {brightest}: {peak}.",
    "attention_layers.caption.shared": "Where each layer looks for {word}, in the order of the network: a mean over "
    "layers shows what the brightest of them see.",
    "attention_layers.caption.each": "Where each layer looks for {word}, in the order of the network, faint layers "
    "too: brightness does not compare between panels.",
    "attention_mass.start": "start",
    "attention_mass.words": "words",
    "attention_mass.end": "end",
    "attention_mass.padding": "padding",
    "attention_mass.rest": "rest",
    "attention_mass.percent": "{kind} %",
    "attention_mass.no_bar": "{share} (no bar)",
    "attention_mass.by.layer": "share of attention\nby layer",
    "attention_mass.by.step": "share of attention\nby step",
    "attention_mass.extremes": " The words get most in {most} ({high}), least in {least} ({low}).",
    "attention_mass.alt": "Stacked bars of where the {attention} of {role} went for {prompt}, a bar a layer above "
    "and a bar a step beneath. Over all: {shares}.{extremes}",
    "attention_mass.caption.number": "Of all {attention}, {share} goes to the {most}, which has no bar here, and "
    "{words} to the words of the prompt.",
    "attention_mass.caption.all": "Of all {attention}, most goes to the words of the prompt: {words}.",
    "attention_steps.title.all": "“{word}”: {selection}",
    "attention_steps.title.one": "“{word}”, occurrence {occurrence}: {selection}",
    "attention_steps.maps": "attention",
    "attention_steps.bar": "probability",
    "attention_steps.predicted": "predicted x0\n{how}",
    "attention_steps.decoded": "decoded",
    "attention_steps.alt.predicted": "Heat maps of the {attention} to {word} at steps {steps} of {of}, on one scale "
    "from 0 to {top}, beneath the picture that the step predicts ({how}). At step {first} the peak is {at_first}; at "
    "step {last} it is {at_last}.",
    "attention_steps.alt.bare": "Heat maps of the {attention} to {word} at steps {steps} of {of}, on one scale from "
    "0 to {top}. At step {first} the peak is {at_first}; at step {last} it is {at_last}.",
    "attention_steps.caption": "Where the {attention} to {word} lies from step to step, while the picture forms.",
    "attribution.title": "“{prompt}”\n{steps}, at the latents of one run",
    "attribution.step": "step {step} (t {t})",
    "attribution.through": "through {calls} calls",
    "attribution.whole": "the whole picture",
    "attribution.of.whole": "the whole picture",
    "attribution.of.region": "a region of {area} of the picture",
    "attribution.others": "all other columns: {score}",
    "attribution.order": "by {method} {words}",
    "attribution.unit.gradient": "‖gradient × embedding‖",
    "attribution.unit.knock-out": "RMS change of ε",
    "attribution.unit.occlusion": "RMS change of ε",
    "attribution.unit.attention": "attention probability",
    "attribution.definition.gradient": "the norm of gradient × embedding over the word's columns, where the gradient "
    "is that of ‖ε − ε∅‖² in the region (ε∅ has an empty prompt): how strongly what guidance acts with depends on "
    "these columns",
    "attribution.definition.knock-out": "the change of ε in the region where no layer reads the word's columns; the "
    "columns behind the word have read it in the text encoder, and stay",
    "attribution.definition.occlusion": "the change of ε in the region with the word left out of the text, which is "
    "encoded again: the columns behind it move forward and change too",
    "attribution.definition.attention": "the mean probability with which the region attends to the word's columns, "
    "over all recorded layers and heads: where the model looks, and not what follows from it",
    "attribution.followed": "{definition}, followed back through {calls} calls of the denoiser",
    "attribution.meant": "{method}: {definition}",
    "attribution.alt": "Bars of what the words of {prompt} have to do with {region}, {steps}: a panel a method, each "
    "in its own unit, beside the picture. Highest first, {orders}.",
    "attribution.caption.one": "How much each word has to do with {region}. A score is {meant}.",
    "attribution.caption.several": "How much each word has to do with {region}, by methods that ask different "
    "questions and so may disagree. {meant}.",
    "concepts.over.all": "{role}, mean over all steps and {layers}",
    "concepts.over.some": "{role}, mean over chosen steps and {layers}",
    "concepts.chosen_layers": "chosen layers",
    "concepts.bar.shares": "share among these concepts",
    "concepts.bar.scores": "mean score",
    "concepts.grid": "picture tokens",
    "concepts.alt.over": "Maps of the concepts {concepts} by ConceptAttention ({unit}; {over}), {scale}: a column a "
    "concept, over the picture above and bare beneath. Of these, {peaks}.",
    "concepts.alt.bare": "Maps of the concepts {concepts} by ConceptAttention ({unit}; {over}), {scale}: a panel a "
    "concept. Of these, {peaks}.",
    "concepts.caption.shares": "Which of these concepts is the likeliest at each place, whether the prompt names it "
    "or not; a high share does not say that it is there.",
    "concepts.caption.scores": "How high each concept scores at each place, whether the prompt names it or not.",
    "head_effects.title": "“{prompt}”\nheads and “{word}”, step {step} (t {t})",
    "head_effects.cells.attention": "attention\nto the word",
    "head_effects.cells.reading": "without reading\nthe word",
    "head_effects.cells.whole": "without\nthe whole head",
    "head_effects.heads": "heads 0 to {last}",
    "head_effects.probability": "probability",
    "head_effects.change": "RMS change",
    "head_effects.axis": "attention to the word, probability",
    "head_effects.dots.reading": "without reading the word: {agreed}",
    "head_effects.dots.whole": "without the whole head: {agreed}",
    "head_effects.few": "no ρ under {least} heads",
    "head_effects.place": "{layer} head {head}",
    "head_effects.correlation.head.reading.attention": "reading and attention over heads {rho}",
    "head_effects.correlation.head.whole.attention": "whole heads and attention over heads {rho}",
    "head_effects.correlation.head.whole.reading": "whole heads and reading over heads {rho}",
    "head_effects.correlation.layer.reading.attention": "reading and attention over layers {rho}",
    "head_effects.correlation.layer.whole.attention": "whole layers and attention over layers {rho}",
    "head_effects.correlations": " Rank correlations: {correlations}.",
    "head_effects.alt": "Three grids of cells, a row a layer ({layers}) and a column a head, for the word {word} of "
    "{prompt}: the attention that each head pays it, the change of the noise prediction where the head does not read "
    "it, and where the head is not there. Beneath, dots of each change against the attention. By their reading the "
    "strongest are {strongest}.{correlations}",
    "head_effects.caption": "Attention tells where a head looks, an effect what follows from it: heads that pay "
    "{word} much need not be those without which the prediction changes most.",
    "occlusion.title": "“{prompt}”\neach word left out, at the latents of one run",
    "occlusion.bars": "change / change\nwithout any prompt",
    "occlusion.maps": "RMS change of {predicted}",
    "occlusion.prediction": "the prediction",
    "occlusion.alt": "At the left a bar a word of {prompt}, with a dot a step, as a share of what the whole prompt "
    "changes: {best}. At the right maps of where the strongest words act, a row a word and a column a step, on one "
    "scale from 0 to {reach}.",
    "occlusion.caption": "How much the noise prediction changes, and where, with each word left out of the prompt.",
    "region.area": "region: {area} of the picture",
    "region.inside": "inside",
    "region.outside": "outside",
    "region.bars": "mean probability",
    "region.alt.picture": "At the left the picture for {prompt}, dimmed outside a region of {area}; at the right two "
    "bars a word, inside and outside the region. By their mean probability inside: {ranked}.",
    "region.alt.mask": "At the left a region of {area} of the picture for {prompt}, white on black; at the right two "
    "bars a word, inside and outside the region. By their mean probability inside: {ranked}.",
    "region.caption": "Which words the {attention} of this part of the picture goes to, and how much more than that "
    "of the rest.",
    "segmentation.winner": "winner",
    "segmentation.margin": "margin",
    "segmentation.bar": "(first − second) / sum",
    "segmentation.alt.beside": "Beside the picture for {prompt}, one map with each latent pixel in the colour of the "
    "word that it looks at most, and one of the margin over the second. Shares of the pixels: {won}; the margin is "
    "{median} at the median.",
    "segmentation.alt.alone": "One map for {prompt} with each latent pixel in the colour of the word that it looks "
    "at most, and one of the margin over the second. Shares of the pixels: {won}; the margin is {median} at the "
    "median.",
    "segmentation.caption": "Which word wins the {attention} at each place, each word measured by its own maximum; "
    "where the margin is dark, the colour says little.",
    "count.component.one": "{n} component",
    "count.component.other": "{n} components",
    "self_attention.title": "self-attention of {role}, {when}, {grid}",
    "self_attention.pixel": "pixel {pixel} looks at",
    "self_attention.component": "component {number}",
    "self_attention.bar": "component (unit length)",
    "self_attention.over.all": "mean over steps",
    "self_attention.over.some": "mean over steps {steps}",
    "self_attention.beside": " The picture stands first.",
    "self_attention.looked": " Pixel {pixel}, marked, looks most at {peak}.",
    "self_attention.alt": "{components} of the self-attention at {grid} ({when}) for {prompt}, the leading ones "
    "first, from −{reach} (blue) to {reach} (red).{picture}{at_pixel}",
    "self_attention.caption.components": "Parts of the picture that self-attention treats alike have one colour in a "
    "component; its sign means nothing.",
    "self_attention.caption.pixel": "Where pixel {pixel} looks in the picture itself, and which parts self-attention "
    "treats alike: they have one colour in a component, whose sign means nothing.",
}
