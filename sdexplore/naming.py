"""Names that faces offer before anything heavy is loaded."""

from typing import Final

SCHEDULERS: Final = ("DDIM", "DDPM", "PNDM", "Euler", "Euler a", "Heun", "DPM++ 2M", "UniPC", "DEIS", "LCM")
"""Schedulers as `load(scheduler=…)` takes them; each works without further packages."""

FLAVORS: Final = ("zenn", "qiita", "github", "hugo", "quarto")
"""Sites for which an Article can be written."""
