// A picture of a dashboard. The next one takes its place at once: it is read and decoded first.

/** Shows the widget's picture in `el`; returns what ends it. */
function render({ model, el }) {
  const image = document.createElement("img");
  image.className = "widget-image";
  let address = "", newest = 0;
  const describe = () => {
    image.alt = model.get("alt");
    const wide = model.get("wide");
    image.style.width = wide ? `${wide}px` : "";
  };
  const draw = async () => {
    const turn = ++newest, bytes = model.get("value"), before = address;
    if (!bytes.byteLength) {
      image.remove();
      return;
    }
    const next = new Image();
    next.src = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    await next.decode().catch(() => {}); // a picture that is none shows its alt text
    if (turn !== newest) {
      URL.revokeObjectURL(next.src);
      return;
    }
    address = image.src = next.src;
    describe();
    el.append(image);
    if (before) URL.revokeObjectURL(before);
  };
  describe();
  draw();
  model.on("change:value", draw);
  model.on("change:alt", describe);
  return () => {
    newest++;
    model.off("change:value", draw);
    model.off("change:alt", describe);
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
