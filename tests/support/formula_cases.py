"""One table of cases for the formulas that exist in Python and in JavaScript: inputs, and what Python computes of them.

`tests/browser/test_formula_cases.py` holds the file against Python, `tests/browser/js/formulas.test.mjs` holds the
JavaScript against the file. After a formula changed on purpose: `python tests/support/formula_cases.py`.
"""

import base64
import dataclasses
import json
import math
from pathlib import Path

import matplotlib as mpl
import numpy as np
import synthetic
from packing_cases import packing_cases

from sdexplore.analysis.attention import most_striking, word_map
from sdexplore.analysis.attention_mass import attention_mass
from sdexplore.analysis.features import feature_similarity
from sdexplore.analysis.region import region_weights, region_words
from sdexplore.analysis.resizing import resized
from sdexplore.analysis.selection import words_of
from sdexplore.base.display import counted
from sdexplore.browser.explorer_strings import explorer_strings
from sdexplore.browser.packing import pack
from sdexplore.text.tokenization import Tokenizations
from sdexplore.text.words import fold

TABLE = Path(__file__).parents[1] / "browser" / "cases" / "formulas.json"
GRIDS = (
    ((1, 1), (1, 1)),
    ((1, 1), (3, 4)),
    ((3, 2), (1, 1)),
    ((1, 5), (4, 2)),
    ((2, 3), (8, 12)),
    ((8, 12), (3, 5)),
    ((7, 5), (7, 5)),
    ((5, 4), (5, 9)),
)
BOXES = (  # size of the picture, grid, boxes
    ((12, 8), (3, 2), ((0, 0, 8, 12), (1, 2, 7, 9), (3, 5, 4, 6), (0, 0, 4, 4))),
    ((10, 7), (3, 2), ((0, 0, 7, 10), (2, 3, 6, 4), (6, 9, 7, 10))),
    ((2, 3), (4, 9), ((0, 0, 1, 2), (1, 1, 3, 2))),
    ((5, 5), (1, 1), ((0, 0, 5, 5), (1, 1, 2, 3))),
)
NUMBERS = (0.0, 1e-4, 0.000123456, 0.00999, 0.09996, 0.1, 0.25, 1 / 3, 0.9995, 1.0, 2.345, 14.6, 99.95, 700.0, 999.4)
COUNTS = (0, 1, 2, 77)
TEXTS = (  # texts that are the same, and others
    ("Cat", "cAT", "cat "),
    ("straße", "STRASSE", "STRAẞE"),
    ("ΟΔΟΣ", "οδος", "οδοσ"),
    ("cafe\u0301", "CAFÉ", "café"),
    ("two  words", "two\twords", "Two words"),
    ("\u0131s\u0131", "\u0131s\u0131"),
    ("isi", "ISI"),
    ("İ", "i\u0307"),
    ("قطة", "قطة"),
    ("猫", "猫"),
    ("🐱", "🐱"),
)
RANKED = ((), (0.2,), (0.1, 0.3, 0.2), (0.5, 0.5, 0.7, 0.5), (0.0, 0.0), (1e-9, 0.0, 1e-9))
TEMPLATES = (  # of strings, with their fields
    ("no field", {}),
    ("{layers} of {layers} at {step}", {"layers": "2 layers", "step": 3}),
    ("「{word}」、{role}", {"word": "{role} $& $1", "role": "cond"}),
    ("{a}{b_1}", {"a": "", "b_1": "\\n"}),
)
SEVERAL = "a cat and a Cat and a rocketship"
HIGH, WIDE = 12, 8
FEATURED = (("mid_block", (3, 2), 4), ("up_blocks.1", (6, 4), 5))


def cases():
    """The table: for each formula, its cases."""
    return {
        "strings": explorer_strings(),
        "templates": [
            {"template": template, "fields": fields, "text": template.format_map(fields)}
            for template, fields in TEMPLATES
        ],
        "resizing": [resizing(*grids, seed) for seed, grids in enumerate(GRIDS)],
        "region weights": [weights(*case, box) for *case, boxes in BOXES for box in boxes],
        "three digits": [{"value": number, "text": f"{number:.3g}"} for number in NUMBERS],
        "counts": [{"number": number, "text": counted(number, "step")} for number in COUNTS],
        "ranking": [{"values": values, "order": by_value(values)} for values in RANKED],
        "folding": [
            {"one": one, "other": other, "same": fold(one) == fold(other)}
            for i, alike in enumerate(TEXTS)
            for other in (*alike, *[later[0] for later in TEXTS[i + 1 :]])
            for one in alike[:1]
        ],
        "viridis": np.rint(255 * mpl.colormaps["viridis"](np.arange(256))[:, :3]).astype(int).tolist(),
        **packing_cases(),
        "likeness": {"two modules": alike(featured())},
        "traces": {name: explored(made) for name, made in traces().items()},
    }


def by_value(values):
    """Places, the largest value first, equal ones as they stand: `region_words` sorts like this."""
    return sorted(range(len(values)), key=lambda place: -values[place])


def resizing(old, new, seed):
    """Random values on one grid, brought to another."""
    values = np.random.default_rng(seed).random(old).astype(np.float32)
    return {"from": old, "to": new, "values": values.ravel(), "expected": resized(values, new).ravel()}


def weights(size, grid, box):
    """How much of each cell of a grid lies in a box of the picture."""
    made = synthetic.trace(image=np.zeros((*size, 3), np.uint8), decoded={}, decoded_x0={})
    return {"size": size, "grid": grid, "box": box, "weights": region_weights(made, box, grid).ravel()}


