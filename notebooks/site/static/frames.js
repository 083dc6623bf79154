// Tells the pages in frames which theme this one has: when they ask, when this script runs, and when the reader switches.
{
  const message = () => ({ theme: document.body.dataset.theme ?? "auto" });
  const tell = () => {
    for (const frame of document.querySelectorAll("iframe")) frame.contentWindow.postMessage(message(), "*");
  };
  addEventListener("message", ({ source, data }) => {
    if (data?.asks === "theme") source.postMessage(message(), "*");
  });
  new MutationObserver(tell).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  tell();
}
