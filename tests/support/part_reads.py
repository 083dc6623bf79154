"""How often the parts of a study are read: every dataset that Arrow makes of files."""

from contextlib import contextmanager
from unittest import mock

import pyarrow.dataset


@contextmanager
def part_reads():
    """In the block each reading of parts adds the list of their paths to the list that it gives."""
    found, real = [], pyarrow.dataset.dataset

    def counted(what, *args, **options):
        if isinstance(what, list):
            found.append(what)
        return real(what, *args, **options)

    with mock.patch.object(pyarrow.dataset, "dataset", counted):
        yield found