def small(grid, layers, **new):
    """A trace of a small latent grid whose layers have the grids, or the attention, given."""
    made = {
        f"down_blocks.{i}.attentions.0.transformer_blocks.0.attn2": layer
        if not isinstance(layer, tuple)
        else synthetic.attention(layer, seed=i, columns="all")
        for i, layer in enumerate(layers)
    }
    rng = np.random.default_rng(3)
    latents = rng.normal(size=(synthetic.STEPS + 1, synthetic.CHANNELS, *grid)).astype(np.float32)
    image = rng.integers(0, 256, (HIGH, WIDE, 3), np.uint8)
    return synthetic.trace(
        **{
            "latents": latents,
            "noise_preds": {"uncond": latents[1:], "cond": latents[:-1]},
            "noise_pred": latents[1:],
            "pred_original_sample": latents[1:],
            "cross_attention": {"cond": made},
            "decoded": {},
            "decoded_x0": {},
            "image": image,
        }
        | new
    )


def traces():
    """Traces with what is rare: one pixel, other steps in some layers, equal words, ties, words without attention."""
    uniform = synthetic.attention((3, 2), columns="all")
    even = dataclasses.replace(uniform, probs=np.full_like(uniform.probs, 1 / synthetic.LENGTH))
    unseen = uniform.probs.copy()
    unseen[..., 5] = 0  # "rocket", of "rocketship"
    unseen[..., 6] = 0
    seldom = synthetic.attention((3, 2), seed=7, columns="all")
    seldom = dataclasses.replace(seldom, probs=seldom.probs[:3], steps=(0, 0, 4))
    return {
        "up, down and not square": small((3, 2), [(3, 2), (1, 2), (5, 3), (2, 2)]),
        "one pixel": small((1, 1), [(1, 1), (2, 2)]),
        "layers of other steps": small((3, 2), [(3, 2), seldom]),
        "all words tie": small((3, 2), [even, even]),
        "a word without attention": small((3, 2), [dataclasses.replace(uniform, probs=unseen)]),
        "equal words": small(
            (3, 2),
            [(3, 2)],
            prompt=SEVERAL,
            tokens={"cond": Tokenizations({"tokenizer": synthetic.tokenization(SEVERAL)})},
        ),
        "tokenizers that part": small(
            (3, 2),
            [dataclasses.replace(uniform, tokenizer=None, tokenizers=(("tokenizer", 0), ("tokenizer_2", 0)))],
            tokens={
                "cond": Tokenizations(
                    {
                        "tokenizer": synthetic.tokenization("a cat"),
                        "tokenizer_2": synthetic.tokenization("the Cat and a rocketship", tokenizer="tokenizer_2"),
                    }
                )
            },
        ),
        "no prompt": small((3, 2), [(3, 2)], tokens={}),
    }


def featured():
    """A trace with features of two modules, one of them at two steps only."""
    made = {name: synthetic.features(grid, seed=seed) for name, grid, seed in FEATURED}
    mid = made["mid_block"]
    made["mid_block"] = dataclasses.replace(mid, values=mid.values[[1, 3]], steps=(1, 3))
    return small((3, 2), [(3, 2)], features={"cond": made})


def alike(trace):
    """A packed trace with features, and the cosines that Python says of each step and of some pixels."""
    packed = pack(trace)
    found = [
        {
            "module": module["name"],
            "step": step["step"],
            "pixel": pixel,
            "cosines": feature_similarity(trace, pixel, module["name"], step=step["step"]).values.ravel(),
        }
        for module in packed.facts["features"]["modules"]
        for step in module["steps"]
        for pixel in ((0, 0), (5, 3), (HIGH - 1, WIDE - 1))
    ]
    return {"facts": packed.facts, "data": base64.b64encode(packed.data).decode("ascii"), "found": found}


def explored(trace):
    """A packed trace, and what Python says of it."""
    packed = pack(trace)
    facts = packed.facts["roles"][0]
    words = [entry["text"] for entry in facts["entries"] if entry["kind"] == "word"]
    sides = sorted({max(group["grid"]) for group in facts["groups"]})
    maps = [
        {
            "step": step,
            "layers": side,
            "maps": [word_map(trace, asked(entry), steps=step, layers=side).ravel() for entry in facts["entries"]],
        }
        for step in (None, 0, 4)
        for side in (None, *sides)
    ]
    boxes = ((0, 0, WIDE, HIGH), (1, 2, 7, 9), (0, 0, 4, 4))
    found: dict = {"facts": packed.facts, "data": base64.b64encode(packed.data).decode("ascii"), "maps": maps}
    if words:
        found["words"] = list(words_of(trace, "cond", None))
        found["striking"] = most_striking(trace, words)
        found["regions"] = [{"box": box, **dataclasses.asdict(region_words(trace, box, words))} for box in boxes]
        found["shares"] = attention_mass(trace).mean if len(facts["groups"]) == 1 else None
    return found


def asked(entry):
    """How Python is asked for an entry's map."""
    return entry["text"] if entry["kind"] == "word" else entry["positions"]


def plain(value):
    """As JSON has it: arrays as lists of seven digits, what is no number as null."""
    match value:
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case np.ndarray():
            return [float(f"{number:.7g}") for number in value.tolist()]
        case float():
            return value if math.isfinite(value) else None
    return value


if __name__ == "__main__":
    TABLE.parent.mkdir(exist_ok=True)
    lines = [
        f"{json.dumps(name)}: {json.dumps(found, ensure_ascii=False, allow_nan=False)}"
        for name, found in plain(cases()).items()
    ]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
