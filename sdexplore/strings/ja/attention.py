"""What views of attention, regions and heads say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "attention.bar.mean": "アテンション確率",
    "attention.bar.method": "{method} のスコア",
    "attention.bar.words": "単語が画素に向ける確率",
    "attention.range": "0〜{top}",
    "attention.scale.shared": "共通の尺度 {low}〜{top}",
    "attention.scale.each": "尺度はそれぞれ別",
    "attention.over.mean": "{selection}",
    "attention.over.method": "手法 {method}、{selection}",
    "attention.over.words": "単語が画像を見る向き: {selection}",
    "attention.maps.mean": "{words} への{attention}",
    "attention.maps.method": "{words} への{attention}",
    "attention.maps.words": "{words} から画像へのアテンション（{attention}）",
    "attention.alt.over": "{maps}のヒートマップ（{selection}、{scale}）。単語ごとに一列で、上段は画像に重ねたもの、"
    "下段はマップのみ。{peaks}。",
    "attention.alt.bare": "{maps}のヒートマップ（{selection}、{scale}）。単語ごとに一枚ずつ並ぶ。{peaks}。",
    "attention.caption.mean": "{words} への{attention}がどこに向いているか。モデルがどこを見ているかであり、"
    "画像がそうなった理由ではない。",
    "attention.caption.method": "{method} の式による {words} への{attention}。層とヘッドのまとめ方も、"
    "スコアの尺度も独自である。",
    "attention.caption.words": "単語（{words}）が画像のどこをどれだけ見ているか。画像が単語を見る向きではない。",
    "attention_compare.difference": "差",
    "attention_compare.alt": "単語（{words}）ごとに一列、三段のヒートマップ。a（{a}）と "
    "b（{b}）の{attention}は共通の尺度 0〜{top}、その下は b から a を引いた差で、−{reach} の青から {reach} の赤まで。"
    "平均の変化: {means}。",
    "attention_compare.caption": "同じ単語への{attention}が二つの実行でどこに向き、どう違うか。最下段が赤い場所では "
    "b の方が多く見て、青い場所では少なく見ている。",
    "attention_layers.title": "「{word}」: {selection}",
    "attention_layers.mean": "平均",
    "attention_layers.head": "ヘッド {head}",
    "attention_layers.beside": "比較用の画像が最初にある。",
    "attention_layers.alt.layers": "{layers}における {word} への{attention}のヒートマップ（{scale}）。層ごとに一枚、"
    "それぞれの格子で、ネットワークの順に並ぶ。{picture}最も明るいのは {brightest} で、{peak}。",
    "attention_layers.alt.heads": "{layers}における {word} への{attention}をヘッドごとに示すヒートマップ（{scale}）。"
    "層ごとに一行、それぞれの格子で、ネットワークの順に並び、各行の先頭はヘッドにわたる平均。{picture}"
    "平均が最も明るいのは {brightest} で、{peak}。",
    "attention_layers.caption.shared": "ネットワークの順に、各層が{word}をどこに見ているか。"
    "層にわたる平均に現れるのは、明るい層が見ているものである。",
    "attention_layers.caption.each": "ネットワークの順に、弱い層も含めて各層が{word}をどこに見ているか。"
    "明るさはパネルの間で比べられない。",
    "attention_mass.start": "開始",
    "attention_mass.words": "単語",
    "attention_mass.end": "終了",
    "attention_mass.padding": "パディング",
    "attention_mass.rest": "その他",
    "attention_mass.percent": "{kind} %",
    "attention_mass.no_bar": "{share}（棒なし）",
    "attention_mass.by.layer": "アテンションの割合\n（層ごと）",
    "attention_mass.by.step": "アテンションの割合\n（ステップごと）",
    "attention_mass.extremes": "単語の割合は {most} で最も高く（{high}）、{least} で最も低い（{low}）。",
    "attention_mass.alt": "{prompt}で{attention}（{role}）がどこに向かったかを示す積み上げ棒グラフ。上段は層ごと、"
    "下段はステップごと。全体では {shares}。{extremes}",
    "attention_mass.caption.number": "{attention}全体の {share} は{most}に向かい（棒は省いた）、"
    "プロンプトの単語に向かうのは {words} である。",
    "attention_mass.caption.all": "{attention}の多くはプロンプトの単語に向かう: {words}。",
    "attention_steps.title.all": "「{word}」: {selection}",
    "attention_steps.title.one": "「{word}」（出現 {occurrence}）: {selection}",
    "attention_steps.maps": "アテンション",
    "attention_steps.bar": "確率",
    "attention_steps.predicted": "x0 の予測\n{how}",
    "attention_steps.decoded": "デコード",
    "attention_steps.alt.predicted": "全 {of} ステップのうちステップ {steps} における {word} "
    "への{attention}のヒートマップ（共通の尺度 0〜{top}）。上段は各ステップが予測する画像（{how}）。最大はステップ "
    "{first} で{at_first}、ステップ {last} で{at_last}。",
    "attention_steps.alt.bare": "全 {of} ステップのうちステップ {steps} における {word} "
    "への{attention}のヒートマップ（共通の尺度 0〜{top}）。最大はステップ {first} で{at_first}、ステップ {last} "
    "で{at_last}。",
    "attention_steps.caption": "画像ができていく間に、{word}への{attention}がステップごとにどこへ向くか。",
    "attribution.title": "「{prompt}」\n{steps}、一つの実行の潜在変数で測定",
    "attribution.step": "ステップ {step}（t {t}）",
    "attribution.through": "{calls} 回の呼び出し",
    "attribution.whole": "画像全体",
    "attribution.of.whole": "画像全体",
    "attribution.of.region": "画像の {area} を占める領域",
    "attribution.others": "その他の全列: {score}",
    "attribution.order": "{method} では {words}",
    "attribution.unit.gradient": "‖勾配 × 埋め込み‖",
    "attribution.unit.knock-out": "ε の変化（RMS）",
    "attribution.unit.occlusion": "ε の変化（RMS）",
    "attribution.unit.attention": "アテンション確率",
    "attribution.definition.gradient": "単語の列にわたる「勾配 × 埋め込み」のノルムで、勾配は領域内の ‖ε − ε∅‖²（ε∅ "
    "は空のプロンプト）のもの。ガイダンスとして働く量がその列にどれだけ依存するかを表す",
    "attribution.definition.knock-out": "どの層にも単語の列を読ませないときの、領域内の ε の変化。"
    "テキストエンコーダでその単語を読んだ後ろの列は残る",
    "attribution.definition.occlusion": "単語を除いたテキストをエンコードし直したときの、領域内の ε の変化。"
    "後ろの列は前に詰まり、値も変わる",
    "attribution.definition.attention": "領域が単語の列に向けるアテンション確率の、"
    "記録した全層・全ヘッドにわたる平均。モデルがどこを見るかであり、その結果ではない",
    "attribution.followed": "{definition}（デノイザの {calls} 回の呼び出しをさかのぼる）",
    "attribution.meant": "{method}: {definition}",
    "attribution.alt": "{prompt}の各単語と{region}との関係を{steps} について示す棒グラフ。手法ごとに一枚、"
    "単位も手法ごとに異なり、画像が左に並ぶ。高い順に、{orders}。",
    "attribution.caption.one": "各単語が{region}とどれだけ関わるか。スコアは、{meant}。",
    "attribution.caption.several": "各単語が{region}とどれだけ関わるか。手法ごとに問うことが違うので、"
    "結果が一致するとは限らない。{meant}。",
    "concepts.over.all": "{role}、全ステップ・{layers}にわたる平均",
    "concepts.over.some": "{role}、選んだステップ・{layers}にわたる平均",
    "concepts.chosen_layers": "選んだ層",
    "concepts.bar.shares": "これらの概念に占める割合",
    "concepts.bar.scores": "スコアの平均",
    "concepts.grid": "画像トークン",
    "concepts.alt.over": "ConceptAttention による概念 {concepts} のマップ（{unit}、{over}、{scale}）。"
    "概念ごとに一列で、上段は画像に重ねたもの、下段はマップのみ。{peaks}。",
    "concepts.alt.bare": "ConceptAttention による概念 {concepts} のマップ（{unit}、{over}、{scale}）。"
    "概念ごとに一枚ずつ並ぶ。{peaks}。",
    "concepts.caption.shares": "プロンプトにあるかどうかにかかわらず、これらの概念のうちどれが各場所で最も有力か。"
    "割合が高くても、そこにあるとは限らない。",
    "concepts.caption.scores": "プロンプトにあるかどうかにかかわらず、各概念のスコアが各場所でどれだけ高いか。",
    "head_effects.title": "「{prompt}」\nヘッドと「{word}」、ステップ {step}（t {t}）",
    "head_effects.cells.attention": "単語への\nアテンション",
    "head_effects.cells.reading": "単語を\n読まない場合",
    "head_effects.cells.whole": "ヘッド全体を\n除いた場合",
    "head_effects.heads": "ヘッド 0〜{last}",
    "head_effects.probability": "確率",
    "head_effects.change": "変化（RMS）",
    "head_effects.axis": "単語へのアテンション確率",
    "head_effects.dots.reading": "単語を読まない場合: {agreed}",
    "head_effects.dots.whole": "ヘッド全体を除いた場合: {agreed}",
    "head_effects.few": "{least} ヘッド未満は ρ なし",
    "head_effects.place": "{layer} のヘッド {head}",
    "head_effects.correlation.head.reading.attention": "ヘッドにわたる読み取りとアテンション {rho}",
    "head_effects.correlation.head.whole.attention": "ヘッドにわたるヘッド全体とアテンション {rho}",
    "head_effects.correlation.head.whole.reading": "ヘッドにわたるヘッド全体と読み取り {rho}",
    "head_effects.correlation.layer.reading.attention": "層にわたる読み取りとアテンション {rho}",
    "head_effects.correlation.layer.whole.attention": "層にわたる層全体とアテンション {rho}",
    "head_effects.correlations": "順位相関: {correlations}。",
    "head_effects.alt": "{prompt}の単語{word}について、行が層（{layers}）、列がヘッドの格子が三つ並ぶ。"
    "各ヘッドが単語に向けるアテンション、単語を読まない場合のノイズ予測の変化、ヘッド自体がない場合の変化。下段は、"
    "それぞれの変化をアテンションに対して示す散布図。読み取りの影響が最も強いのは {strongest}。{correlations}",
    "head_effects.caption": "アテンションはヘッドがどこを見るかを、影響はその結果を表す。{word}に多く向けるヘッドが、"
    "除くと予測を最も変えるヘッドとは限らない。",
    "occlusion.title": "「{prompt}」\n単語を一つずつ除く、一つの実行の潜在変数で測定",
    "occlusion.bars": "変化 / プロンプトを\nすべて除いた変化",
    "occlusion.maps": "{predicted} の変化（RMS）",
    "occlusion.prediction": "予測",
    "occlusion.alt": "左は{prompt}の単語ごとの棒グラフで、点は各ステップ。プロンプト全体による変化に対する割合は"
    "{best}。右は影響の強い単語がどこに働くかを示すマップで、行が単語、列がステップ、共通の尺度は 0〜{reach}。",
    "occlusion.caption": "プロンプトから単語を一つずつ除くと、ノイズ予測がどこでどれだけ変わるか。",
    "region.area": "領域: 画像の {area}",
    "region.inside": "領域内",
    "region.outside": "領域外",
    "region.bars": "確率の平均",
    "region.alt.picture": "左は{prompt}の画像で、{area} を占める領域の外は暗い。右は単語ごとに二本の棒で、"
    "領域内と領域外。領域内の確率の平均は {ranked}。",
    "region.alt.mask": "左は{prompt}の画像の {area} を占める領域で、黒地に白。右は単語ごとに二本の棒で、"
    "領域内と領域外。領域内の確率の平均は {ranked}。",
    "region.caption": "画像のこの部分からの{attention}がどの単語に向かい、ほかの部分からとどれだけ違うか。",
    "segmentation.winner": "最も強い単語",
    "segmentation.margin": "2 位との差",
    "segmentation.bar": "（1 位 − 2 位）/ 和",
    "segmentation.alt.beside": "{prompt}の画像の横に、潜在空間の各画素を最も見ている単語の色で塗った図と、2 "
    "位との差の図が並ぶ。画素の割合は {won}。差の中央値は {median}。",
    "segmentation.alt.alone": "{prompt}について、潜在空間の各画素を最も見ている単語の色で塗った図と、2 位との差の図。"
    "画素の割合は {won}。差の中央値は {median}。",
    "segmentation.caption": "各場所でどの単語への{attention}が最も強いか（各単語の最大値に対する比で比べる）。"
    "差が暗い場所では、色にあまり意味がない。",
    "count.component.one": "{n} 成分",
    "count.component.other": "{n} 成分",
    "self_attention.title": "{role} のセルフアテンション、{when}、{grid}",
    "self_attention.pixel": "画素 {pixel} が見る先",
    "self_attention.component": "成分 {number}",
    "self_attention.bar": "成分（長さ 1）",
    "self_attention.over.all": "全ステップの平均",
    "self_attention.over.some": "ステップ {steps} の平均",
    "self_attention.beside": "先頭は画像。",
    "self_attention.looked": "印をつけた画素 {pixel} が最もよく見る場所は{peak}。",
    "self_attention.alt": "{prompt}のセルフアテンション（{grid}、{when}）の主な {components}。大きい順に並び、"
    "−{reach} の青から {reach} の赤まで。{picture}{at_pixel}",
    "self_attention.caption.components": "セルフアテンションが似たものとして扱う部分は、同じ成分の中で同じ色になる。"
    "符号に意味はない。",
    "self_attention.caption.pixel": "画素 {pixel} が画像のどこを見るか、"
    "またセルフアテンションがどの部分を似たものとして扱うか。似た部分は同じ成分の中で同じ色になり、符号に意味はない。",
}
