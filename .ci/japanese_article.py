"""Writes an article in Japanese, by default for Zenn, about one run of the embedded model, as its author would.

Usage: python .ci/japanese_article.py FOLDER [FLAVOR]. The pictures go to FOLDER/images/. The article in images/ was
written with the flavor "github".

A sentence ends its line, since Zenn breaks the line where the Markdown does.
"""

import sys

import sdexplore as sdx

PROMPT = "a cat and a rocket in space"
SLUG = "inside-a-small-diffusion"

sdx.set_options(lang="ja")
pipe = sdx.load()
trace = sdx.run(pipe, PROMPT, seed=3, num_inference_steps=25)

article = sdx.Article(
    SLUG,
    *(sys.argv[2:] or ["zenn"]),  # type: ignore[arg-type]  # checked there
    root=sys.argv[1],
    title="小さな Stable Diffusion の中を見る",
    emoji="🚀",
    topics=["stablediffusion", "diffusers", "python", "機械学習"],
)
article.text("""
前の記事では、次の 3 行で画像を作りました。

```python
pipeline = DiffusionPipeline.from_pretrained(...)
pipeline.to("cuda")
pipeline(prompt)
```

この記事では、3 行目の**中**で何が起きているのかを図で見ていきます。
使うのは `sdexplore` に付属する小さなモデルです。
構造は Stable Diffusion と同じで、CPU だけで 10 秒ほどで動きます。
図の番号ごとに JSON ファイルがあり、`sdx.reproduce` で同じ図をもう一度作れます。
""")
article.code(f"""import sdexplore as sdx

pipe = sdx.load()
trace = sdx.run(pipe, "{PROMPT}", seed=3, num_inference_steps=25)""")
article.text("## 全体の流れ")
article.add(sdx.views.story(trace, ["cat", "rocket"]), key="story", width=720)
article.text("""
上から順に、文章がトークンになり、ノイズが画像になり、画像のそれぞれの場所が単語を見ています。
以下では、この流れを一段ずつたどります。

## 文章はトークンになる

モデルは文章をそのまま読むのではありません。
トークナイザが文章を**トークン**に分け、番号に置き換えます。
""")
article.add(sdx.views.tokens(sdx.tokens(pipe, PROMPT)), key="tokens", width=720)
article.text("""
使われるのは 77 か所のうち 9 か所だけです。
残りはパディングですが、CLIP のテキストエンコーダはそこにも値を書き込みます。

## ノイズは画像になる

U-Net は、ノイズの多い潜在変数 $x_t$ に含まれるノイズ $\\varepsilon$ を予測します。
予測したノイズを除けば、その時点での完成図 $x_0$ が得られます。
""")
article.add(sdx.views.denoising(trace, steps=[0, 4, 8, 12, 16, 20, 24]), key="denoising", width=720)
article.text("""
下段を見てください。
ステップ 4 では、上段がまだほとんどノイズなのに、猫とロケットの位置はもう決まっています。
残りのステップは、主に輪郭と色を整えるためのものです。

## ガイダンスはどこに効くか

分類器なしガイダンス（CFG）では、プロンプトがある場合とない場合の 2 回、ノイズを予測します。

$$
\\hat\\varepsilon = \\varepsilon_\\mathrm{uncond} + s\\,(\\varepsilon_\\mathrm{cond} - \\varepsilon_\\mathrm{uncond})
$$

$s$ は `guidance_scale` で、ここでは 7.5 です。
""")
article.add(sdx.views.guidance(trace, steps=[2, 6, 10, 18]), key="guidance", width=720)
article.text("""
三段目の差は、ステップ 6 と 10 では**猫とロケットの輪郭**に集まっています。
プロンプトが変えるのは、背景ではなくこの 2 つだとわかります。

## 画像のどこが単語を見ているか

クロスアテンションは、画像のそれぞれの場所がどの単語を読むかを表します。
""")
article.add(sdx.views.attention(trace, ["cat", "rocket"], scale="each"), key="attention", width=720)
article.text("""
「**cat**」は顔の中心に、「**rocket**」は機体に集まります。
ただし、目盛りは単語ごとに違います。
さらに、これは 16 層の平均です。
層ごとに分けてみましょう。
""")
article.add(sdx.views.attention_layers(trace, "cat"), key="layers", width=720)
article.text("""
はっきり見ているのは 8 × 8 と 16 × 16 の層で、32 × 32 の層はほとんど見ていません。
平均の地図を作っているのは、いくつかの層だけです。

## まとめ

- 構図は、最初の数ステップで決まる。
- ガイダンスは、プロンプトに関わる場所の予測を変える。
- アテンションの地図は層ごとに違い、平均は**明るい層**の地図である。

アテンションの地図が示すのは、モデルが見ている場所です。
絵がそうなった**原因**を知るには、一か所だけを変えてもう一度描く必要があります。
それは次の記事で試します。
""")
article.save()
