"""What `sdexplore.browser` packs, unpacked from its description alone, number by number: the tests' own reader."""

import numpy as np

from sdexplore.browser.printable import CHARACTERS


def rows_of(data, reference, base=None):
    """The levels behind a reference, as (row, entry, y, x)."""
    count, entries, high, wide = reference["shape"]
    bits, at, found = reference["bits"], reference["at"], []
    before, earlier = base, None
    for place in range(count):
        length = reference["lengths"][place]
        read = Bits(data[at : at + length])
        at += length
        row, differences = np.zeros((2, entries, high, wide), np.int64)
        change = np.zeros((entries, high, wide), np.int64)
        known = np.zeros_like(row) if before is None else before.astype(np.int64)
        for entry, y, x in np.ndindex(entries, high, wide):
            here, around = (entry, y, x), 0 if earlier is None else int(earlier[entry, y, x])
            moved = 0
            if x or y:
                left = (entry, y, x - 1) if x else (entry, y - 1, x)
                up = (entry, y - 1, x) if y else left
                corner = (entry, y - 1, x + 1) if y and x + 1 < wide else up
                around = int(sum(differences[at_] for at_ in (left, up, corner)))
                around += int(differences[left] if earlier is None else earlier[here])
                moved = (change[left] + change[up]) >> (1 if before is None else 2)
            number = read.rice(max(1, (around + 2) >> 2).bit_length() - 1)
            difference = -(number + 1) // 2 if number % 2 else number // 2
            row[here] = (known[here] + moved + difference) % 2**bits
            change[here] = row[here] - known[here]
            differences[here] = number
        assert read.is_done()
        before, earlier = row, differences
        found.append(row)
    return np.array(found[::-1]).reshape(reference["shape"])


def values_of(data, reference, mean=None):
    """The values behind a reference of levels; `mean` is the reference of their mean. Returns the scales too."""
    scales = np.array(reference["scales"])
    base = None
    if mean is not None:
        wide = np.array(mean["scales"])
        ratio = [one / scale if scale > 0 else 0 for one, scale in zip(wide, scales, strict=True)]
        base = np.floor(rows_of(data, mean)[0] * np.array(ratio)[:, None, None] + 0.5)
        base = np.minimum(base, 2 ** reference["bits"] - 1).astype(np.int64)
    return rows_of(data, reference, base) * scales[None, :, None, None], scales


class Bits:
    """Rice codes, the highest bit first."""

    def __init__(self, content):
        self.text = "".join(f"{byte:08b}" for byte in content)
        self.at = 0

    def rice(self, width):
        ones = 0
        while ones < 24 and self.text[self.at + ones] == "1":
            ones += 1
        self.at += ones + (ones < 24)
        width = width if ones < 24 else 16
        low = int(self.text[self.at : self.at + width] or "0", 2)
        self.at += width
        return low + (ones << width if ones < 24 else 0)

    def is_done(self):
        return len(self.text) - self.at < 8 and set(self.text[self.at :]) <= {"0"}


def bytes_of(text):
    """The bytes that `printable` wrote, without the zeros that fill the last pair; one by one from a long number."""
    values = [CHARACTERS.index(letter) for letter in text]
    bits = "".join(f"{low + 91 * high:013b}" for low, high in zip(values[::2], values[1::2], strict=True))
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))
