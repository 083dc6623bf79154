"""Captions: what a reader needs beneath a picture, known to its alt text, which says more."""


class AltText(str):
    """An alt text that knows its caption: what a reader needs beneath the picture, without the numbers of the alt text.

    Attributes:
        caption: Of any other text, the text itself.
    """

    __slots__ = ("caption",)
    caption: str

    def __new__(cls, text: str, caption: str) -> "AltText":  # noqa: PYI034  (the tests' type checker does not know Self)
        """The text with its caption."""
        made = super().__new__(cls, text)
        made.caption = caption
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # as many as __new__ takes
        """What copies and pickles are made from."""
        return str(self), self.caption

    @classmethod
    def of(cls, text: str) -> "AltText":
        """The text itself, if it knows its caption; else with itself as its caption."""
        return text if isinstance(text, cls) else cls(text, text)

    def adding(self, sentence: str) -> "AltText":
        """The text with one more sentence, which belongs into the caption too."""
        return AltText(f"{self} {sentence}", f"{self.caption} {sentence}")


def with_details(sentence: str, *details: str) -> AltText:
    """An alt text "sentence; detail; detail." whose caption is "sentence."."""
    return AltText("; ".join((sentence, *details)) + ".", f"{sentence}.")
