"""What views of studies, calibrations and benchmarks say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "calibration.measured": "{model} の較正、手法 {method}、シーン {scenes} 枚、シード {seed}",
    "calibration.score.pointing": "マップの最大値がマスクの中にある単語の割合",
    "calibration.score.iou_at_area": "マスクと、同じ数だけ選んだマップの上位の画素との重なり（IoU）",
    "calibration.score.iou_high": "マスクと、マップが値域の 0.4 を超える場所との重なり",
    "calibration.score.inside": "マップ全体のうちマスクの中にある割合",
    "calibration.score.in_map": "変化のうち、単語のアテンションマップの上位（マスクと同じ面積）にある割合",
    "calibration.kind.object": "物体",
    "calibration.kind.background": "背景",
    "calibration.own": "その単語のマップ",
    "calibration.caused": "単語を除いたとき",
    "calibration.other": "別の単語のマップ",
    "calibration.centre": "画像の中心",
    "calibration.chance": "偶然",
    "calibration.all_layers": "全層",
    "calibration.side": "一辺 {side}",
    "calibration.timesteps": "t（学習時のタイムステップ）",
    "calibration.layers": "層",
    "calibration.found": "{kind}、{layers}、t {timestep}: {interval}（偶然なら {chance}）",
    "calibration.alt.timesteps": "{measured}。{score}（{meaning}）を 0 から 1 まで、タイムステップに対して 95 "
    "% 区間とともに示す。{scores}。",
    "calibration.alt.layers": "{measured}。{score}（{meaning}）を 0 から 1 まで、層ごとに 95 % "
    "区間とともに示す。{scores}。",
    "calibration.caption.timesteps": "正解のわかっている画像で、マップが単語をどれほど正しく指すか。偶然、"
    "画像の中心、別の単語のマップと比べる。",
    "calibration.caption.layers": "正解のわかっている画像で、どの層が単語を正しく指すか。偶然、画像の中心、"
    "別の単語のマップと比べる。",
    "benchmark.share": "秒数の比（あり / なし）",
    "benchmark.over.steps": "ノイズ除去のステップ数",
    "benchmark.over.side": "画像の一辺の画素数",
    "benchmark.over.layers": "読み取る層の数",
    "benchmark.found": "「{subject}」は{over}に対して {first} から {last}",
    "benchmark.title": "トレースのコスト: {machine}",
    "benchmark.alt": "トレースありの実行の秒数をなしの秒数で割った曲線のパネルが横に並び、1（コストなし）と "
    "1.05 に線がある。中央値は、{shares}。",
    "benchmark.caption": "実行を記録しながら進めるコストが、作業量とともにどう変わるか。計測した環境は {machine}。",
    "study.left": "数値のない {runs}を除外",
    "study.title": "スタディ {study}: {counted}",
    "study.alt.left": "{alt}{left}。",
    "study_distribution.drawn": "平均と 95 % 区間（{clusters} ごとのブートストラップ）",
    "study_distribution.alone": "平均と 95 % 区間（{clusters} ごとのブートストラップ）。"
    "棒のないものはクラスタが一つだけ",
    "study_distribution.alt": "スタディ {study}（{runs}）の {column} を縦軸に、{over} "
    "の値ごとに一列の点が並ぶ。点は一回の実行。{clusters} ごとのブートストラップによる平均と 95 % 区間は、"
    "{means}。",
    "study_distribution.caption": "{column} が {over} とともにどう変わるか。点は一回の実行。"
    "二つの平均の区間が離れていれば、その差は {clusters} の違いだけでは説明できない。",
    "study_pairs.alone": "相手のない {runs}を除外",
    "study_pairs.what": "{over} {second} の {column} から {first} の値を引いた差",
    "study_pairs.pairs": "組の数",
    "study_pairs.mean": "差の平均 {mean}",
    "study_pairs.interval": "95 % 区間（{clusters} ごとのブートストラップ）",
    "study_pairs.alt": "スタディ {study}（{pairs}）の {what}のヒストグラム。平均は {mean} で線、{clusters} "
    "ごとのブートストラップによる 95 % 区間は帯で示す。0 より大きいものは {above}。",
    "study_pairs.caption": "{over} だけが {column} をどう変えるか。組の二つの実行は、ほかのすべてが同じである。",
    "study_pictures.several": "同じ升の複数の実行のうち最初のもの",
    "study_pictures.title": "スタディ {study}: {rows} × {columns}",
    "study_pictures.alt": "スタディ {study} の画像 {pictures}が格子状に並ぶ。縦に {rows}（{down}）、横に "
    "{columns}（{across}）。",
    "study_pictures.caption": "横に見て変わらないものは {rows} が決め、縦に見て変わらないものは {columns} "
    "が決めている。",
    "study_ends.title": "スタディ {study}: {runs}における {column} の両端",
    "study_ends.lowest": "最小",
    "study_ends.highest": "最大",
    "study_ends.alt": "スタディ {study}（{runs}）の画像が二段に並ぶ。上段は {column} "
    "が最も小さいもの（{lowest}）、下段は最も大きいもの（{highest}）。",
    "study_ends.caption": "{column} が最も小さい実行と最も大きい実行。この値が何を測るかを、典型ではなく両端で見る。",
    "study_pictures.alt.several": "{alt}同じ升に複数の実行がある場合は最初のものを描く。",
}
