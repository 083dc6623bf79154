"""Colour maps and colours of every figure."""

from typing import Final

SEQUENTIAL: Final = "viridis"  # 0 upwards; even in lightness, legible to the colour-blind
DIVERGING: Final = "RdBu_r"  # signed values around 0
# Okabe and Ito's colours, which the colour-blind tell apart.
PALETTE: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
FAINT: Final = "#bbbbbb"
