// Two runs side by side in a notebook: one step slider, one hover, and beside them what differs.

import { BinaryContent } from "./content.mjs";
import { make, setText } from "./dom.mjs";
import { Explorer } from "./explorer.mjs";
import { gridName, three } from "./numbers.mjs";
import { paintDifference, paintPictureDifference } from "./painting.mjs";
import PAIR from "./pair.css";
import { cellRegion, isCell } from "./regions.mjs";
import { say } from "./strings.mjs";
import { apart, isolated, regionName } from "./wording.mjs";
import { nameOf } from "./words.mjs";

/** Two explorers of packed traces inside `element`, in the language of `strings`. The first has the controls; what is done in one, the other shows. */
export class Pair {
  constructor(element, runs, strings) {
    const hosts = runs.map((_, i) => make("div", { paired: true, follows: i > 0 }));
    this.hosts = hosts;
    this.strings = strings;
    this.explorers = runs.map(({ facts, data }, i) =>
      new Explorer(hosts[i], facts, new BinaryContent(data), strings, null, null));
    const host = make("div"), root = host.attachShadow({ mode: "open" });
    const columns = hosts.map((one, i) => {
      const run = "ab"[i], { name } = runs[i];
      return make("section", { "aria-label": say(strings, "explorer.pair.run", { run }) },
        make("h3", { text: say(strings, "explorer.pair.name", { run, name }), title: name }), one);
    });
    root.append(make("style", { text: PAIR }), make("div", { class: "pair", lang: strings.lang }, ...columns, this.#makeDifference()));
    element.replaceChildren(host);
    this.#link();
    this.#follow(0);
    this.draw();
  }

  #makeDifference() {
    this.map = make("canvas", { class: "map", role: "img" });
    this.mapText = make("p");
    this.here = make("p", { class: "here" });
    this.pictures = make("canvas", { role: "img" });
    this.picturesText = make("p");
    return make("section", { "aria-label": say(this.strings, "explorer.pair.difference") }, make("h3", { text: "b − a" }), this.map, this.mapText, this.here,
      this.pictures, this.picturesText);
  }

  #link() {
    const [a, b] = this.explorers.map(({ exploration }) => exploration);
    [a.beside, b.beside] = [b, a];
    this.explorers.forEach((one, i) => {
      one.changed = () => this.#follow(i);
      one.pointed = () => this.#pointAs(i);
      one.drawn = () => this.#later();
    });
  }

  /** The other explorer shows what explorer `i` shows, as far as it has it. */
  #follow(i) {
    this.explorers[1 - i].show(this.explorers[i].shownState());
  }

  /** The other explorer points where explorer `i` points. */
  #pointAs(i) {
    const { hover, entries, grid } = this.explorers[i].exploration, other = this.explorers[1 - i];
    other.point(moved(hover.region, grid, other.exploration.grid), entries[hover.word]?.text ?? null);
  }

  #later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      if (!this.gone) this.draw();
    });
  }

  /** Draws what differs: the map of the word, and the pictures beneath the maps. */
  draw() {
    this.#drawMap();
    this.#drawPictures();
  }

  #drawMap() {
    const [a, b] = this.explorers.map(({ exploration }) => exploration), why = apart(a, b), { strings } = this;
    this.map.hidden = this.here.hidden = why !== null;
    if (why !== null) return setText(this.mapText, why);
    const [first, second] = [a, b].map(({ current, word }) => mapOf(current, word));
    const change = second.map((value, i) => value - first[i]), reach = change.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    paintDifference(this.map, a.grid, change, reach);
    const map = say(strings, "explorer.pair.map", { word: isolated(nameOf(a.entries[a.word])) });
    this.map.setAttribute("aria-label", map);
    setText(this.mapText, say(strings, "explorer.pair.map.scale", { map, reach: three(reach) }));
    const [low, high] = [a, b].map((one) => one.current.means(one.word, a.region, {}).inside);
    const [lowest, highest, more] = [low, high, high - low].map(three), region = regionName(strings, a.region, a.grid);
    setText(this.here, say(strings, "explorer.pair.here", { region, low: lowest, high: highest, change: more }));
  }

  #drawPictures() {
    const stages = this.explorers.map(({ stage }) => stage.base), [first, second] = stages;
    const there = stages.every((one) => !one.hidden) && first.width === second.width && first.height === second.height;
    this.pictures.hidden = !there;
    if (!there) return setText(this.picturesText, say(this.strings, "explorer.pair.pictures.none"));
    const mean = paintPictureDifference(this.pictures, first, second);
    this.pictures.setAttribute("aria-label", say(this.strings, "explorer.pair.pictures"));
    setText(this.picturesText, say(this.strings, "explorer.pair.pictures.mean", { mean: three(mean) }));
  }

  /** Ends: nothing is drawn any more. */
  destroy() {
    this.gone = true;
    for (const one of this.explorers) one.destroy();
  }
}

/** The map of an entry. */
const mapOf = (current, word) => current.values.subarray(word * current.cells, (word + 1) * current.cells);

/** A region of one grid on another one; a box is in pixels of the picture, and stays out where the grids differ. */
function moved(region, from, to) {
  if (!region || gridName(from) === gridName(to)) return region;
  if (!isCell(region)) return null;
  return cellRegion((region.row + 0.5) * to[0] / from[0], (region.column + 0.5) * to[1] / from[1], to);
}

/** Shows the widget's two traces in `el`; returns what ends it. */
function render({ model, el }) {
  const runs = ["a", "b"].map((one) => ({
    name: model.get(`name_${one}`), facts: model.get(`facts_${one}`), data: model.get(`data_${one}`),
  }));
  const pair = new Pair(el, runs, model.get("strings"));
  return () => pair.destroy();
}

export default { render };
