"""What views of runs say: their steps, guidance, schedules, and several runs side by side."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "denoising.x_t": "x_t",
    "denoising.x0": "x0 の予測",
    "denoising.alt": "{prompt} の{way}。全 {of} ステップのうちステップ {steps} の画像が二段に並ぶ。"
    "上段は潜在変数、下段は x0 の予測。{drawn_by}",
    "denoising.not_decoded": "VAE でデコードしていないもの: {pictures}。",
    "denoising.caption.run": "{steps}でノイズが画像になる。x0 の予測は、行き着く先を早くから示している。",
    "denoising.caption.look": "ノイズを加えた画像からデノイザが何を見て、元の画像をどう予測するか。",
    "denoising.caption.invert": "{steps}で、画像が元のノイズへ戻っていく。",
}
