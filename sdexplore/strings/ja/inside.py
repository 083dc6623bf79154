"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "kind.joint": "結合アテンション",
    "kind.self": "セルフアテンション",
    "kind.cross": "クロスアテンション",
    "count.block.one": "{n} ブロック",
    "count.block.other": "{n} ブロック",
    "architecture.title": "{pipeline}: {denoiser}、パラメータ {parameters} 個",
    "architecture.pixels": "画素空間",
    "architecture.pixels_alone": "画素空間（オートエンコーダなし）",
    "architecture.latents": "潜在空間",
    "architecture.conditioning": "条件付け",
    "architecture.residual": "残差ブロック（t を入力）",
    "architecture.skips": "スキップ接続",
    "architecture.feed_forward": "フィードフォワード層",
    "architecture.diffusion": "拡散過程、{timesteps} タイムステップ",
    "architecture.from_noise": "サンプリングはノイズから始まる",
    "architecture.last_step": "最後のステップの後",
    "architecture.factor": "縮小率 {factor}",
    "architecture.prompt": "プロンプト",
    "architecture.pooled": "プールベクトルのみ",
    "architecture.width": "幅 {width}",
    "architecture.keys": "幅 {width} からのキーとバリュー",
    "architecture.picture_tokens": "{y} × {x} トークン\n（各 {patch} × {patch}）",
    "architecture.text_tokens": "テキストの\n{words} トークン",
    "architecture.group": "{heads} ヘッド\n幅 {width}",
    "architecture.alt": "{spaces}{denoiser}{attention}{conditioned}",
    "architecture.alt.latents": "{pipeline} の構造。左に画素空間があり、{autoencoder} のエンコーダ E とデコーダ D"
    "（縮小率 {factor}）が並ぶ。その隣が潜在空間で、ここにデノイザがある。",
    "architecture.alt.pixels": "{pipeline} の構造。オートエンコーダはなく、デノイザは画素を直接扱う。",
    "architecture.alt.unet": "{unet} は箱を U 字に並べた {levels} 階層で、チャネル数は {channels}。",
    "architecture.alt.transformer": "{transformer} は幅 {width} の画像トークンを {y} × {x} 個もつ。",
    "architecture.alt.crosses": "クロスアテンションは {blocks} にある。",
    "architecture.alt.no_cross": "クロスアテンションはない。",
    "architecture.alt.group": "{name} の {blocks}（{attention}）",
    "architecture.alt.groups": "左から順に {groups}。",
    "architecture.alt.reader": "幅 {width} の {name}",
    "architecture.alt.conditioned": "右はテキストエンコーダで、{readers}。",
    "architecture.alt.unconditional": "プロンプトにあたるものはなく、無条件のモデルである。",
    "architecture.caption.latents_text": "{pipeline} がプロンプトから画像を作る仕組み。潜在空間で {denoiser} が"
    "プロンプトを参照しながらノイズの予測を繰り返し、残ったものを D が画像に戻す。",
    "architecture.caption.latents": "{pipeline} がノイズから画像を作る仕組み。潜在空間で {denoiser} がノイズの予測を"
    "繰り返し、残ったものを D が画像に戻す。",
    "architecture.caption.pixels_text": "{pipeline} がプロンプトから画像を作る仕組み。{denoiser} がプロンプトを参照"
    "しながら、画素に残るノイズの予測を繰り返す。",
    "architecture.caption.pixels": "{pipeline} がノイズから画像を作る仕組み。{denoiser} が、画素に残るノイズの予測を"
    "繰り返す。",
}
