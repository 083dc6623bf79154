// The stage: the picture with a map over it, which pointers and keys explore; and the bar of its colours.

import { make, setText } from "./dom.mjs";
import { three } from "./numbers.mjs";
import { OPAQUE, OVER, paintLikeness, paintLikenessRamp, paintMap, paintRamp } from "./painting.mjs";
import { DIFFERENCE, UNPACKING } from "./pictures.mjs";
import { boxBetween, boxRegion, cellRegion, frameOf } from "./regions.mjs";
import { say } from "./strings.mjs";
import { alt } from "./wording.mjs";

const DRAG = 4; // pixels that a pointer moves before it draws a region
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * The picture, the map over it, and the frame of the region.
 *
 * `point(region)` is called where a pointer is (null: it left), `choose(region)` where it was released, and
 * `move(direction, extend)` for an arrow key.
 */
export class Stage {
  constructor(exploration, keysId, { point, choose, move }) {
    const [high, wide] = exploration.size;
    this.exploration = exploration;
    this.drawing = false;
    this.base = make("canvas", { class: "base", "aria-hidden": "true" });
    this.heat = make("canvas", { class: "heat", "aria-hidden": "true" });
    this.frame = make("div", { class: "frame", hidden: true });
    this.veil = make("p", { class: "veil", hidden: true });
    const attributes = {
      class: "stage", tabindex: "0", role: "application", "aria-roledescription": say(exploration.strings, "explorer.stage"),
      "aria-label": alt(exploration), "aria-describedby": keysId, style: `aspect-ratio: ${wide} / ${high}`,
    };
    this.element = make("div", attributes, this.base, this.heat, this.frame, this.veil);
    this.#listenToPointers(point, choose);
    this.element.addEventListener("keydown", (event) => {
      const direction = ARROWS[event.key];
      if (!direction || event.altKey || event.ctrlKey || event.metaKey) return;
      move(direction, event.shiftKey);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  #listenToPointers(point, choose) {
    const { element, exploration } = this, { size, grid } = exploration;
    const scaled = (event, [high, wide]) => {
      const box = element.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * wide, ((event.clientY - box.top) / box.height) * high];
    };
    const cellAt = (event) => {
      const [x, y] = scaled(event, grid);
      return cellRegion(y, x, grid);
    };
    const pixelAt = (event) => scaled(event, size).map((value, i) => Math.max(0, Math.min(size[1 - i], value)));
    const listen = (kind, answer) => element.addEventListener(kind, (event) => event.isPrimary && answer(event));
    let start = null;
    const boxTo = (event) => boxRegion(boxBetween(start.pixel, pixelAt(event)), size, grid);
    listen("pointerdown", (event) => {
      if (event.button !== 0) return;
      const isTouch = event.pointerType !== "mouse";
      start = { x: event.clientX, y: event.clientY, pixel: pixelAt(event), isTouch, box: null };
      element.setPointerCapture(event.pointerId);
      if (isTouch) point(cellAt(event));
    });
    listen("pointermove", (event) => {
      const far = start && Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG;
      if (far && (!start.isTouch || this.drawing)) {
        start.box = boxTo(event);
        point(start.box);
      } else if (!start || start.isTouch) point(cellAt(event));
    });
    listen("pointerup", (event) => {
      if (!start) return;
      const region = start.box ?? cellAt(event);
      start = null;
      choose(region);
    });
    listen("pointercancel", () => {
      start = null;
      point(null);
    });
    listen("pointerleave", () => {
      if (!start) point(null);
    });
  }

  /** Whether a finger draws a region; otherwise it points and scrolls the page. */
  setDrawing(on) {
    this.drawing = on;
    this.element.classList.toggle("drawing", on);
  }

  /** Draws what lies beneath the map; returns in words where it comes from, or null where there is nothing. */
  drawBase(pictures) {
    const { state, usual, grid } = this.exploration;
    const beneath = state.view === DIFFERENCE ? usual : state.view;
    const source = beneath === null ? null : pictures.paint(this.base, beneath);
    this.base.hidden = source === null || source === UNPACKING;
    this.base.classList.toggle("coarse", this.base.width === grid[1]);
    return source;
  }

  /** Draws the map of likeness, of the word, or of the difference; returns the top of its colours, 0 without. */
  drawHeat(hint) {
    const { state, current, word, grid, difference, likeness } = this.exploration;
    const isDifference = word === null && state.view === DIFFERENCE && difference.there;
    const isMap = likeness !== null || word !== null || isDifference;
    this.heat.hidden = !isMap || state.look === "none";
    const alone = state.look === "map" || this.base.hidden, colours = alone ? OPAQUE : OVER;
    this.heat.classList.toggle("alone", alone);
    let top = 0;
    if (likeness) {
      top = 1;
      paintLikeness(this.heat, likeness.grid, likeness.values, alone);
    } else if (word !== null) {
      ({ top } = this.exploration.scaleOf(word));
      paintMap(this.heat, grid, current.values, word * current.cells, top, colours);
    } else if (isDifference) {
      top = difference.most;
      paintMap(this.heat, grid, difference.values, 0, top, colours);
    }
    this.veil.hidden = !(this.base.hidden && this.heat.hidden);
    setText(this.veil, hint);
    return top;
  }

  /** Draws the frame of a region; null is the whole picture, which has none. */
  drawFrame(region) {
    this.frame.hidden = !region;
    if (!region) return;
    const { size, likeness } = this.exploration, isMarked = likeness && region === this.exploration.state.region;
    const grid = isMarked ? likeness.grid : this.exploration.grid; // the cell whose features are compared
    if (isMarked) region = likeness.region;
    for (const [side, share] of Object.entries(frameOf(region, size, grid))) this.frame.style[side] = `${100 * share}%`;
  }
}

/** The colours of the map from 0 to their top, and a tick at the region's value. */
export class ColourBar {
  constructor() {
    const ramp = make("canvas", { class: "ramp", "aria-hidden": "true" });
    paintRamp(ramp);
    this.tick = make("i", { class: "tick", hidden: true });
    this.begin = make("span", { class: "number", text: "0" });
    this.end = make("span", { class: "number" });
    this.element = make("div", { class: "scale" }, this.begin, make("div", { class: "ramp-box" }, ramp, this.tick), this.end);
    this.ramp = ramp;
    this.isSigned = false;
    this.top = 0;
  }

  /** Shows the top of the colours, from 0 or, signed, from its negative; 0 hides the bar in its place. */
  drawTop(top, isSigned = false) {
    if (isSigned !== this.isSigned) (isSigned ? paintLikenessRamp : paintRamp)(this.ramp);
    this.isSigned = isSigned;
    setText(this.begin, isSigned ? `−${three(top)}` : "0");
    this.top = top;
    this.element.classList.toggle("unneeded", !top);
    setText(this.end, top ? three(top) : "");
  }

  /** Marks a value; null marks none. */
  drawTick(value) {
    this.tick.hidden = value === null || !this.top || this.isSigned;
    if (!this.tick.hidden) this.tick.style.left = `${Math.min(100, (100 * value) / this.top)}%`;
  }
}
