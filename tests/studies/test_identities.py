"""The compact set of identities does what Python's own set does, bytes of zero at an end included."""

import random

from sdexplore.studies.identities import Identities


def test_it_does_what_a_set_does():
    draw = random.Random(0)
    known = [draw.randbytes(16) for _ in range(6000)] + [bytes(16), b"\0" * 15 + b"a", b"a" + b"\0" * 15]
    own, like = Identities(), set()
    for number in range(20_000):
        one = draw.choice(known)
        if number % 5 == 4:
            own.discard(one)
            like.discard(one)
        else:
            own.add(one)
            like.add(one)
    assert len(own) == len(like)
    assert [one in own for one in known] == [one in like for one in known]
