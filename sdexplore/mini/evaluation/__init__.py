"""What the miniature can do, in numbers. MODEL_CARD.md quotes them."""
