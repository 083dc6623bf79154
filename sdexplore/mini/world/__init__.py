"""The emoji world: words, backgrounds, layouts, scenes and their masks."""
