"""What `sdexplore.browser` packs, unpacked from its description alone, number by number: the tests' own reader."""

import numpy as np

from sdexplore.browser.printable import CHARACTERS


def rows_of(data, reference, base=None):
    """The levels behind a reference, as (row, entry, y, x)."""
    count, entries, high, wide = reference["shape"]
    at, found, differences = reference["at"], [], None
    before = None if base is None else base.astype(int).ravel().tolist()
    for length in reference["lengths"]:
        read = Bits(data[at : at + length])
        at += length
        before, differences = row_of(read, (entries, high, wide), 2 ** reference["bits"], before, differences)
        assert read.is_done()
        found.append(before)
    return np.array(found[::-1]).reshape(count, entries, high, wide)


def row_of(read, shape, modulus, before, earlier):
    """The numbers of the next row, and its differences; None stands for a row before the first."""
    entries, high, wide = shape
    row, changes, differences = [], [], []
    known = before or [0] * (entries * high * wide)
    for _, y, x in np.ndindex(*shape):
        here = len(row)
        around, moved = 0 if earlier is None else earlier[here], 0
        if x or y:
            left = here - 1 if x else here - wide
            up = here - wide if y else left
            corner = up + 1 if y and x + 1 < wide else up
            own = differences[left] if earlier is None else earlier[here]
            around = differences[left] + differences[up] + differences[corner] + own
            moved = (changes[left] + changes[up]) >> (1 if before is None else 2)
        number = read.rice(max(1, (around + 2) >> 2).bit_length() - 1)
        difference = -(number + 1) // 2 if number % 2 else number // 2
        row.append((known[here] + moved + difference) % modulus)
        changes.append(row[here] - known[here])
        differences.append(number)
    return row, differences


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
