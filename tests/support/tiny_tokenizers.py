"""Small stand-ins of tokenizers that need no download: a T5's, a Qwen's, a Gemma's and a BERT's."""

import functools
import json

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import BertTokenizerFast, GemmaTokenizerFast, Qwen2TokenizerFast, T5TokenizerFast

POSITIONS = 16  # of T5's text, as its tokenizer says
SPECIAL = ("<pad>", "</s>", "<unk>")
CORPUS = ["a cat and a rocket in space", "two dogs, one red ball", "the quick brown fox jumps over a lazy dog"] * 4
PIECES = ("▁", "▁a", "▁b", "▁dog", "▁o", "▁r", "▁t", "ck", "ro")  # "▁" stands for a space
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{{ c['text'] }}{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@functools.cache
def t5_tokenizer() -> T5TokenizerFast:
    """Letters and a few pieces, all as likely; `UnigramTrainer` would number them anew in each process."""
    vocabulary = [*((piece, 0.0) for piece in SPECIAL), *((piece, -4.0) for piece in (*LETTERS, ",", *PIECES))]
    return T5TokenizerFast(vocab=vocabulary, extra_ids=0, model_max_length=POSITIONS)


@functools.cache
def qwen_tokenizer() -> Qwen2TokenizerFast:
    """Pieces of bytes, and a chat template."""
    made, specials = Tokenizer(models.BPE()), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=alphabet, special_tokens=specials, show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    said = json.loads(made.to_str())["model"]
    tokenizer = Qwen2TokenizerFast(
        vocab=said["vocab"],
        merges=[tuple(one) for one in said["merges"]],
        eos_token=specials[2],
        pad_token=specials[0],
        additional_special_tokens=[specials[1]],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


@functools.cache
def gemma_tokenizer() -> GemmaTokenizerFast:
    """Pieces with "▁" in a space's place; it puts nothing before or behind a text."""
    made = Tokenizer(models.BPE(byte_fallback=False, unk_token="<unk>"))  # noqa: S106
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    made.decoder = decoders.Replace("▁", " ")
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    made.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=200, special_tokens=specials, show_progress=False))
    said = json.loads(made.to_str())["model"]
    return GemmaTokenizerFast(vocab=said["vocab"], merges=[tuple(one) for one in said["merges"]])


@functools.cache
def bert_tokenizer() -> BertTokenizerFast:
    """Whole words of the corpus, and letters."""
    words = sorted({word for line in CORPUS for word in line.replace(",", " ").split()} | {*LETTERS})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *(f"##{letter}" for letter in LETTERS), ",", "."]
    return BertTokenizerFast(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=77)
