// The linked explorer: a picture, the words of its prompt, and where each step looked at which word.
//
// An Explorer shows an Exploration with its parts (stage, steps, views, prompt, ranking, choices, foot) in a shadow
// root. A part draws what the exploration holds; what the user does changes the exploration, and the parts that show
// the change are drawn in the next frame.

import { Choices, Steps, Views } from "./controls.mjs";
import { make, setText } from "./dom.mjs";
import { Exploration } from "./exploration.mjs";
import { Foot } from "./foot.mjs";
import { idle } from "./idle.mjs";
import { DIFFERENCE, Pictures } from "./pictures.mjs";
import { Prompt } from "./prompt.mjs";
import { Division, Ranking } from "./ranking.mjs";
import { movedRegion, sameCell } from "./regions.mjs";
import { ColourBar, Stage } from "./stage.mjs";
import STYLES from "./style.css";
import { listed, say } from "./strings.mjs";
import { differenceInWords, firstWords, likenessInWords, mapAndScale, mapInWords, nothingToShow, regionName } from "./wording.mjs";

const QUIET = 120; // milliseconds: while keys repeat, only the last place is said

let instances = 0;

/**
 * The explorer of a packed trace in `host`, in the language of `strings`; `changed` is called after the user changed
 * what is shown.
 *
 * `still` is the finished picture, an <img>, where the page has it already. `pointed` and `drawn` may be set to
 * functions: called where a pointer is elsewhere, and after each drawing.
 */
