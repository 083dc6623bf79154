"""What views of tokens, text encoders and closed forms say."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "tokens.start": "開始",
    "tokens.end": "終了",
    "tokens.padding": "パディング",
    "tokens.truncated": "切り捨て",
    "tokens.paddings": "パディング × {n}",
    "tokens.head": "{tokenizer}、{limit} か所のうち {used} か所を使用",
    "tokens.head.endless": "{tokenizer}、{used} か所を使用",
    "tokens.head.lost": "{head}（ほかに {left} トークンを切り捨て）",
    "tokens.note": "注: {note}。",
    "tokens.doubt.vectors.typed": "{text} は {name} の {vectors} 本のベクトルのうち最初の一本だけになる。{tokenizer} "
    "がプロンプトを小文字にし、diffusers が名前を見つけられないためで、{right} と書けばよい",
    "tokens.doubt.vectors.loaded": "{text} は {name} の {vectors} 本のベクトルのうち最初の一本だけになる。{tokenizer}"
    " がプロンプトを小文字にし、diffusers が名前を見つけられないためで、token={right} として読み込めばよい",
    "tokens.doubt.template": "{pipeline} は {tokenizer} が読む前にプロンプトをテンプレートに入れるため、{encoder} に"
    "渡る系列はこれより長く、位置がずれる",
    "tokens.doubt.template.named": "{pipeline} は {tokenizer} が読む前にプロンプトをテンプレート（{template}）に入れ"
    "るため、{encoder} に渡る系列はこれより長く、位置がずれる",
    "tokens.doubt.default": "max_sequence_length（既定値 {length}）",
    "tokens.doubt.length.any": "{pipeline} は {most} に合わせて切り詰めるか補うため、{encoder} に渡る系列はその長さに"
    "なる。ここに示す系列の長さには制限がないが、単語の位置は同じである",
    "tokens.doubt.length.cut": "{pipeline} は {most} に合わせて切り詰めるか補うため、{encoder} に渡る系列はその長さに"
    "なる。ここに示す系列は {length} に合わせてあるが、単語の位置は同じである",
    "tokens.doubt.beyond": "{tokenizer} は {token} に ID {id} を与えるが、{encoder} の埋め込みは {rows} 個しかない。"
    "両者が対応していないか、textual inversion が一方にしか加えられていない。pipe.load_textual_inversion で読み込めば"
    "よい",
    "tokens.alt": "プロンプト{prompt}を {tokens}に分け、箱を一列に並べた図。{pieces}。{notes}",
    "tokens.alt.none": "プロンプト{prompt}に文字はなく、トークナイザが加えたものだけを箱として一列に並べた図。{notes}",
    "tokens.alt.lost": "プロンプト{prompt}を {tokens}に分け、箱を一列に並べた図。{pieces}。ほかに切り捨てられた "
    "{lost}は赤い。{notes}",
    "tokens.caption": "モデルが読むプロンプト。文章は断片に分かれ、それぞれに位置と語彙の番号がつく。",
    "tokens.caption.lost": "モデルが読むプロンプト。文章は断片に分かれ、それぞれに位置と語彙の番号がつく。切り"
    "捨てられた部分をモデルは見ない。",
    "text.title": "「{prompt}」\n{encoder}、{class_name}",
    "text.embeddings": "埋め込み",
    "text.layer": "第 {layer} 層",
    "text_similarity.cosine": "コサイン類似度",
    "text_similarity.alt": "{prompt}のトークンどうしのコサイン類似度を、{encoder} の {layers} 層の後について"
    "正方形のパネルに示す。色は青から白を経て赤へ変わり、対角線は赤。{words}",
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
    "text_attention.alt": "{prompt}に対する {encoder} のセルフアテンションを、{layers} 層について正方形のパネルに"
    "示す。行は見る側、列は見られる側のトークン。{seen}{sink}",
    "text_attention.caption.causal": "{encoder} の中で各トークンが何を見ているか。見えるのは自分とそれより"
    "前だけなので、単語は後ろの単語を知らない。",
    "text_attention.caption.all": "{encoder} の中で各トークンが、前後のどのトークンを見ているか。",
    "text_norms.layer": "層（0 は埋め込み）",
    "text_norms.length": "隠れ状態の長さ",
    "text_norms.alt": "{prompt}の各トークンについて、{encoder} の層ごとの隠れ状態の長さを対数軸に描いた折れ線。線の"
    "端に名前がある。長さは埋め込みで {first}、最後の層の後で {last}、最も長いのは {longest}。",
    "text_norms.caption": "{encoder} が各トークンのベクトルを層ごとにどれだけ長くするか（最後の層正規化の前）。",
    "equation_checks.scheduler": "{own} の β による DDPMScheduler（{betas}、{of} ステップ中 {steps} ステップ）",
    "equation_checks.variance": "{equation}（分散）",
    "equation_checks.size": "大きさ",
    "equation_checks.timestep": "タイムステップ t",
    "equation_checks.difference": "最大の差",
    "equation_checks.worst": "{equation} は float32 で {float32}、float64 で {float64}",
    "equation_checks.alt": "対数軸の曲線を描いた {panels} 枚のパネル。DDPM の式が {scheduler} とどれだけ違うかを "
    "{timesteps} タイムステップで示す。最大の差は次のとおり。{worst}。",
    "equation_checks.caption": "DDPM の式とスケジューラのコードの比較。float64 で差が消えるところでは式とコードが"
    "一致し、float32 に見える差は丸めである。",
    "time_embedding.title": "{unet}: 正弦波 {sinusoids} 次元、time_embedding の後 {learned} 次元",
    "time_embedding.sinusoids": "正弦波",
    "time_embedding.before": "正弦波のコサイン類似度",
    "time_embedding.after": "学習後のコサイン類似度",
    "time_embedding.dimension": "次元",
    "time_embedding.timestep": "タイムステップ",
    "time_embedding.alt": "青から白を経て赤へ変わる三枚の図。タイムステップ {first} から {last} までの正弦波と、"
    "すべてのタイムステップの組のコサイン類似度を {unet} の層の前と後について並べる。最初と最後の類似度は前が "
    "{before}、後が {after}。",
    "time_embedding.caption": "{unet} に時刻を伝える仕組み。正弦波は近いタイムステップを区別し、学習した層はどの"
    "タイムステップを似たものとして扱うかを決める。",
}
