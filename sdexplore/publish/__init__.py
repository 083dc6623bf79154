"""Publishing: from a picture to an article, an animation or a page. A stored trace is published without torch."""
