"""Text of a hostile user, and what a reader of a page sees."""

from html.parser import HTMLParser

EVIL = "a | b * c ] d ` e < f $ g\n</script><img onerror=x> {{< x >}} [l](http://x) &amp; \\ __i__"


class Seen(HTMLParser):
    """The alt texts, widths and links of a page, and the words of its captions.

    Quarto makes an alt text of Pandoc's `data-fig-alt`.

    Args:
        caption: The element that captions stand in.
    """

    def __init__(self, html, caption="em"):
        super().__init__()
        self.alts, self.widths, self.links, self.words, self.tags = [], [], [], "", set()
        self._caption, self._within = caption, 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "img":
            self.alts.append(given.get("data-fig-alt", given["alt"]))
            self.widths.append(given.get("width") or given.get("style"))
        if tag == "a":
            self.links.append(given.get("href"))
        self._within += tag == self._caption

    def handle_endtag(self, tag):
        self._within -= tag == self._caption

    def handle_data(self, data):
        self.words += data if self._within else ""
