"""A dashboard without a browser, as its user sees it: controls by their labels, texts without markup, the open tab."""

import html
import re
import time

import ipywidgets

from sdexplore.dashboard.in_page import ShownPicture

PROMPT = "a cat and a dog"
_ROLE = re.compile(r'<(span|div) role="(status|alert)"[^>]*>(.*?)</\1>', re.DOTALL)
_PRE = re.compile(r"<pre[^>]*>(.*?)</pre>", re.DOTALL)


def controls(widget):
    """The widget and all widgets in it, in every tab."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from controls(child)


def visible(widget):
    """The widget and all widgets in it that can be seen: of tabs, those in the open one."""
    if getattr(getattr(widget, "layout", None), "display", None) == "none":
        return
    yield widget
    children = getattr(widget, "children", ())
    if isinstance(widget, ipywidgets.Tab):
        children = children[widget.selected_index : widget.selected_index + 1]
    for child in children:
        yield from visible(child)


def plain(markup):
    """The text of some HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


class Page:
    """One dashboard. What is found by its label is looked for in the open tab first, then above the tabs."""

    def __init__(self, explorer):
        self.explorer = explorer

    @property
    def _tabs(self):
        (tabs,) = (child for child in self.explorer.children if isinstance(child, ipywidgets.Tab))
        return tabs

    @property
    def titles(self):
        return list(self._tabs.titles)

    @property
    def title(self):
        """The title of the open tab."""
        return self._tabs.titles[self._tabs.selected_index]

    def open(self, title):
        """Clicks on a tab."""
        self._tabs.selected_index = self.titles.index(title)
        return self

    @property
    def above(self):
        """What is seen above the tabs."""
        return [one for child in self.explorer.children if child is not self._tabs for one in visible(child)]

    @property
    def tab(self):
        """What is seen in the open tab."""
        return list(visible(self._tabs))[1:]

    def find(self, label):
        """The control with that label."""
        for place in (self.tab, self.above):
            found = [one for one in place if getattr(one, "description", None) == label]
            if found:
                (control,) = found
                return control
        raise AssertionError(f"no control {label!r} is to be seen")

    def press(self, label):
        """Clicks on a button, or switches a toggle."""
        control = self.find(label)
        assert not control.disabled, label
        if isinstance(control, ipywidgets.ToggleButton):
            control.value = not control.value
        else:
            control.click()

    def set(self, label, value):
        """Gives a control a value, as a hand does."""
        self.find(label).value = value

    def pressed(self):
        """The labels of the toggles that are pressed."""
        return [one.description for one in self.tab if isinstance(one, ipywidgets.ToggleButton) and one.value]

    @staticmethod
    def _markup(place):
        return "\n".join(one.value for one in place if isinstance(one, ipywidgets.HTML))

    @property
    def text(self):
        """The words of the open tab."""
        return plain(self._markup(self.tab))

    @property
    def heading(self):
        """The words above the tabs."""
        return plain(self._markup(self.above))

    def _said(self, place, kind="span"):
        said = [plain(text) for found, _, text in _ROLE.findall(self._markup(place)) if found == kind]
        return " ".join(filter(None, said))

    @property
    def message(self):
        """How the work of the dashboard stands."""
        return self._said(self.above)

    @property
    def section_message(self):
        """What the open section says; "" where it says nothing."""
        return self._said(self.tab)

    @property
    def alerts(self):
        """The errors that are shown."""
        said = _ROLE.findall(self._markup([*self.above, *self.tab]))
        return [plain(text) for _, role, text in said if role == "alert"]

    @property
    def caption_box(self):
        """The widget of the caption beneath the large picture."""
        (found,) = (one for one in self.above if isinstance(one, ipywidgets.HTML) and '<div role="status"' in one.value)
        return found

    @property
    def caption(self):
        return plain(self.caption_box.value)

    @property
    def picture(self):
        """The large picture, as a PNG file."""
        return next(one for one in self.above if isinstance(one, ShownPicture)).value

    @property
    def code(self):
        """The lines of code above the tabs."""
        return plain("\n".join(_PRE.findall(self._markup(self.above))))

    @property
    def figure_code(self):
        """The lines of code beneath the figures of the open tab."""
        return plain("\n".join(_PRE.findall(self._markup(self.tab))))

    @property
    def figure_box(self):
        """The widget of the first figure in the open tab; None if there is none."""
        return next((one for one in self.tab if isinstance(one, ShownPicture) and one.wide), None)

    @property
    def has_figure(self):
        """Whether a figure is seen in the open tab."""
        return self.figure_box is not None

    @property
    def bar(self):
        """The bar above the tabs; None where there is none."""
        return next((one for one in self.above if isinstance(one, ipywidgets.IntProgress)), None)

    @property
    def steps_done(self):
        return self.bar.value

    @property
    def runs(self):
        """The buttons of the last runs, newest first."""
        entries = [getattr(one, "children", ()) for one in self.above]
        return [entry[1] for entry in entries if len(entry) == 3 and isinstance(entry[0], ShownPicture)]

    def module(self, *path):
        """The button of a module in the tree, each branch on the way to it unfolded."""
        tree = [one for one in self.tab if isinstance(one, ipywidgets.VBox)]
        for depth, name in enumerate(("(root)", *path)):
            row, below = next(one for one in tree if _own_label(one).startswith(f"{name}:")).children
            if depth < len(path) and not below.children:
                row.children[0].click()
            tree = below.children
        return row.children[1]

    def wait_for(self, condition, seconds=60.0):
        """Waits until `condition()` holds, and takes over what the worker hands to the main thread meanwhile."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, self.message
            self.explorer.wait(0.01)


def _own_label(branch):
    """The label of a branch of the module tree; "" of any other box."""
    row = branch.children[0] if len(branch.children) == 2 else None
    label = row.children[1] if isinstance(row, ipywidgets.HBox) and len(row.children) == 2 else None
    return getattr(label, "description", "")
