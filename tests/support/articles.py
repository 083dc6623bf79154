"""What tests of articles share: a slug, a picture of one colour, the names of the written files."""

from PIL import Image
from unchecked import unchecked

SLUG = "a-look-inside-2026"
UserArticle = unchecked("publish.article").Article  # accepts arguments of any type, as for users


def dot(colour, side=8):
    return Image.new("RGB", (side, side), colour)


def numbers(root, slug=SLUG):
    return sorted(path.name for path in (root / "images" / slug).iterdir())
