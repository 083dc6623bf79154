"""A family of the tests alone: joint attention and packed latents, as FLUX.1 has them.

It shows what the next family costs: this file, and one line of registration.
"""

# ruff: noqa: ARG002  (the names are those of the base class)

import torch

from sdexplore.model.families.attention_modules import Places
from sdexplore.model.families.family import Family


class PackedJoint(Family):
    """One softmax over [text, picture]; latents (row, y · x, channel · 2 · 2); the time divided by 1000."""

    name = "packed joint"
    title = "packed joint transformer"
    classes = ("FluxTransformer2DModel",)
    positional = ("hidden_states", "encoder_hidden_states")

    def latent_channels(self, pipe):
        return self.denoiser(pipe).config.in_channels // 4

    def sample_size(self, pipe):
        return pipe.default_sample_size

    def given_timestep(self, timesteps):
        return timesteps / 1000

    def encoded(self, result):
        return result[0], None  # its second is the pooled embedding, which makes no keys

    def roles(self, pipe, given):
        return ("cond",)  # guidance is an argument of the denoiser

    def role_conditions(self, pipe):
        yield "cond", "always"

    def text_columns(self, tokenizers):
        return {name: 0 for name in tokenizers if name == "tokenizer_2"}  # the first makes the pooled embedding alone

    def places(self, layer, call, row):
        words = self.text_length(call)
        return Places(picture=slice(words, None), words=slice(0, words))

    def patch(self, denoiser):
        return 2

    def latent_size(self, call):
        _, y, x = (call["img_ids"].reshape(-1, 3).amax(0).int() + 1).tolist()
        return 2 * y, 2 * x

    def unpacked(self, latents, size):
        y, x = (side // 2 for side in size)
        apart = latents.unflatten(2, (-1, 2, 2)).unflatten(1, (y, x))  # (row, y, x, channel, 2, 2)
        return apart.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)

    def packed(self, latents, size):
        apart = latents.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (row, channel, y, 2, x, 2)
        return apart.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    def example_inputs(self, network, size):
        y, x = (side // 2 for side in size)
        place = torch.zeros(y * x, 3)
        config = network.config
        return {
            "hidden_states": torch.zeros(1, y * x, config.in_channels),
            "encoder_hidden_states": torch.zeros(1, 8, config.joint_attention_dim),
            "pooled_projections": torch.zeros(1, config.pooled_projection_dim),
            "timestep": torch.zeros(1),
            "img_ids": place,
            "txt_ids": torch.zeros(8, 3),
        }
