// What is around a dashboard in the page, and what ipywidgets leaves undone inside it.
//
// The kernel is told the theme, the width for figures, and how many pixels of the screen one of CSS has. Parts of
// controls that ipywidgets gives no name get one, and plain keys go to the control that has the focus.

const PAUSE = 200; // milliseconds without a change of width before the kernel is told
const LEAST = 24; // pixels: smaller changes are left to the browser, which scales the figure; a scrollbar is one of them
const PLAY = ["play", "to_first", "repeat"]; // the keys of a player, as `words` has them

/** "dark" or "light": as the page says of itself, else as the system has it. */
function themeOf({ jpThemeLight, vscodeThemeKind }, isDark) {
  if (jpThemeLight) return jpThemeLight === "false" ? "dark" : "light";
  if (vscodeThemeKind) return /light/.test(vscodeThemeKind) ? "light" : "dark";
  return isDark ? "dark" : "light";
}

/** How wide the open tab of a dashboard is inside, in CSS pixels; 0 where that cannot be seen. */
function roomOf(root) {
  const inside = root.querySelector(":scope > .widget-tab > .widget-tab-contents");
  if (!inside?.clientWidth) return 0;
  const { paddingLeft, paddingRight } = getComputedStyle(inside);
  return Math.floor(inside.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
}

function label(element, text) {
  if (text && element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
}

/** Names sliders by their labels, the numbers beside them that can be typed, the keys of a player, and signs. */
function nameParts(root, words) {
  const said = (what, name) => words[what].replace("{name}", () => name);
  for (const box of root.querySelectorAll(".widget-inline-hbox")) {
    const name = box.querySelector(".widget-label")?.textContent.trim();
    const handles = [...box.querySelectorAll(".noUi-handle")];
    const names = handles.length > 1 ? [said("first", name), said("last", name)] : [name];
    handles.forEach((handle, i) => label(handle, name && names[i]));
    for (const typed of box.querySelectorAll(".widget-readout[contenteditable=true]")) {
      typed.setAttribute("role", "textbox");
      label(typed, name && said("typed", name));
    }
  }
  for (const player of root.querySelectorAll(".widget-play")) {
    [...player.querySelectorAll("button")].forEach((button, i) => label(button, words[PLAY[i]]));
  }
  for (const button of root.querySelectorAll(".jupyter-button[title]")) {
    if (!/[\p{L}\p{N}]/u.test(button.textContent)) label(button, button.title);
  }
}

/** Looks after the dashboard around `el`; returns what ends that. */
function render({ model, el }) {
  const system = matchMedia("(prefers-color-scheme: dark)"), ends = [];
  let root = null, waiting = 0, frame = 0, told = 0;
  const tell = (values) => {
    const changed = Object.entries(values).filter(([name, value]) => model.get(name) !== value);
    for (const [name, value] of changed) model.set(name, value);
    if (changed.length) model.save_changes();
  };
  const tellTheme = () => tell({ theme: themeOf(document.body.dataset, system.matches) });
  const tellRoom = () => {
    const wide = roomOf(root);
    if (!wide || Math.abs(wide - told) < LEAST) return;
    told = wide;
    tell({ wide, density: devicePixelRatio });
  };
  const follow = (observer, ...target) => {
    observer.observe(...target);
    ends.push(() => observer.disconnect());
  };
  // JupyterLab reads keys before any control does: an arrow key would leave the cell instead of moving a slider.
  const keep = (event) => {
    if (!root.contains(event.target)) return;
    const labs = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    root.toggleAttribute("data-lm-suppress-shortcuts", !labs);
  };
  const begin = () => {
    root = el.closest(".sdexplore");
    if (!root) {
      frame = requestAnimationFrame(begin);
      return;
    }
    const name = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => nameParts(root, model.get("words")));
    };
    follow(new MutationObserver(tellTheme), document.body, { attributes: true });
    follow(new MutationObserver(name), root, { childList: true, subtree: true });
    const room = new ResizeObserver(() => {
      clearTimeout(waiting);
      waiting = setTimeout(tellRoom, told ? PAUSE : 0);
    });
    follow(room, root);
    system.addEventListener("change", tellTheme);
    addEventListener("keydown", keep, true);
    name();
    tellTheme();
  };
  begin();
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(waiting);
    system.removeEventListener("change", tellTheme);
    removeEventListener("keydown", keep, true);
    for (const end of ends) end();
  };
}

export default { render };
