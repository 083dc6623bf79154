"""What views of a model's parts say: architecture, components, trees, features."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
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
