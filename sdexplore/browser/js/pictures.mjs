// What the stage can show beneath a map: pictures decoded by the VAE, linear previews, and halves of guidance.

import { paintColours, paintMap, resizeCanvas } from "./painting.mjs";
import { say } from "./strings.mjs";

/** The view that shows where guidance changes the noise prediction; it is a map, with no picture of its own. */
export const DIFFERENCE = "difference";

/** What `paint` says of a view whose pixels are not there yet. */
export const UNPACKING = "unpacking";

/** The views that these facts allow, each with its name, label and title. */
export function viewsOf({ pictures, previews, guidance }, strings) {
  const views = [];
  const add = (name, label, title) => views.push({ name, label: say(strings, label), title: say(strings, title) });
  if (pictures.image) add("image", "explorer.view.image", "explorer.view.image.title");
  if (previews.x0 || Object.keys(pictures.x0).length) add("x0", "explorer.view.x0", "explorer.view.x0.title");
  if (previews.x_t || Object.keys(pictures.x_t).length) add("x_t", "explorer.view.x_t", "explorer.view.x_t.title");
  if (guidance?.uncond) {
    add("uncond", "explorer.view.uncond", "explorer.view.uncond.title");
    add("cond", "explorer.view.cond", "explorer.view.cond.title");
  }
  if (guidance) add(DIFFERENCE, "explorer.view.difference", "explorer.view.difference.title");
  return views;
}

/** The pictures of an exploration. `still` is the finished one where the page has it already. */
export class Pictures {
  constructor(exploration, still) {
    this.exploration = exploration;
    this.bitmaps = new Map(still ? [["image", still]] : []); // "kind step" -> what a canvas draws
    this.unreadable = new Set();
  }

  /** Has the browser decode the pictures one after the other, from the last step on; `arrived` is called after each. */
  async load(arrived) {
    const { facts, content } = this.exploration;
    for (const [name, { at, length, type }] of referencesOf(facts.pictures)) {
      if (this.closed) return;
      const bitmap = await createImageBitmap(new Blob([content.part(at, length)], { type })).catch(() => null);
      if (this.closed) return bitmap?.close();
      if (bitmap) this.bitmaps.set(name, bitmap);
      else this.unreadable.add(name);
      arrived();
    }
  }

  /** Paints a view on a canvas; returns in words where its pixels come from, or null where there are none. */
  paint(canvas, view) {
    const { exploration } = this, { grid, step, difference, previews, strings } = exploration;
    if (view === DIFFERENCE) {
      if (difference.waits) return UNPACKING;
      if (!difference.there) return null;
      paintMap(canvas, grid, difference.values, 0, difference.most);
      return "";
    }
    const name = view === "image" ? "image" : `${view} ${step?.step}`, bitmap = this.bitmaps.get(name);
    if (bitmap) {
      resizeCanvas(canvas, [bitmap.naturalHeight ?? bitmap.height, bitmap.naturalWidth ?? bitmap.width]);
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      return view === "image" ? "" : say(strings, "explorer.source.decoded");
    }
    const rows = previews[view], row = exploration.rowOf(view);
    if (!rows || row < 0) return this.#isComing(view) ? UNPACKING : null;
    if (!rows.has(row)) return UNPACKING;
    paintColours(canvas, grid, rows.numbers, row * rows.size);
    return say(strings, this.unreadable.has(name) ? "explorer.source.unreadable" : "explorer.source.linear");
  }

  /** Whether a picture without a preview to stand for it is still being decoded. */
  #isComing(view) {
    const { facts: { pictures }, step } = this.exploration;
    const isImage = view === "image", name = isImage ? "image" : `${view} ${step?.step}`;
    return Boolean(isImage ? pictures.image : pictures[view]?.[step?.step]) && !this.unreadable.has(name);
  }

  /** Frees the bitmaps. */
  close() {
    this.closed = true;
    for (const bitmap of this.bitmaps.values()) bitmap.close?.();
    this.bitmaps.clear();
  }
}

function* referencesOf({ image, ...kinds }) {
  if (image && !image.of_page) yield ["image", image];
  const later = ([one], [other]) => other - one;
  const found = ["x0", "x_t"].flatMap((kind) =>
    Object.entries(kinds[kind]).map(([step, reference]) => [step, `${kind} ${step}`, reference]));
  for (const [, name, reference] of found.sort(later)) yield [name, reference];
}
