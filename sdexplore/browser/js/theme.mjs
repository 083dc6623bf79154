// A page that is shown inside another has the theme of that page, which says it by a message. A page of another origin, or a
// file, may not be read from inside; a message comes through everywhere.

const SCHEMES = { light: "light", dark: "dark", auto: "light dark" };

/** Takes the theme from the page around this one: `{ theme: "light" | "dark" | "auto" }`; auto is the reader's system. */
export function followTheme() {
  if (parent === window) return;
  addEventListener("message", ({ source, data }) => {
    if (source === parent && Object.hasOwn(SCHEMES, data?.theme)) {
      document.documentElement.style.colorScheme = SCHEMES[data.theme];
    }
  });
  parent.postMessage({ asks: "theme" }, "*"); // it may have said it before this script ran
}
