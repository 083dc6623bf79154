"""Publishing: from a picture to an article, an animation, a page. A saved trace is published without torch."""
