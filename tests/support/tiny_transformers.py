"""A tiny random pipeline of a diffusion transformer, from the real classes, without a download."""

import functools
import json

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from tiny_pipelines import text_config, tokenizer, vae
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPTextModel, T5Config, T5EncoderModel, T5TokenizerFast

POSITIONS = 16  # of the text
SPECIAL = ("<pad>", "</s>", "<unk>")
CORPUS = ["a cat and a rocket in space", "two dogs, one red ball", "the quick brown fox jumps over a lazy dog"] * 4


@functools.cache
def t5_tokenizer() -> T5TokenizerFast:
    """Trained on a few sentences."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=80, special_tokens=[*SPECIAL], unk_token=SPECIAL[2], show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    vocabulary = [tuple(entry) for entry in json.loads(made.to_str())["model"]["vocab"]]
    return T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=POSITIONS)


def flux(seed: int = 0) -> FluxPipeline:
    """FLUX.1: two double blocks, then two single ones; CLIP for the pooled embedding, T5 for the text."""
    torch.manual_seed(seed)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 4, 8),
    )
    with torch.no_grad():  # random where diffusers starts at zero, so that every layer matters
        for parameter in transformer.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    t5 = T5Config(vocab_size=80, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, dropout_rate=0.0)
    pipe = FluxPipeline(
        transformer=transformer.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae(latent_channels=4, shift_factor=0.0609, scaling_factor=1.5035),
        text_encoder=CLIPTextModel(text_config()).eval(),
        tokenizer=tokenizer(),
        text_encoder_2=T5EncoderModel(t5).eval(),
        tokenizer_2=t5_tokenizer(),
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe
