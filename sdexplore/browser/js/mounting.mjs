// The one way in: the explorer in a notebook (anywidget's default export) and in a page of its own (`mountPage`).
//
// `facts` is the JSON that sdexplore.browser.packing packs, `data` its buffer, as bytes or as a page's content, and
// `strings` those of sdexplore.browser.explorer_strings in the reader's language. Plain JavaScript without library or
// network: sdexplore.browser.front_end joins this module and those it imports into one file.

import { BinaryContent, PageContent } from "./content.mjs";
import { make } from "./dom.mjs";
import { Explorer } from "./explorer.mjs";
import { say } from "./strings.mjs";
import { followTheme } from "./theme.mjs";

const PAUSE = 100; // milliseconds before the kernel is told, so that a drag is told once

/**
 * Shows the packed trace inside `element`; returns the explorer: `show(state)`, `shownState()`, `destroy()`.
 *
 * Where that fails, what was inside stays, with the reason beneath it.
 */
export function mount(element, facts, data, strings, changed = null, still = null) {
  const host = document.createElement("div"), before = [...element.childNodes];
  element.replaceChildren(host);
  try {
    return new Explorer(host, facts, data.part ? data : new BinaryContent(data), strings, changed, still);
  } catch (error) {
    element.replaceChildren(...before, make("p", { text: say(strings, "explorer.failed", { error }) }));
    throw error;
  }
}

/**
 * The explorer of a page that carries its own data: JSON in #facts and #strings, text in #first and #data, its picture inside
 * #explorer. It runs as soon as #first is there, while the rest of the page still loads.
 */
export async function mountPage() {
  followTheme();
  const [facts, strings] = ["facts", "strings"].map((id) => JSON.parse(document.getElementById(id).textContent));
  const place = document.getElementById("explorer"), still = place.querySelector("img");
  await still?.decode().catch(() => null); // it is drawn in the first frame, as it stood there
  mount(place, facts, new PageContent(facts.first), strings, null, still);
}

/** Whether the kernel of a widget is there to be told. Without one, the explorer lacks nothing else. */
function hasKernel({ widget_manager: manager }) {
  return !(manager && "kernel" in manager && (!manager.kernel || manager.kernel.isDisposed));
}

/** Shows the widget's trace in `el`; returns what ends it. */
function render({ model, el }) {
  let explorer = null, waiting = null;
  const state = () => model.get("state") ?? {};
  const tell = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (!hasKernel(model)) return;
      model.set("state", explorer.shownState());
      model.save_changes();
    }, PAUSE);
  };
  const isShown = () => JSON.stringify(state()) === JSON.stringify(explorer.shownState());
  const follow = () => {
    if (isShown()) return;
    explorer.show(state());
    if (!isShown()) tell(); // the state names only a part, or what is not there
  };
  const open = () => {
    explorer?.destroy();
    explorer = mount(el, model.get("facts"), model.get("data"), model.get("strings"), tell);
    follow();
  };
  open();
  model.on("change:data", open);
  model.on("change:state", follow);
  return () => {
    clearTimeout(waiting);
    model.off("change:data", open);
    model.off("change:state", follow);
    explorer.destroy();
  };
}

export default { render };
