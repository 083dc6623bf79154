"""Tiny random pipelines of diffusion transformers beside SD 3 and FLUX.1, from the real classes, without a download."""

from typing import Any

import diffusers as df
import torch
import transformers as tf
from tiny_pipelines import vae
from tiny_tokenizers import bert_tokenizer, gemma_tokenizer, qwen_tokenizer, t5_tokenizer
from tiny_transformers import lively, t5

WORDS = 500  # of the stand-ins' vocabularies, at most


def quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def flow(**options: Any) -> df.FlowMatchEulerDiscreteScheduler:
    return df.FlowMatchEulerDiscreteScheduler(**options)


def small_vae(**options: Any) -> df.AutoencoderKL:
    return vae(latent_channels=4, **{"shift_factor": 0.0609, "scaling_factor": 1.5035, **options})


def made(cls: Any, **options: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return lively(cls(**options))


def pixart() -> df.PixArtSigmaPipeline:
    transformer = made(
        df.PixArtTransformer2DModel,
        sample_size=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=3,
        caption_channels=32,
        in_channels=4,
        cross_attention_dim=24,
        out_channels=8,
        attention_bias=True,
        norm_type="ada_norm_single",
        norm_elementwise_affine=False,
        use_additional_conditions=False,
    )
    return quiet(
        df.PixArtSigmaPipeline(
            transformer=transformer,
            vae=small_vae(shift_factor=None),
            scheduler=df.DPMSolverMultistepScheduler(),
            text_encoder=t5(),
            tokenizer=t5_tokenizer(),
        )
    )


def gemma() -> tf.Gemma2Model:
    torch.manual_seed(4)
    config = tf.Gemma2Config(
        head_dim=8,
        hidden_size=16,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        num_key_value_heads=2,
        vocab_size=WORDS,
        attn_implementation="eager",
    )
    return tf.Gemma2Model(config).eval()


def sana() -> df.SanaPipeline:
    transformer = made(
        df.SanaTransformer2DModel,
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=8,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=16,
        sample_size=8,
    )
    torch.manual_seed(1)
    deep = df.AutoencoderDC(
        in_channels=3,
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock",) * 4,
        decoder_block_types=("ResBlock",) * 4,
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        encoder_qkv_multiscales=((),) * 4,
        decoder_qkv_multiscales=((),) * 4,
        encoder_layers_per_block=(1,) * 4,
        decoder_layers_per_block=(1,) * 4,
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.41407,
    )
    pipe = df.SanaPipeline(
        transformer=transformer,
        vae=deep.eval(),
        scheduler=flow(shift=3.0),
        text_encoder=gemma(),
        tokenizer=gemma_tokenizer(),
    )
    return quiet(pipe)


def lumina2() -> df.Lumina2Pipeline:
    transformer = made(
        df.Lumina2Transformer2DModel,
        sample_size=4,
        patch_size=2,
        in_channels=4,
        hidden_size=32,
        num_layers=2,
        num_refiner_layers=1,
        num_attention_heads=4,
        num_kv_heads=2,
        multiple_of=16,
        axes_dim_rope=(4, 2, 2),
        axes_lens=(300, 64, 64),
        cap_feat_dim=16,
    )
    return quiet(
        df.Lumina2Pipeline(
            transformer=transformer,
            vae=small_vae(),
            scheduler=flow(shift=3.0),
            text_encoder=gemma(),
            tokenizer=gemma_tokenizer(),
        )
    )


def qwenimage() -> df.QwenImagePipeline:
    transformer = made(
        df.QwenImageTransformer2DModel,
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=3,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )
    torch.manual_seed(1)
    video = df.AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=4,
        dim_mult=[1, 2, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1] * 4,
        latents_std=[1.5] * 4,
    )
    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": WORDS,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "rope_theta": 1e6,
    }
    sight = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    special = ("image", "video", "vision_start", "vision_end")
    ids = {f"{name}_token_id": 490 + number for number, name in enumerate(special)}
    config = tf.Qwen2_5_VLConfig(text_config=text, vision_config=sight, hidden_size=16, vocab_size=WORDS, **ids)
    shift = {"base_shift": 0.5, "max_shift": 0.9, "max_image_seq_len": 8192, "shift_terminal": 0.02}
    pipe = df.QwenImagePipeline(
        transformer=transformer,
        vae=video.eval(),
        scheduler=flow(use_dynamic_shifting=True, time_shift_type="exponential", **shift),
        text_encoder=tf.Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=qwen_tokenizer(),
    )
    return quiet(pipe)


