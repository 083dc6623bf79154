// Rows of a study as a table: a heading sorts, a button opens its row. All text is set as text, and in no other way.

/** A new element of a class and a text. */
function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** A button with a key, under which it has the focus again after the table was drawn anew. */
function button(key, text, label, pressed) {
  const made = element("button", "jupyter-button", text);
  made.type = "button";
  made.dataset.key = key;
  made.setAttribute("aria-label", label);
  made.title = label;
  made.addEventListener("click", pressed);
  return made;
}

const SORTED = { ascending: "▲", descending: "▼" };

/** The heading of a column; `send` is told of a press where the column can sort. */
function heading({ name, label, kind, sorts, sorted }, send) {
  const cell = element("th", kind);
  cell.scope = "col";
  if (!sorts) {
    cell.append(element("span", "", name));
    return cell;
  }
  if (sorted) cell.setAttribute("aria-sort", sorted);
  const pressed = button(`sort ${name}`, name, label, () => send({ kind: "sort", column: name }));
  if (sorted) {
    const arrow = element("span", "arrow", SORTED[sorted]);
    arrow.setAttribute("aria-hidden", "true");
    pressed.append(arrow);
  }
  cell.append(pressed);
  return cell;
}

/** A cell: a picture, or a text, which the pointer shows whole. */
function content(column, value, alt, addresses) {
  const cell = element("td", column.kind);
  if (column.kind === "picture") {
    if (!value) return cell;
    const image = element("img");
    image.src = URL.createObjectURL(new Blob([value], { type: "image/webp" }));
    image.alt = alt;
    addresses.push(image.src);
    cell.append(image);
    return cell;
  }
  const text = element("span", "", value);
  text.title = value;
  cell.append(text);
  return cell;
}

/** Draws a page of rows as a table; `addresses` takes those of its pictures. */
export function table({ columns, rows, caption, words }, send, addresses) {
  const made = element("table", "sdexplore-rows"), head = element("thead"), body = element("tbody");
  made.append(element("caption", "", caption));
  const headings = element("tr");
  headings.append(...columns.map((column) => heading(column, send)));
  const last = element("th");
  last.scope = "col";
  last.append(element("span", "", words.run));
  headings.append(last);
  head.append(headings);
  for (const row of rows) {
    const line = element("tr", row.opened ? "opened" : "");
    if (row.opened) line.setAttribute("aria-current", "true");
    line.append(...columns.map((column, place) => content(column, row.cells[place], words.picture, addresses)));
    const opens = element("td", "opens");
    const pressed = () => send({ kind: "open", identity: row.identity });
    opens.append(button(`open ${row.identity}`, words.open, row.label, pressed));
    line.append(opens);
    body.append(line);
  }
  made.append(head, body);
  return made;
}

/** Shows the widget's page of rows in `el`; returns what ends it. */
function render({ model, el }) {
  let addresses = [];
  const release = () => {
    addresses.forEach((one) => URL.revokeObjectURL(one));
    addresses = [];
  };
  const draw = () => {
    const page = model.get("page");
    const key = el.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    release();
    el.replaceChildren();
    if (!page.columns) return;
    const made = table(page, (message) => model.send(message), addresses);
    el.append(made);
    if (key === undefined) return;
    const keys = [...made.querySelectorAll("button")];
    (keys.find((one) => one.dataset.key === key) ?? keys[0])?.focus();
  };
  draw();
  model.on("change:page", draw);
  return () => {
    model.off("change:page", draw);
    release();
  };
}

export default { render };
