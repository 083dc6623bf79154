"""The sites that an article can be written for. A new site is a file in this folder and a line here."""

from typing import Literal, TypeAlias

from ...base.display import clip
from ...base.errors import PublishError, did_you_mean
from .github import GitHub
from .hugo import Hugo
from .qiita import Qiita
from .quarto import Quarto
from .site import Site
from .zenn import Zenn

Flavor: TypeAlias = Literal["zenn", "qiita", "github", "hugo", "quarto"]
"""The names of the sites below, for type checkers."""

SITES: dict[str, Site] = {site.name: site for site in (Zenn(), Qiita(), GitHub(), Hugo(), Quarto())}
"""Name -> site, in the order in which they are offered."""


def site_of(name: object) -> Site:
    """The site of that name.

    Raises:
        PublishError: There is none.
    """
    if not isinstance(name, str) or name not in SITES:
        raise PublishError(f"no flavor {clip(repr(name), 80)}; {did_you_mean(clip(str(name), 80), SITES)}")
    return SITES[name]