def qwen3(cls: Any) -> Any:
    torch.manual_seed(4)
    config = tf.Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=WORDS,
        max_position_embeddings=600,
    )
    return cls(config).eval()


def zimage() -> df.ZImagePipeline:
    transformer = made(
        df.ZImageTransformer2DModel,
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[256, 32, 32],
    )
    return quiet(
        df.ZImagePipeline(
            transformer=transformer,
            vae=small_vae(),
            scheduler=flow(shift=3.0),
            text_encoder=qwen3(tf.Qwen3Model),
            tokenizer=qwen_tokenizer(),
        )
    )


def flux2() -> df.Flux2KleinPipeline:
    transformer = made(
        df.Flux2Transformer2DModel,
        patch_size=1,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        timestep_guidance_channels=256,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    torch.manual_seed(1)
    normed = df.AutoencoderKLFlux2(
        sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8,) * 4,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    with torch.no_grad():
        normed.bn.running_var.fill_(1.7)
        normed.bn.running_mean.fill_(0.2)
    pipe = df.Flux2KleinPipeline(
        transformer=transformer,
        vae=normed.eval(),
        scheduler=flow(use_dynamic_shifting=True),
        text_encoder=qwen3(tf.Qwen3ForCausalLM),
        tokenizer=qwen_tokenizer(),
    )
    return quiet(pipe)


def hunyuandit() -> df.HunyuanDiTPipeline:
    transformer = made(
        df.HunyuanDiT2DModel,
        sample_size=8,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        in_channels=4,
        cross_attention_dim=32,
        cross_attention_dim_t5=32,
        pooled_projection_dim=16,
        hidden_size=24,
        activation_fn="gelu-approximate",
    )
    torch.manual_seed(2)
    config = tf.BertConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37
    )
    pipe = df.HunyuanDiTPipeline(
        transformer=transformer,
        vae=small_vae(shift_factor=None),
        scheduler=df.DDPMScheduler(prediction_type="v_prediction", beta_schedule="scaled_linear"),
        text_encoder=tf.BertModel(config).eval(),
        tokenizer=bert_tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=t5_tokenizer(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return quiet(pipe)


def auraflow() -> df.AuraFlowPipeline:
    transformer = made(
        df.AuraFlowTransformer2DModel,
        sample_size=8,
        patch_size=2,
        in_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=32,
        out_channels=4,
        pos_embed_max_size=256,
    )
    torch.manual_seed(3)
    config = tf.UMT5Config(vocab_size=80, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4, dropout_rate=0.0)
    pipe = df.AuraFlowPipeline(
        transformer=transformer,
        vae=small_vae(shift_factor=None),
        scheduler=flow(shift=1.73),
        text_encoder=tf.UMT5EncoderModel(config).eval(),
        tokenizer=t5_tokenizer(),
    )
    return quiet(pipe)


def chroma() -> df.ChromaPipeline:
    transformer = made(
        df.ChromaTransformer2DModel,
        patch_size=1,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    pipe = df.ChromaPipeline(
        transformer=transformer,
        vae=small_vae(),
        scheduler=flow(use_beta_sigmas=False),
        text_encoder=t5(),
        tokenizer=t5_tokenizer(),
    )
    return quiet(pipe)
