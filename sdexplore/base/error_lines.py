"""What another library's exception says, in one line."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def named_line(error: BaseException) -> str:
    """An error's class and the first line of its message."""
    return type(error).__name__ + (f": {first_line(error):.200}" if str(error).strip() else "")
