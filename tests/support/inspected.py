"""Records of a loaded pipeline, made by hand."""

from sdexplore.records.components import Component, Components
from sdexplore.records.tree import AttentionLayer, ModuleNode, ModuleTree


def sample_components():
    entries = {
        "unet": Component("unet", "UNet", "diffusers", 1_000, ("float16",), ("cpu",), 2_048),
        "tokenizer": Component("tokenizer", "CLIPTokenizer", "transformers"),
        "safety_checker": Component("safety_checker"),
    }
    return Components("StableDiffusionPipeline", entries, {"guidance": "not run yet"})


def sample_tree(depth=1):
    attention = AttentionLayer("mid.0.attn2", "cross", 8, 40, 768, (9, 7))
    leaf = ModuleNode("mid.0.attn2", "Attention", 30, (1, 63, 320), attention)
    inner = ModuleNode("mid.0", "Block", 5, children=(leaf,))
    mid = ModuleNode("mid", "ModuleList", children=(inner,))
    again = ModuleNode("again", "ModuleList", shared_with="mid")
    return ModuleTree("unet", ModuleNode("", "UNet", 7, None, children=(mid, again)), depth, "a note")