export class Explorer {
  constructor(host, facts, content, strings, changed, still) {
    this.exploration = new Exploration(facts, content, strings);
    this.changed = changed;
    this.pointed = this.drawn = null;
    this.id = `sdx${++instances}`;
    this.dirty = new Set(["maps", "base"]);
    this.#makeParts();
    this.#keepKeys(host);
    const root = host.attachShadow({ mode: "open" });
    root.append(make("style", { text: STYLES }), this.#layOut());
    this.#fill();
    this.pictures = new Pictures(this.exploration, still);
    this.draw();
    requestAnimationFrame(() => this.#begin(content));
  }

  // -------------------------------------------------------------------------------------------------- elements

  #makeParts() {
    const { exploration, id } = this;
    const set = (change) => this.#set(change);
    const point = (word) => this.#pointAtWord(word);
    this.stage = new Stage(exploration, `${id}-keys`, {
      point: (region) => this.#pointAtRegion(region),
      choose: (region) => this.#chooseRegion(region),
      move: (direction, extend) => this.#moveCursor(direction, extend),
    });
    this.bar = new ColourBar();
    this.steps = new Steps(exploration, set);
    this.views = new Views(exploration, id, set);
    this.prompt = new Prompt(exploration, id, {
      point,
      choose: (word) => {
        this.#chooseWord(word);
        this.#say(mapInWords(exploration));
      },
    });
    this.ranking = new Ranking(exploration, { point, choose: (word) => this.#chooseWord(word) });
    this.division = new Division(exploration.strings);
    this.choices = new Choices(exploration, set);
    this.foot = new Foot(exploration);
    this.what = make("p", { class: "what" });
    this.brief = make("p", { class: "brief", "aria-hidden": "true" }); // where the list is beneath the fold
    this.live = make("div", { class: "hidden", "aria-live": "polite", role: "status" });
  }

  /** Keeps plain keys: in JupyterLab, arrows would leave the cell and "d d" delete it. Ctrl+S stays JupyterLab's. */
  #keepKeys(host) {
    const keep = (event) => host.toggleAttribute("data-lm-suppress-shortcuts", !(event?.ctrlKey || event?.metaKey));
    host.addEventListener("keydown", keep, true);
    keep();
  }

  #layOut() {
    const { size, strings } = this.exploration;
    const root = make("section", {
      class: "explorer", lang: strings.lang, "aria-busy": "true", "aria-label": say(strings, "explorer.label"),
    });
    root.style.setProperty("--ratio", size[1] / size[0]);
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#set({ region: null });
      event.stopPropagation();
    });
    const left = make("div", { class: "left" }, this.stage.element, this.bar.element, this.brief, this.what,
      this.steps.element, this.views.element);
    const side = make("div", { class: "side" }, this.prompt.title, this.prompt.element, this.#regionLine(),
      this.ranking.list, this.ranking.note, this.division.element, this.choices.element, this.live,
      make("p", { class: "hidden", id: `${this.id}-keys`, text: say(strings, "explorer.keys") }));
    root.append(left, side, this.foot.element);
    this.root = root;
    return root;
  }

  /** The name of the region, and the buttons that draw one and clear it. */
  #regionLine() {
    const { strings } = this.exploration;
    this.regionTitle = make("h3");
    this.clear = make("button", {
      type: "button", class: "quiet", text: say(strings, "explorer.region.clear"),
      title: say(strings, "explorer.region.clear.title"),
      onclick: () => this.#set({ region: null }),
    });
    const draw = make("button", {
      type: "button", class: "quiet", "aria-pressed": "false", text: say(strings, "explorer.region.draw"),
      title: say(strings, "explorer.region.draw.title"),
      onclick: () => {
        this.stage.setDrawing(!this.stage.drawing);
        draw.setAttribute("aria-pressed", String(this.stage.drawing));
      },
    });
    this.regionLine = make("div", { class: "row between" }, this.regionTitle,
      make("div", { class: "row" }, this.clear, draw));
    return this.regionLine;
  }

  /** Makes what belongs to a role: chips, rows, layers. */
  #fill() {
    const { current } = this.exploration;
    const ofAttention = [
      this.brief, this.ranking.list, this.ranking.note, this.division.element, this.regionLine, this.bar.element,
    ];
    for (const part of ofAttention) part.hidden = !current;
    for (const part of [this.prompt, this.ranking, this.choices]) part.fill();
  }

  // -------------------------------------------------------------------------------------------------- changes

  #set(change, { tell = true } = {}) {
    const { exploration } = this, before = JSON.stringify(exploration.state);
    exploration.set(change);
    if (change.role !== undefined) this.#fill();
    const onlyRegion = Object.keys(change).every((name) => name === "region" || name === "alike");
    if (onlyRegion) this.#later("heat");
    else this.#later("maps", "base");
    if (tell && JSON.stringify(exploration.state) !== before) this.changed?.();
  }

  #pointAtRegion(region) {
    const { hover } = this.exploration;
    if (region === hover.region || sameCell(region, hover.region)) return;
    hover.region = region;
    this.#later("reading");
    this.pointed?.();
  }

  #pointAtWord(word) {
    const { hover } = this.exploration;
    if (word === hover.word) return;
    hover.word = word;
    this.#later("heat");
    this.pointed?.();
  }

  /** Shows a region and a word as if a pointer were there; null is none. */
  point(region, text) {
    this.exploration.pointAt(region, text);
    this.#later("heat");
  }

  #chooseWord(word) {
    const { state, usual } = this.exploration;
    this.#set({ word, alike: false, view: state.view === DIFFERENCE ? usual : state.view });
  }

  /** Chooses a region; the cell that is chosen already is given up. */
  #chooseRegion(region) {
    const { hover, state } = this.exploration;
    hover.region = null;
    this.#set({ region: sameCell(region, state.region) ? null : region, alike: true });
    this.#sayRegion();
  }

  #moveCursor(direction, extend) {
    const { state, size, grid } = this.exploration;
    this.#set({ region: movedRegion(state.region, direction, extend, size, grid), alike: true });
    this.#sayRegion();
  }

  /** What is shown, in the names of sdexplore's functions. */
  shownState() {
    return this.exploration.shown();
  }

  /** Shows what `wanted` names; what is not there changes nothing. */
  show(wanted) {
    this.#set(this.exploration.changeTo(wanted), { tell: false });
  }

  // -------------------------------------------------------------------------------------------------- drawing

  #later(...parts) {
    if (!this.dirty.size) requestAnimationFrame(() => this.draw());
    for (const part of parts) this.dirty.add(part);
  }

  /** Begins with what is not in the first frame. */
  async #begin(content) {
    await content.ready;
    if (this.gone) return;
    this.pictures.load(() => this.#later("base"));
    this.#unpack();
  }

  /** Unpacks single steps while the browser has nothing else to do, and draws those that are waited for. */
  #unpack() {
    idle((deadline) => {
      if (this.gone) return;
      const { waits } = this.exploration, isDone = this.exploration.unpack(() => deadline.timeRemaining() < 1);
      if (waits) this.#later("maps", "base");
      if (isDone) this.root.setAttribute("aria-busy", "false");
      else this.#unpack();
    });
  }

  /** Draws what changed: "maps" and "base" draw the map over them too, and each draws the reading. */
  draw() {
    if (this.gone) return;
    const { dirty } = this;
    this.dirty = new Set();
    const needs = (...parts) => parts.some((part) => dirty.has(part));
    if (needs("maps")) this.ranking.paintMaps();
    if (needs("base")) this.#drawBase();
    if (needs("base", "heat")) this.#drawHeat();
    this.#drawReading();
    this.drawn?.();
  }

  #drawBase() {
    this.views.draw(this.pictures);
    this.steps.draw(this.stage.drawBase(this.pictures));
    this.choices.draw();
  }

  #drawHeat() {
    const { exploration } = this, { current, word, state, difference, likeness } = exploration;
    const isDifference = word === null && state.view === DIFFERENCE && difference.there;
    this.bar.drawTop(this.stage.drawHeat(nothingToShow(exploration)), likeness !== null);
    this.bar.element.hidden = !current && !isDifference && !likeness;
    if (likeness) setText(this.what, likenessInWords(exploration));
    else if (word !== null) {
      setText(this.what, mapAndScale(exploration, exploration.scaleOf(word).own));
    } else setText(this.what, isDifference ? differenceInWords(exploration) : nothingToShow(exploration));
    this.prompt.draw();
  }

  #drawReading() {
    const { exploration } = this, { strings, region, current, state, word, grid } = exploration;
    this.stage.drawFrame(region);
    this.clear.classList.toggle("unneeded", state.region === null);
    if (!current) return;
    const reading = exploration.read(region), name = regionName(strings, region, grid);
    setText(this.regionTitle, say(strings, "explorer.region.title", { region: name }));
    this.ranking.draw(reading);
    const words = firstWords(exploration, reading, 3).join(" · ") || say(strings, "explorer.region.no_words");
    setText(this.brief, say(strings, "explorer.region.words", { region: name, words }));
    this.division.draw(exploration, reading.shares);
    this.bar.drawTick(region && word !== null ? reading.insides[word] : null);
    this.foot.draw(exploration);
  }

  // -------------------------------------------------------------------------------------------------- saying

  #say(text) {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => setText(this.live, text), QUIET);
  }

  #sayRegion() {
    const { exploration } = this, { state, grid, strings } = exploration;
    const words = exploration.current ? firstWords(exploration, exploration.read(state.region), 4) : [];
    const alike = exploration.likeness ? [likenessInWords(exploration)] : [];
    if (!words.length && !alike.length) return;
    const names = { region: regionName(strings, state.region, grid), words: listed(strings, words) };
    this.#say([say(strings, "explorer.region.words", names), ...alike].join(" "));
  }

  /** Ends: nothing is drawn or said any more. */
  destroy() {
    this.gone = true;
    clearTimeout(this.speaking);
    this.pictures.close();
  }
}
