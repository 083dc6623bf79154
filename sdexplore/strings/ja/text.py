"""What views of tokens, text encoders and closed forms say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "tokens.start": "開始",
    "tokens.end": "終了",
    "tokens.padding": "パディング",
    "tokens.truncated": "切り捨て",
    "text.title": "「{prompt}」\n{encoder}、{class_name}",
    "text.embeddings": "埋め込み",
    "text.layer": "第 {layer} 層",
    "text_similarity.cosine": "コサイン類似度",
    "text_similarity.alt": "「{prompt}」のトークンどうしのコサイン類似度を、{encoder} の {layers} 層の後について正方形の"
    "パネルに示す。色は青から白を経て赤へ変わり、対角線は赤。{words}",
    "text_similarity.words": "二つの単語の類似度は平均して最初のパネルで {first}、最後のパネルで {last}。",
    "text_similarity.no_words": "単語は二つ以上ない。",
    "text_similarity.caption": "{encoder} がプロンプトのトークンを層ごとにどれだけ似たものにするか。赤いマスは、"
    "ベクトルが同じ向きを指す組を表す。",
    "text_attention.head": "第 {layer} 層、ヘッド {head}",
    "text_attention.mean": "アテンション確率、ヘッド平均（√ 目盛）",
    "text_attention.probability": "アテンション確率（√ 目盛）",
    "text_attention.causal": "各トークンは自分とそれより前だけを見る。隠された部分は灰色。",
    "text_attention.all": "各トークンはすべてのトークンを見る。",
    "text_attention.sink": "単語は平均して {share} を最初のトークンに向けている。",
    "text_attention.no_word": "単語はない。",
    "text_attention.alt": "「{prompt}」に対する {encoder} のセルフアテンションを、{layers} 層について正方形のパネルに示す。"
    "行は見る側、列は見られる側のトークン。{seen}{sink}",
    "text_attention.caption.causal": "{encoder} の中で各トークンが何を見ているか。見えるのは自分とそれより前だけなので、"
    "単語は後ろの単語を知らない。",
    "text_attention.caption.all": "{encoder} の中で各トークンが、前後のどのトークンを見ているか。",
    "text_norms.layer": "層（0 は埋め込み）",
    "text_norms.length": "隠れ状態の長さ",
    "text_norms.no_number": "数値なし",
    "text_norms.alt": "「{prompt}」の各トークンについて、{encoder} の層ごとの隠れ状態の長さを対数軸に描いた折れ線。"
    "線の端に名前がある。長さは埋め込みで {first}、最後の層の後で {last}、最も長いのは {longest}。",
    "text_norms.caption": "{encoder} が各トークンのベクトルを層ごとにどれだけ長くするか（最後の層正規化の前）。",
}
