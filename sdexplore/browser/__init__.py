"""A stored trace as the browser explores it: facts, one buffer, and the JavaScript that shows them."""
