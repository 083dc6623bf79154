"""What the user calls the objects that a dashboard's lines of code are about."""

import io
import sys
import tokenize
from collections.abc import Mapping
from typing import Any


def written(line: str, objects: Mapping[str, object]) -> str:
    """`line` with the user's own names.

    Args:
        line: Code, of one line or several.
        objects: Name in the line -> the object that it stands for. It is replaced where a variable of the notebook has
            another name and holds that object; else it stays.
    """
    known = {name: called(one, name) for name, one in objects.items() if one is not None}
    other = {name: own for name, own in known.items() if name != own}
    if not other:
        return line
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(line).readline))
    except (tokenize.TokenError, SyntaxError):
        return line
    lines, depth, found = line.split("\n"), 0, []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        depth += (token.string in "([{") - (token.string in ")]}") if token.type == tokenize.OP else 0
        attribute = before is not None and before.string == "."
        argument = depth > 0 and after is not None and after.string == "="
        if token.type == tokenize.NAME and token.string in other and not attribute and not argument:
            found.append((token.start, token.string))
    for (number, start), name in reversed(found):
        text = lines[number - 1]
        lines[number - 1] = f"{text[:start]}{other[name]}{text[start + len(name) :]}"
    return "\n".join(lines)


def called(one: object, usual: str) -> str:
    """The name of the notebook's variable that holds this very object; `usual` where it has that name, or none."""
    variables = notebook()
    if variables.get(usual) is one:
        return usual
    own = (name for name, value in variables.items() if value is one and not name.startswith("_"))
    return next(own, usual)


def notebook() -> Mapping[str, Any]:
    """The variables of the notebook; none outside of IPython, which is not imported for this."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return {} if shell is None else dict(shell.user_ns)
