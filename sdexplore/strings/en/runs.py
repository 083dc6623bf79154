"""What views of runs say: their steps, guidance, schedules, and several runs side by side."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "denoising.x_t": "x_t",
    "denoising.x0": "predicted x0",
    "denoising.alt": "Two rows of pictures, the latents above and the predicted x0 beneath, at {steps} of {of}, "
    "{way}, for {prompt}.{drawn_by}",
    "denoising.not_decoded": " Not decoded by the VAE: {pictures}.",
    "denoising.caption.run": "In {steps}, noise becomes the picture; the predicted x0 shows early where it will lead.",
    "denoising.caption.look": "What the denoiser sees in a noisy picture, and what it predicts the picture to be.",
    "denoising.caption.invert": "In {steps}, the picture goes back to the noise that it comes from.",
    "guidance.x0_uncond": "x0 uncond\nlinear",
    "guidance.x0_cond": "x0 cond\nlinear",
    "guidance.apart": "|cond − uncond|",
    "guidance.x0_guided": "x0 guided\n{how}",
    "guidance.alt": "Four rows of pictures at {steps}, for {prompt}: x0 as the unconditional half of "
    "guidance predicts it, as the conditional half does, the root mean square of their difference on one "
    "scale from 0 to {reach}, and x0 after guidance ({how}).",
    "guidance.caption": "The third row shows where the prompt changes the prediction; guidance goes "
    "further in that direction.",
    "guidance_steps.angle": "angle of ε_c and ε_u, degrees",
    "guidance_steps.spread": "std guided ε / std ε_c",
    "guidance_steps.alt": "For {prompt}, maps of where the two halves of guidance differ, step by step, "
    "above three curves over {steps}: the halves differ by {first} of the conditional one at first and "
    "by {last} at last, and guidance widens ε by up to {spread}.",
    "guidance_steps.caption": "How far apart the two halves of guidance are at each step, and how much "
    "stronger than the model's own prediction the combined one becomes.",
    "latents.channel": "channel {number}",
    "latents.value": "latent value",
    "latents.alt": "A grid of maps, a row for each of {channels} of the latents and a column for each of "
    "{steps} of {of}, from −{reach} (blue) over 0 (white) to {reach} (red), for {prompt}.",
    "latents.caption.run": "The denoiser works on these numbers and not on pixels: noise becomes a picture "
    "in each latent channel.",
    "latents.caption.look": "What the denoiser is given instead of pixels: the latents of a picture, noised.",
    "latents.caption.invert": "Step by step, the latents of a picture turn into the noise from which it "
    "can be drawn again.",
    "guidance_steps.before": "before guidance_rescale",
    "guidance_steps.after": "after it",
    "comparison.difference": "difference, of 255",
    "comparison.grid.alt": "{pictures} of {prompt} on a grid, one for each of these settings: {cells}.",
    "comparison.grid.prompts.alt": "{pictures} on a grid, one for each of these settings: {cells}.",
    "comparison.less.alt": "{pictures} of {prompt} on a grid, each less that of {base}, from −{reach} (blue, "
    "darker) to {reach} (red, brighter) of 255; one for each of these settings: {cells}.",
    "comparison.less.prompts.alt": "{pictures} on a grid, each less that of {base}, from −{reach} (blue, "
    "darker) to {reach} (red, brighter) of 255; one for each of these settings: {cells}.",
    "comparison.settings.caption": "All pictures begin with the same noise: what differs between them comes "
    "from {names}.",
    "comparison.seeds.caption": "Pictures of one seed begin with the same noise: what differs between them "
    "comes from {names}.",
    "comparison.noise.caption": "The prompt is the same, the noise is another: what all pictures share comes "
    "from the prompt.",
    "comparison.less.caption": "What changes against {base}: white stays as it was there, red becomes "
    "brighter, blue darker.",
    "strip.alt": "{pictures} side by side for {prompt}, from left to right with {name} {values}.",
    "strip.caption": "All pictures begin with the same noise; only {name} differs from one to the next.",
    "difference.x0": "x0 of {run}",
    "difference.pixels": "of pixels,\n0 to {top}",
    "difference.distance": "distance of x_t (RMS)",
    "difference.distance.parted": "distance of x_t (RMS); the runs part at step {step} (dashed)",
    "difference.before": "before step",
    "difference.alt": "Three rows of maps at {steps} of {of}: x0 of run a, for {a}; x0 of run b, for {b}; and "
    "how far they are apart. Beneath, a curve of the distance of x_t, which is {end} in the end.",
    "difference.caption": "The two runs part at step {step} of {of}; the bright places of the third row are "
    "where their pictures will differ.",
    "difference.caption.never": "The two runs never part: at every step x_t is the same.",
    "comparison.change": "the change that was made",
    "difference.alt.pictures": "Three rows of maps at {steps} of {of}, with the final pictures at the right: "
    "x0 of run a, for {a}; x0 of run b, for {b}; and how far they are apart, that of the pictures from black "
    "(none) to white ({apart} of 255). Beneath, a curve of the distance of x_t, which is {end} in the end.",
    "schedule.timestep": "training timestep t",
    "schedule.by_call": "σ, call by call",
    "schedule.call": "call of the denoiser",
    "schedule.no_beta": "no β here",
    "schedule.unknown": "no training schedule is known",
    "schedule.called": "{name}: {calls}, σ from {first} to {last}",
    "schedule.called.lost": "{name}: {calls}, σ from {first} to {last} ({lost} not drawn)",
    "schedule.alt": "Five panels: β, ᾱ, σ and log-SNR over the training timestep, a grey line each with the "
    "calls of the denoiser as points, and beneath them σ over the number of the call. {calls}.",
    "schedule.caption": "Where on the noise schedule that the model was trained on the scheduler calls it.",
    "schedule.caption.several": "Schedulers go down the same noise schedule in different steps: each calls "
    "the model at other noise levels.",
    "maps.own_grid": "own grid",
    "maps.latent_grid": "latent grid",
    "maps.over": "over the picture",
    "maps.scale": "{least} to {most}",
    "maps.alt.each": "Heat maps of {names} ({label}), each on its own scale, over the picture of {prompt} and "
    "bare beneath it: {peaks}.",
    "maps.alt.shared": "Heat maps of {names} ({label}), all on one scale, over the picture of {prompt} and "
    "bare beneath it: {peaks}.",
    "maps.caption": "Where in the picture each of the maps is high.",
    "maps.caption.title": "{title}: where in the picture each of the maps is high.",
    "maps.alt.each.bare": "Heat maps of {names} ({label}), each on its own scale, for {prompt}: {peaks}.",
    "maps.alt.shared.bare": "Heat maps of {names} ({label}), all on one scale, for {prompt}: {peaks}.",
    "animation.frame": "frame {number} of {of}, from 0",
    "animation.x0": "predicted x0, {how}",
    "animation.alt": "Animation over {steps} of {of}, {way}, for {prompt}: the latents at the left, the "
    "picture that they predict at the right.{drawn_by}",
    "animation.alt.x_t": "Animation of the latents over {steps} of {of}, {way}, for {prompt}.{drawn_by}",
    "animation.caption.run": "Noise becomes the picture, while the prediction already shows what it is going to be.",
    "animation.caption.look": "What the denoiser sees in a noisy picture, and what it predicts the picture to be.",
    "animation.caption.invert": "A picture goes back to the noise from which it can be drawn again.",
    "animation.word.alt": "Animation of the {attention} to {word} over {steps} of {of} for {prompt}, on one "
    "scale from 0 to {top}. The highest value is {first} at first and {last} at last.",
    "animation.word.alt.beside": "Animation of the {attention} to {word} over {steps} of {of} for {prompt}, "
    "on one scale from 0 to {top}, at the right of the picture that each step predicts ({how}). The highest "
    "value is {first} at first and {last} at last.",
    "animation.word.caption": "Where the picture looks at the word {word} while it forms.",
    "animation.video.alt": "The video of {frames} that was drawn for {prompt}, frame after frame.",
    "animation.video.caption": "The finished video, as the model drew it.",
    "trace.alt": "A picture of {width} × {height} pixels, drawn for {prompt} by {model} from seed {seed}.",
    "trace.caption": "What {model} makes of {prompt}.",
    "maps.titled": "{title}: {alt}",
    "story.prompt": "The prompt, as tokens that the text encoder reads",
    "story.more": "… and {number} more",
    "story.padding": "padding × {number}",
    "story.steps": "From noise to picture: x_t, then the x0 that the model predicts",
    "story.steps.x_t": "From noise to picture: x_t",
    "story.x_t": "x_t, step {step}",
    "story.x0": "x0, step {step}",
    "story.attention": "Where the picture looks at each word ({attention}; {selection})",
    "story.alt": "From top to bottom: the prompt {prompt} as {tokens}; a row of pictures {way}, at {steps} of "
    "{of}.{attention}",
    "story.alt.attention": " Beneath, the {kind} to each word over the picture: {peaks}.",
    "story.caption": "How a prompt becomes a picture: it is read as tokens, noise is removed step by step, "
    "and the picture looks at the words while it forms.",
    "story.caption.plain": "How a prompt becomes a picture: it is read as tokens, and noise is removed step by step.",
    "story.alt.steps": "A row of pictures {way}, at {steps} of {of}, for {prompt}.{attention}",
    "story.caption.steps": "How noise becomes a picture, step by step.",
}
