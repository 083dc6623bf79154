// What the stage can show beneath a map: pictures decoded by the VAE, linear previews, and halves of guidance.

import { typed } from "./numbers.mjs";
import { paintColours, paintMap, resizeCanvas } from "./painting.mjs";

/** The view that shows where guidance changes the noise prediction; it is a map, with no picture of its own. */
export const DIFFERENCE = "difference";

/** The views that these facts allow, each with its name, label and title. */
export function viewsOf({ pictures, previews, guidance }) {
  const views = [];
  if (pictures.image) views.push({ name: "image", label: "picture", title: "The finished picture" });
  if (previews.x0 || Object.keys(pictures.x0).length) {
    const title = "The finished picture as the model predicts it at this step";
    views.push({ name: "x0", label: "predicted x0", title });
  }
  if (previews.x_t || Object.keys(pictures.x_t).length) {
    views.push({ name: "x_t", label: "noisy x_t", title: "The latents before this step" });
  }
  if (guidance?.uncond) {
    views.push({ name: "uncond", label: "x0 uncond", title: "x0 as the unconditional half alone predicts it" });
    views.push({ name: "cond", label: "x0 cond", title: "x0 as the conditional half alone predicts it" });
  }
  if (guidance) {
    const title = "Where the prompt changes the noise prediction: root mean square over channels of cond − uncond";
    views.push({ name: DIFFERENCE, label: "|cond − uncond|", title });
  }
  return views;
}

/** The pictures of an exploration, decoded by the browser one after the other; `arrived` is called after each. */
export class Pictures {
  constructor(exploration, arrived) {
    const { facts, bytes } = exploration, { previews, guidance } = facts;
    this.exploration = exploration;
    this.bitmaps = new Map(); // "kind step" -> ImageBitmap
    this.colours = {
      x0: typed(previews.x0, bytes), x_t: typed(previews.x_t, bytes),
      uncond: typed(guidance?.uncond, bytes), cond: typed(guidance?.cond, bytes),
    };
    for (const [name, { at, length, type }] of referencesOf(facts.pictures)) {
      const content = new Blob([bytes.subarray(at, at + length)], { type });
      createImageBitmap(content).then((bitmap) => {
        if (this.closed) return bitmap.close();
        this.bitmaps.set(name, bitmap);
        arrived();
      });
    }
  }

  /** Paints a view on a canvas; returns in words where its pixels come from, or null where there are none. */
  paint(canvas, view) {
    const { grid, facts, step, state, difference } = this.exploration;
    if (view === DIFFERENCE) {
      if (!difference.there) return null;
      paintMap(canvas, grid, difference.values, 0, difference.most);
      return "";
    }
    const bitmap = this.bitmaps.get(view === "image" ? "image" : `${view} ${step?.step}`);
    if (bitmap) {
      resizeCanvas(canvas, [bitmap.height, bitmap.width]);
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      return view === "image" ? "" : "decoded by the VAE";
    }
    const isHalf = view === "cond" || view === "uncond";
    const row = isHalf ? facts.guidance.steps.indexOf(step?.step) : state.at;
    if (!this.colours[view] || row < 0) return null;
    paintColours(canvas, grid, this.colours[view], 3 * row * grid[0] * grid[1]);
    return "linear preview";
  }

  /** Frees the bitmaps. */
  close() {
    this.closed = true;
    for (const bitmap of this.bitmaps.values()) bitmap.close();
    this.bitmaps.clear();
  }
}

function* referencesOf({ image, ...kinds }) {
  if (image) yield ["image", image];
  for (const kind of ["x0", "x_t"]) {
    for (const [step, reference] of Object.entries(kinds[kind])) yield [`${kind} ${step}`, reference];
  }
}
