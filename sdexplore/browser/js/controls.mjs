// The controls: the step, the view beneath the map, and the choices of prompt, layers, drawing and scale.

import { choice, make, optionsOf, setText } from "./dom.mjs";
import { count, gridName } from "./numbers.mjs";
import { DIFFERENCE, UNPACKING } from "./pictures.mjs";
import { stepInWords } from "./wording.mjs";

/** The slider of steps, and the box that averages over all of them. */
export class Steps {
  constructor(exploration, set) {
    const { steps } = exploration.facts, last = steps.length - 1;
    this.exploration = exploration;
    this.slider = make("input", {
      type: "range", min: 0, max: Math.max(0, last), step: 1, "aria-label": "Step", disabled: last < 1,
      oninput: () => set({ at: Number(this.slider.value), step: steps[this.slider.value].step }),
    });
    this.all = make("input", {
      type: "checkbox", disabled: last < 0,
      onchange: () => set({ step: this.all.checked ? null : exploration.step.step }),
    });
    this.text = make("output", { class: "step-text" });
    const all = make("label", { class: "check", title: "Word maps as the mean over all recorded steps" },
      this.all, " mean of all steps");
    this.element = make("div", { class: "steps" },
      make("label", { class: "row" }, make("span", { class: "label", text: "Step" }), this.slider),
      make("div", { class: "row between" }, this.text, all));
  }

  /** Shows the step; `source` says in words where the picture beneath the map comes from. */
  draw(source) {
    const { state } = this.exploration, at = stepInWords(this.exploration);
    const namesSource = source && state.view !== "image" && state.view !== DIFFERENCE;
    this.slider.value = state.at;
    this.all.checked = state.step === null;
    setText(this.text, namesSource ? `${at}: ${source}` : at);
    this.slider.setAttribute("aria-valuetext", at);
  }
}

/** The views that can lie beneath the map, as small pictures to choose from. */
export class Views {
  constructor(exploration, id, set) {
    const name = `${id}-view`;
    this.exploration = exploration;
    this.element = make("fieldset", { class: "views" }, make("legend", { text: "Show" }));
    this.thumbs = exploration.views.map((view) => {
      const canvas = make("canvas", { class: "thumb", "aria-hidden": "true" });
      const input = make("input", { type: "radio", name, value: view.name, onchange: () => set({ view: view.name }) });
      const text = make("span", { text: view.label });
      this.element.append(make("label", { class: "view", title: view.title }, input, canvas, text));
      return { name: view.name, canvas, input };
    });
    this.element.hidden = this.thumbs.length === 0;
  }

  /** Paints the small pictures of the step. */
  draw(pictures) {
    for (const { name, canvas, input } of this.thumbs) {
      const source = pictures.paint(canvas, name);
      const isEmpty = source === UNPACKING || (source === null && name !== "image");
      if (isEmpty) canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height); // no step but this one's
      canvas.classList.toggle("empty", isEmpty);
      input.checked = name === this.exploration.state.view;
    }
  }
}

/** The choices of role, layers, how the map is drawn, and its scale. */
export class Choices {
  constructor(exploration, set) {
    this.exploration = exploration;
    this.element = make("div", { class: "controls" });
    const { maps } = exploration;
    if (maps.length > 1) {
      this.role = choice("Prompt of", maps.map(({ role }, i) => [String(i), role.role]), "0",
        "Whose prompt and attention", (value) => set({ role: Number(value), word: null, layers: null }));
      this.element.append(this.role.label);
    }
    this.layers = choice("Layers", [], "", "Which layers the maps average",
      (value) => set({ layers: value ? Number(value) : null }));
    this.look = choice("Map", [["over", "over the picture"], ["map", "alone"], ["none", "hidden"]], "over",
      "How the word's map is drawn", (value) => set({ look: value }));
    this.scale = choice("Scale", [["shared", "shared by all words"], ["each", "each word its own"]], "shared",
      "Shared: colours of different words compare. Own: weak words show too", (value) => set({ scale: value }));
    if (maps.length) this.element.append(this.layers.label, this.look.label, this.scale.label);
    const { features } = exploration;
    if (features) {
      const ofModules = features.modules.map(({ name, grid }) => [name, `places alike in ${name} (${gridName(grid)})`]);
      this.features = choice("A click shows", [["", "its words alone"], ...ofModules], "",
        "What a click on a pixel shows on the picture", (value) => set({ features: value || null, alike: true }));
      this.element.append(this.features.label);
    }
    this.element.hidden = maps.length === 0 && !features;
  }

  /** Lists the layers of the role. */
  fill() {
    const { current } = this.exploration;
    const layersOf = (groups) => count(groups.reduce((sum, group) => sum + group.layers.length, 0), "layer");
    const options = [["", `all ${layersOf(current?.groups ?? [])}`]];
    for (const side of current?.resolutions ?? []) {
      const groups = current.groups.filter((group) => group.side === side);
      options.push([side, `${gridName(groups[0].grid)} (${layersOf(groups)})`]);
    }
    this.layers.input.replaceChildren(...optionsOf(options));
  }

  /** Shows what is chosen. */
  draw() {
    const { state } = this.exploration;
    if (this.role) this.role.input.value = String(state.role);
    if (this.features) this.features.input.value = state.features ?? "";
    this.layers.input.value = state.layers ?? "";
    this.look.input.value = state.look;
    this.scale.input.value = state.scale;
  }
}
