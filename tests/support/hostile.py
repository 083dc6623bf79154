"""Text of a hostile user, and what a reader of a page sees."""

from html.parser import HTMLParser

EVIL = "a | b * c ] d ` e < f $ g\n</script><img onerror=x> {{< x >}} [l](http://x) &amp; \\ __i__"


class Seen(HTMLParser):
    """The alt texts and the emphasised words of a page."""

    def __init__(self, html):
        super().__init__()
        self.alts, self.words, self.tags, self._within = [], "", set(), 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "img":
            self.alts.append(dict(attrs)["alt"])
        self._within += tag == "em"

    def handle_endtag(self, tag):
        self._within -= tag == "em"

    def handle_data(self, data):
        self.words += data if self._within else ""
