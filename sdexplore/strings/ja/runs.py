"""What views of runs say: their steps, guidance, schedules, and several runs side by side."""

from collections.abc import Mapping
from typing import Final

STRINGS: Final[Mapping[str, str]] = {
    "denoising.x_t": "x_t",
    "denoising.x0": "x0 の予測",
    "denoising.alt": "{prompt}の画像が二段に並ぶ（{way}、全 {of} ステップのうち{steps}）。"
    "上段は潜在変数、下段は x0 の予測。{drawn_by}",
    "denoising.not_decoded": "VAE でデコードしていないもの: {pictures}。",
    "denoising.caption.run": "{steps}でノイズが画像になる。x0 の予測は、行き着く先を早くから示している。",
    "denoising.caption.look": "ノイズを加えた画像からデノイザが何を見て、元の画像をどう予測するか。",
    "denoising.caption.invert": "{steps}で、画像が元のノイズへ戻っていく。",
    "guidance.x0_uncond": "無条件\nx0・線形",
    "guidance.x0_cond": "条件付き\nx0・線形",
    "guidance.apart": "|条件付き\n− 無条件|",
    "guidance.x0_guided": "ガイダンス後\nx0・{how}",
    "guidance.alt": "{prompt}の{steps} の画像が四段に並ぶ。上から、"
    "ガイダンスの無条件側が予測した x0、条件付き側が予測した x0、"
    "両者の差の二乗平均平方根（0 から {reach} までの共通の目盛り）、"
    "ガイダンス後の x0（{how}）。",
    "guidance.caption": "三段目は、プロンプトが予測を変える場所を示す。ガイダンスは予測をその方向へさらに進める。",
    "guidance_steps.angle": "ε_c と ε_u の角度（度）",
    "guidance_steps.spread": "標準偏差の比: ガイダンス後の ε / ε_c",
    "guidance_steps.alt": "{prompt}について、"
    "ガイダンスの条件付き側と無条件側の差の地図がステップ順に並び、"
    "その下に {steps}にわたる三つの曲線がある。差は条件付き側に対して最初は {first}、"
    "最後は {last} で、ガイダンスは ε の広がりを最大 {spread} 倍にする。",
    "guidance_steps.caption": "ガイダンスの条件付き側と無条件側が各ステップでどれほど離れ、"
    "両者を組み合わせた予測がモデル自身の予測よりどれほど強くなるか。",
    "latents.channel": "チャネル {number}",
    "latents.value": "潜在変数の値",
    "latents.alt": "{prompt}の潜在変数の地図が格子状に並ぶ。"
    "{channels}のそれぞれが一段、"
    "全 {of} ステップのうち{steps} が一列ずつ。"
    "色は −{reach}（青）から 0（白）を経て {reach}（赤）まで。",
    "latents.caption.run": "デノイザが扱うのは画素ではなくこの数値である。"
    "潜在変数のどのチャネルでも、ノイズから画像が現れる。",
    "latents.caption.look": "デノイザに画素の代わりに与えられる、画像の潜在変数にノイズを加えたもの。",
    "latents.caption.invert": "画像の潜在変数が、その画像を再び描けるノイズへステップごとに変わっていく。",
    "guidance_steps.before": "guidance_rescale の前",
    "guidance_steps.after": "その後",
    "comparison.difference": "差（255 のうち）",
    "comparison.grid.alt": "{prompt}の画像 {pictures}が格子状に並ぶ。設定は左上から順に、{cells}。",
    "comparison.grid.prompts.alt": "画像 {pictures}が格子状に並ぶ。設定は左上から順に、{cells}。",
    "comparison.less.alt": "{prompt}の画像 {pictures}から {base} の画像を引いた差が格子状に並ぶ。255 のうち "
    "−{reach}（青、より暗い）から {reach}（赤、より明るい）まで。設定は左上から順に、{cells}。",
    "comparison.less.prompts.alt": "画像 {pictures}から {base} の画像を引いた差が格子状に並ぶ。255 のうち "
    "−{reach}（青、より暗い）から {reach}（赤、より明るい）まで。設定は左上から順に、{cells}。",
    "comparison.settings.caption": "どの画像も同じノイズから始まる。違いは {names} によるものである。",
    "comparison.seeds.caption": "シードが同じ画像は同じノイズから始まる。違いは {names} によるものである。",
    "comparison.noise.caption": "プロンプトは同じで、ノイズだけが違う。"
    "すべての画像に共通するものはプロンプトから来ている。",
    "comparison.less.caption": "{base} からの変化。白は変わらない場所、赤は明るくなる場所、青は暗くなる場所。",
    "strip.alt": "{prompt}の画像 {pictures}が横に並ぶ。左から順に {name} は {values}。",
    "strip.caption": "どの画像も同じノイズから始まり、隣どうしで違うのは {name} だけである。",
    "difference.x0": "{run} の x0",
    "difference.pixels": "画素の差\n0〜{top}",
    "difference.distance": "x_t の距離（RMS）",
    "difference.distance.parted": "x_t の距離（RMS）。破線のステップ {step} で分かれる",
    "difference.before": "各ステップの前",
    "difference.alt": "全 {of} ステップのうち{steps} の画像が三段に並ぶ。上から、実行 a（{a}）の x0、実行 "
    "b（{b}）の x0、両者の差。その下に x_t の距離の曲線があり、最後は {end} である。",
    "difference.caption": "二つの実行は全 {of} ステップのうちステップ {step} で分かれる。"
    "三段目の明るい場所が、画像の違いになる。",
    "difference.caption.never": "二つの実行は最後まで分かれない。どのステップでも x_t は同じである。",
    "comparison.change": "加えた変更",
    "difference.alt.pictures": "全 {of} ステップのうち{steps} の画像が三段に並び、右端に最終画像がある。"
    "上から、実行 a（{a}）の x0、実行 b（{b}）の x0、両者の差（画像の差は黒が 0、白が 255 のうち {apart}）。"
    "その下に x_t の距離の曲線があり、最後は {end} である。",
    "schedule.timestep": "学習時のタイムステップ t",
    "schedule.by_call": "呼び出しごとの σ",
    "schedule.call": "デノイザの呼び出し",
    "schedule.no_beta": "β はない",
    "schedule.unknown": "学習時のスケジュールは不明",
    "schedule.called": "{name}: {calls}、σ は {first} から {last} まで",
    "schedule.called.lost": "{name}: {calls}、σ は {first} から {last} まで（うち {lost} 点は描けない）",
    "schedule.alt": "五つのパネル。β、ᾱ、σ、対数 SNR が学習時のタイムステップに対する灰色の線として描かれ、"
    "デノイザの呼び出しが点で示される。その下に、呼び出しの順番に対する σ がある。{calls}。",
    "schedule.caption": "モデルが学習したノイズスケジュールの上で、スケジューラがどこでモデルを呼び出すか。",
    "schedule.caption.several": "スケジューラはそれぞれ違う刻みでノイズを減らし、違うノイズの強さでモデルを呼び出す。",
    "maps.own_grid": "それぞれの格子",
    "maps.latent_grid": "潜在空間の格子",
    "maps.over": "画像に重ねて",
    "maps.scale": "{least}〜{most}",
    "maps.alt.each": "{names} のヒートマップ（{label}）。それぞれの目盛りで、上段は{prompt}の画像に重ね、"
    "下段は地図だけを示す。{peaks}。",
    "maps.alt.shared": "{names} のヒートマップ（{label}）。共通の目盛りで、上段は{prompt}の画像に重ね、"
    "下段は地図だけを示す。{peaks}。",
    "maps.caption": "それぞれの地図が画像のどこで高いか。",
    "maps.caption.title": "{title}。それぞれの地図が画像のどこで高いか。",
    "maps.alt.each.bare": "{prompt}について、{names} のヒートマップ（{label}）がそれぞれの目盛りで並ぶ。{peaks}。",
    "maps.alt.shared.bare": "{prompt}について、{names} のヒートマップ（{label}）が共通の目盛りで並ぶ。{peaks}。",
    "animation.frame": "フレーム {number}（全 {of}、0 から数える）",
    "animation.x0": "x0 の予測（{how}）",
    "animation.alt": "{prompt}の{way}のアニメーション（全 {of} ステップのうち{steps}）。左は潜在変数、右は x0 "
    "の予測。{drawn_by}",
    "animation.alt.x_t": "{prompt}の{way}の潜在変数のアニメーション（全 {of} ステップのうち{steps}）。{drawn_by}",
    "animation.caption.run": "ノイズが画像になっていく。その間、予測は行き着く先をすでに示している。",
    "animation.caption.look": "ノイズを加えた画像からデノイザが何を見て、元の画像をどう予測するか。",
    "animation.caption.invert": "画像が、それを再び描けるノイズへ戻っていく。",
    "animation.word.alt": "{prompt}について、「{word}」への{attention}のアニメーション（全 {of} "
    "ステップのうち{steps}）。0 から {top} までの共通の目盛り。最大は、最初は{first}、最後は{last}。",
    "animation.word.alt.beside": "{prompt}について、「{word}」への{attention}のアニメーション（全 {of} "
    "ステップのうち{steps}）。左に各ステップの x0 の予測（{how}）、右に 0 から {top} "
    "までの共通の目盛りの地図。最大は、最初は{first}、最後は{last}。",
    "animation.word.caption": "画像ができていく間に、「{word}」への注目がどこへ集まるか。",
    "animation.video.alt": "{prompt}から描かれた {frames}の動画を、順に再生する。",
    "animation.video.caption": "モデルが描いた、完成した動画。",
    "trace.alt": "{model} がシード {seed} から{prompt}に対して描いた、{width} × {height} 画素の画像。",
    "trace.caption": "{prompt}に対して {model} が描いたもの。",
    "maps.titled": "{title}。{alt}",
    "story.prompt": "プロンプト: テキストエンコーダが読むトークン",
    "story.more": "… ほか {number}",
    "story.padding": "パディング × {number}",
    "story.steps": "ノイズから画像へ: x_t、続いてモデルが予測する x0",
    "story.steps.x_t": "ノイズから画像へ: x_t",
    "story.x_t": "x_t、ステップ {step}",
    "story.x0": "x0、ステップ {step}",
    "story.attention": "画像がそれぞれの単語を見る場所（{attention}、{selection}）",
    "story.alt": "上から順に、プロンプト{prompt}（{tokens}）、{way}の画像の列（全 {of} "
    "ステップのうち{steps}）。{attention}",
    "story.alt.attention": "その下に、画像に重ねた各単語への{kind}。{peaks}。",
    "story.caption": "プロンプトが画像になるまで。プロンプトはトークンとして読まれ、"
    "ノイズがステップごとに除かれ、画像は単語を見ながらできていく。",
    "story.caption.plain": "プロンプトが画像になるまで。プロンプトはトークンとして読まれ、"
    "ノイズがステップごとに除かれていく。",
    "story.alt.steps": "{prompt}の画像が{way}横に並ぶ（全 {of} ステップのうち{steps}）。{attention}",
    "story.caption.steps": "ノイズがステップごとに画像になるまで。",
}
