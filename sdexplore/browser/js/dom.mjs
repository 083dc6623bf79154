// Elements made and changed. Text that came from outside is set as textContent and in no other way.

/** A new element; `text`, `class` and `on…` are set as such, everything else is an attribute. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children);
  return element;
}

/** Sets a text that differs; one that does not costs no new layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A labelled choice: { input, label }; `options` are pairs of value and text. */
export function choice(name, options, value, title, change) {
  const attributes = { title, "aria-label": name, onchange: () => change(input.value) };
  const input = make("select", attributes, ...optionsOf(options));
  input.value = value;
  return { input, label: make("label", { class: "choice" }, make("span", { class: "label", text: name }), input) };
}

/** The <option> elements of pairs of value and text. */
export const optionsOf = (pairs) => pairs.map(([value, text]) => make("option", { value, text }));

/** Makes a toolbar one stop of the tab key: arrow keys, Home and End move among its buttons. */
export function rove(bar) {
  const buttons = [...bar.querySelectorAll("button")];
  buttons.forEach((button, i) => {
    button.tabIndex = i ? -1 : 0;
  });
  bar.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target);
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const right = getComputedStyle(bar).direction === "rtl" ? -1 : 1; // where the next button stands
    const moves = { ArrowRight: at + right, ArrowLeft: at - right, ArrowDown: at + 1, ArrowUp: at - 1 };
    const to = { ...moves, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    const next = buttons[Math.max(0, Math.min(buttons.length - 1, to))];
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
    event.preventDefault();
    event.stopPropagation();
  });
}
