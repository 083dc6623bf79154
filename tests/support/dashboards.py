"""What tests of dashboards share."""

PROMPT = "a cat and a dog"


def controls(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from controls(child)


def section(explorer, title):
    explorer.state.section = title
    return explorer._sections[title]
