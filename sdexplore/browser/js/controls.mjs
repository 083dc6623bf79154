// The controls: the step, the view beneath the map, and the choices of prompt, layers, drawing and scale.

import { choice, make, optionsOf, setText } from "./dom.mjs";
import { gridName } from "./numbers.mjs";
import { DIFFERENCE, UNPACKING } from "./pictures.mjs";
import { countedLayers, say } from "./strings.mjs";
import { roleName, stepInWords } from "./wording.mjs";

/** The slider of steps, and the box that averages over all of them. */
export class Steps {
  constructor(exploration, set) {
    const { strings, facts: { steps } } = exploration, last = steps.length - 1, name = say(strings, "explorer.step.label");
    this.exploration = exploration;
    this.slider = make("input", {
      type: "range", min: 0, max: Math.max(0, last), step: 1, "aria-label": name, disabled: last < 1,
      oninput: () => set({ at: Number(this.slider.value), step: steps[this.slider.value].step }),
    });
    this.all = make("input", {
      type: "checkbox", disabled: last < 0,
      onchange: () => set({ step: this.all.checked ? null : exploration.step.step }),
    });
    this.text = make("output", { class: "step-text" });
    const all = make("label", { class: "check", title: say(strings, "explorer.step.mean.title") },
      this.all, ` ${say(strings, "explorer.step.mean")}`);
    this.element = make("div", { class: "steps" },
      make("label", { class: "row" }, make("span", { class: "label", text: name }), this.slider),
      make("div", { class: "row between" }, this.text, all));
  }

  /** Shows the step; `source` says in words where the picture beneath the map comes from. */
  draw(source) {
    const { state, strings } = this.exploration, at = stepInWords(this.exploration);
    const namesSource = source && state.view !== "image" && state.view !== DIFFERENCE;
    this.slider.value = state.at;
    this.all.checked = state.step === null;
    setText(this.text, namesSource ? say(strings, "explorer.step.source", { step: at, source }) : at);
    this.slider.setAttribute("aria-valuetext", at);
  }
}

/** The views that can lie beneath the map, as small pictures to choose from. */
export class Views {
  constructor(exploration, id, set) {
    const name = `${id}-view`;
    this.exploration = exploration;
    this.element = make("fieldset", { class: "views" }, make("legend", { text: say(exploration.strings, "explorer.views") }));
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
    const { maps, strings } = exploration;
    if (maps.length > 1) {
      this.role = choice(say(strings, "explorer.choice.role"),
        maps.map(({ role }, i) => [String(i), roleName(strings, role.role)]), "0",
        say(strings, "explorer.choice.role.title"), (value) => set({ role: Number(value), word: null, layers: null }));
      this.element.append(this.role.label);
    }
    this.layers = choice(say(strings, "explorer.choice.layers"), [], "", say(strings, "explorer.choice.layers.title"),
      (value) => set({ layers: value ? Number(value) : null }));
    const looks = [
      ["over", say(strings, "explorer.choice.look.over")], ["map", say(strings, "explorer.choice.look.map")],
      ["none", say(strings, "explorer.choice.look.none")],
    ];
    this.look = choice(say(strings, "explorer.choice.look"), looks, "over", say(strings, "explorer.choice.look.title"),
      (value) => set({ look: value }));
    const scales = [
      ["shared", say(strings, "explorer.choice.scale.shared")], ["each", say(strings, "explorer.choice.scale.each")],
    ];
    this.scale = choice(say(strings, "explorer.choice.scale"), scales, "shared", say(strings, "explorer.choice.scale.title"),
      (value) => set({ scale: value }));
    if (maps.length) this.element.append(this.layers.label, this.look.label, this.scale.label);
    const { features } = exploration;
    if (features) {
      const ofModules = features.modules.map(({ name, grid }) =>
        [name, say(strings, "explorer.choice.click.alike", { module: name, grid: gridName(grid) })]);
      this.features = choice(say(strings, "explorer.choice.click"),
        [["", say(strings, "explorer.choice.click.words")], ...ofModules], "",
        say(strings, "explorer.choice.click.title"), (value) => set({ features: value || null, alike: true }));
      this.element.append(this.features.label);
    }
    this.element.hidden = maps.length === 0 && !features;
  }

  /** Lists the layers of the role. */
  fill() {
    const { current, strings } = this.exploration;
    const layersOf = (groups) => countedLayers(strings, groups.reduce((sum, group) => sum + group.layers.length, 0));
    const options = [["", say(strings, "explorer.choice.layers.all", { layers: layersOf(current?.groups ?? []) })]];
    for (const side of current?.resolutions ?? []) {
      const groups = current.groups.filter((group) => group.side === side), grid = gridName(groups[0].grid);
      options.push([side, say(strings, "explorer.choice.layers.grid", { grid, layers: layersOf(groups) })]);
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
