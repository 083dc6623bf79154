"""What another library's exception says, in one line."""

_LONGEST = 300
_DEEPEST = 8  # causes of causes


def first_line(error: BaseException, *, deepest: int = _DEEPEST) -> str:
    """The first line of an error's message, or its class.

    A line that ends in a colon tells nothing: the line after it is added, or, where there is none, what the error's
    cause says.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if not lines[0].endswith(":"):
        return lines[0][:_LONGEST]
    cause = error.__cause__ or error.__context__
    more = lines[1] if len(lines) > 1 else ""
    if deepest and cause is not None and (not more or more.endswith(":")):
        more = f"{type(cause).__name__}: {first_line(cause, deepest=deepest - 1)}"
    return f"{lines[0][: _LONGEST // 2]} {more[:_LONGEST]}".strip()


def named_line(error: BaseException) -> str:
    """An error's class and the first line of its message."""
    return type(error).__name__ + (f": {first_line(error):.200}" if str(error).strip() else "")
