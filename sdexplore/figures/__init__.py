"""How every figure is drawn: Picture, themes, panels, titles, caches. Views and publishing share it."""
