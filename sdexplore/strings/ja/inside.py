"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "attention.self": "セルフアテンション",
    "count.skip.one": "スキップ {n} 本",
    "count.skip.other": "スキップ {n} 本",
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
    "architecture.factor": "縮小率 1/{factor}",
    "architecture.prompt": "プロンプト",
    "architecture.pooled": "プール出力のみ",
    "architecture.width": "幅 {width}",
    "architecture.keys": "キーとバリュー（入力の幅 {width}）",
    "architecture.picture_tokens": "{y} × {x} トークン\n（各 {patch} × {patch}）",
    "architecture.text_tokens": "テキストの\n{words} トークン",
    "architecture.group": "{heads} ヘッド\n幅 {width}",
    "architecture.alt": "{spaces}{denoiser}{attention}{conditioned}",
    "architecture.alt.latents": "{pipeline} の構造。左に画素空間があり、{autoencoder} のエンコーダ E とデコーダ D（"
    "縮小率 1/{factor}）が並ぶ。その隣が潜在空間で、ここにデノイザがある。",
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
    "プロンプトを参照しながら段階的にノイズを取り除き、その結果を D が画像に戻す。",
    "architecture.caption.latents": "{pipeline} がノイズから画像を作る仕組み。潜在空間で {denoiser} が段階的に"
    "ノイズを取り除き、その結果を D が画像に戻す。",
    "architecture.caption.pixels_text": "{pipeline} がプロンプトから画像を作る仕組み。{denoiser} がプロンプトを参照"
    "しながら、画素から段階的にノイズを取り除く。",
    "architecture.caption.pixels": "{pipeline} がノイズから画像を作る仕組み。{denoiser} が画素から段階的にノイズを"
    "取り除く。",
    "unet_comparison.2015": "U-Net（2015 年）",
    "unet_comparison.here": "{pipeline} の\n{unet}",
    "unet_comparison.convolutions": "畳み込みのみ",
    "unet_comparison.attention": "アテンションあり",
    "unet_comparison.block": "{channels} ch\n{grid}",
    "unet_comparison.block_here": "{channels} ch、{grid}",
    "unet_comparison.crop": "切り抜き {sides}",
    "unet_comparison.resnets": "残差 {n}",
    "unet_comparison.self": "セルフ {n}",
    "unet_comparison.cross": "クロス {n}",
    "unet_comparison.alt": "U 字形の図が二つ並び、各行が一つの階層を表す。左は 2015 年の U-Net で {levels_2015} "
    "階層、チャネル数は {first} から {last} まで、スキップは {skips_2015} 本、アテンションはない。右は {unet} で "
    "{levels} 階層、チャネル数は {channels}、スキップは {skips} 本、セルフアテンションは {own} 層、"
    "クロスアテンションは {cross} 層。",
    "unet_comparison.caption": "2015 年の U-Net から残ったものと加わったもの。U 字の形とスキップは残り、残差"
    "ブロックとタイムステップとアテンションが加わった。",
    "tree.rest": "その他",
    "count.line.one": "{n} 行",
    "count.line.other": "{n} 行",
    "tree.title": "{network}: パラメータ {parameters} 個",
    "tree.layers.joint": "ジョイントアテンション {n} 層",
    "tree.layers.cross": "クロスアテンション {n} 層",
    "tree.layers.self": "セルフアテンション {n} 層",
    "tree.no_layer": "アテンション層なし",
    "tree.kind.joint": "ジョイント、{width} 次元 × {heads} ヘッド",
    "tree.kind.cross": "クロス、{width} 次元 × {heads} ヘッド",
    "tree.kind.self": "セルフ、{width} 次元 × {heads} ヘッド",
    "tree.words": "単語",
    "tree.registers": "レジスタと単語",
    "tree.picture": "画像",
    "tree.alt": "{network}（{class_name}）のモジュールを深さ {depth} まで字下げして {lines}に並べ、それぞれに棒を"
    "添えた図。パラメータは合計 {parameters} 個。{layers}。",
    "tree.caption": "{class_name} のパラメータがどこにあり、そのうちどれだけがアテンションかを、データが通る順に示す。",
    "tree.caption.plain": "{class_name} のパラメータがどこにあるかを、データが通る順に示す。",
    "components.title": "{pipeline}: パラメータ {parameters} 個、{size}",
    "components.parameters": "パラメータ",
    "components.kind": "数値形式、デバイス",
    "components.size": "サイズ",
    "components.row.null": "{name} は null",
    "components.row.plain": "{name} は {class_name}",
    "components.row.network": "{name} は {class_name} でパラメータ {parameters} 個、{kind}、{size}",
    "components.facts": "sdx.components の記録（英語）:",
    "components.alt": "{pipeline} の構成要素を一行に一つずつ棒とともに並べた表。{rows}。",
    "components.alt.none": "構成要素のない {pipeline}。",
    "components.caption": "{pipeline} を構成する部品。最も大きいのは {largest}。",
    "components.caption.plain": "{pipeline} を構成する部品。",
    "reconstruction.title": "{model} の {encoder}: {image} → {latents}、{ratio} 対 1、PSNR {psnr} dB",
    "reconstruction.of_255": "誤差（0〜255）",
    "reconstruction.channel": "z チャネル {number}",
    "reconstruction.preview": "線形プレビュー",
    "reconstruction.scale": "デノイザのスケール",
    "reconstruction.left": "（ほかに {number} チャネルは描いていない）",
    "reconstruction.alt": "上段は画像、{encoder} による再構成（PSNR {psnr} dB）、誤差（255 のうち 0 から "
    "{error}）。下段は {grid} の潜在変数 {channels} チャネル（±{reach} の範囲）{left}と線形プレビュー（R² "
    "{r2}）。",
    "reconstruction.caption": "{encoder} が画像を {ratio} 対 1 に圧縮したときに残るものと、デノイザが扱う潜在変数の"
    "姿。",
    "latent_statistics.title": "{model} の {encoder}、{pictures}: scaling_factor {factor}、1 / 標準偏差 {fitted}\n"
    "PSNR {psnr} dB、線形プレビュー R² {r2}",
    "latent_statistics.channel": "チャネル",
    "latent_statistics.std": "標準偏差",
    "latent_statistics.before": "スケール前の z",
    "latent_statistics.normal": "正規分布",
    "latent_statistics.latent": "潜在変数（デノイザのスケール）",
    "latent_statistics.density": "密度",
    "latent_statistics.inside": "{share} が ±5 以内",
    "latent_statistics.alt": "{pictures}の画像について、左は潜在変数 {channels} チャネルごとの二本組の棒、右はその"
    "ヒストグラム。デノイザのスケールでの標準偏差は {stds}。scaling_factor は {factor} で、全チャネルで 1 にする"
    "値は {fitted}。",
    "latent_statistics.caption": "{encoder} の scaling_factor が、潜在変数をデノイザの想定する単位分散にどれだけ"
    "近づけるか。",
    "features.title": "{module} の特徴、ステップ {step}、{role}、{grid}",
    "feature_components.colours": "1、2、3 を RGB に",
    "feature_components.scaled": "それぞれ\n最小から最大まで",
    "feature_components.one": "成分 {number}: {share}",
    "feature_components.bar": "スコア",
    "feature_components.alt.colours": "{prompt}における {module} の特徴（ステップ {step}、{role}）の主な {components}。"
    "{grid} の格子で、最初の三つを赤、緑、青とした一枚と、青から白を経て赤までの一枚ずつ。分散の {shares} "
    "を説明する。",
    "feature_components.alt.alone": "{prompt}における {module} の特徴（ステップ {step}、{role}）の主な {components}。"
    "{grid} の格子で、青から白を経て赤まで一枚ずつ。分散の {shares} を説明する。",
    "feature_components.caption.colours": "{module} の出力が場所によって最も大きく異なる方向。"
    "カラーの図は最初の三つで、それぞれ最小から最大までを使う。同じ色の場所は似た特徴をもつ。",
    "feature_components.caption.alone": "{module} の出力が場所によって最も大きく異なる方向。符号に意味はない。",
    "feature_similarity.alike": "印のセルとの類似度",
    "feature_similarity.cells": "セルごとのコサイン",
    "feature_similarity.bar": "コサイン類似度",
    "feature_similarity.alt.over": "画像、それに重ねた類似度、{grid} のセルのマップ。{size} のうち画素 {pixel} "
    "のセルに枠がある。{prompt}における {module} の特徴（ステップ {step}、{role}）。コサインが 0.5 を超えるセルは "
    "{alike}、最小は {least}。",
    "feature_similarity.alt.bare": "{grid} のセルのマップで、{size} のうち画素 {pixel} のセルに枠がある。"
    "{prompt}における {module} の特徴（ステップ {step}、{role}）。コサインが 0.5 を超えるセルは {alike}、最小は "
    "{least}。",
    "feature_similarity.caption": "{module} が印の場所と似た特徴を与える場所はどこか。赤は似た特徴、青は逆の特徴。",
    "activation_statistics.title": "{modules}の出力、ステップ {step}、{role}",
    "activation_statistics.first": "最初に有限でなくなるモジュール: {module}",
    "activation_statistics.magnitude": "絶対値の最大",
    "activation_statistics.deviation": "標準偏差",
    "activation_statistics.size": "出力の大きさ",
    "activation_statistics.bad": "有限でないモジュールが {bad} 個あり、最初は {module}",
    "activation_statistics.finite": "すべて有限",
    "activation_statistics.alt": "{prompt}の {modules}（ステップ {step}、{role}）を終わる順に並べ、"
    "対数軸に点を二つずつ示した図。絶対値の最大と標準偏差。最も大きいのは {module} の {largest}。{verdict}。",
    "activation_statistics.caption": "デノイザを進む間に各モジュールの出力がどれだけ大きくなるか。破線より上は "
    "float16 では表せない。判定: {verdict}。",
}
