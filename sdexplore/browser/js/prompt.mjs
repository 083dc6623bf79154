// The prompt: a button for each word, each token of a divided word, and start, end and padding.

import { make, rove } from "./dom.mjs";
import { DIFFERENCE } from "./pictures.mjs";
import { listed, say } from "./strings.mjs";
import { positionsInWords, promptTitle } from "./wording.mjs";
import { isSpecial, nameOf } from "./words.mjs";

/** The prompt of the chosen role. `point(word)` is called where the pointer or focus is, `choose(word)` on a press. */
export class Prompt {
  constructor(exploration, id, { point, choose }) {
    this.exploration = exploration;
    this.point = point;
    this.choose = choose;
    this.chips = [];
    this.seen = null; // the word that was scrolled to
    this.title = make("h3", { id: `${id}-prompt` });
    this.element = make("div", { class: "prompt" });
  }

  /** Makes the buttons of the role's prompt. */
  fill() {
    const { current, facts, strings } = this.exploration;
    this.chips = [];
    this.seen = null;
    if (!current) {
      const text = facts.prompt ?? say(strings, "explorer.prompt.none");
      this.title.textContent = say(strings, "explorer.prompt");
      this.element.replaceChildren(make("p", { class: "plain", dir: "auto", text }));
      return;
    }
    const { lost, role, zeroed, tokenizer } = current.role;
    this.title.textContent = promptTitle(strings, role);
    const words = this.#words(current.role), others = this.#others(current.role);
    this.element.replaceChildren(words, others);
    for (const bar of [words, others]) rove(bar);
    if (zeroed) {
      this.element.prepend(make("p", { class: "plain", text: say(strings, "explorer.prompt.zeroed") }));
    }
    if (lost.length) {
      const text = say(strings, "explorer.prompt.lost", { tokenizer, words: listed(strings, lost) });
      this.element.append(make("p", { class: "note", text }));
    }
  }

  #words({ entries, sentence }) {
    const { strings } = this.exploration, title = say(strings, "explorer.prompt.lost.word");
    const attributes = { class: "chips", dir: "auto", role: "toolbar", "aria-label": say(strings, "explorer.prompt.words") };
    const bar = make("div", attributes);
    for (const [place, text] of sentence) {
      if (place === null) bar.append(make("s", { class: "chip lost", title, text }));
      else bar.append(this.#chip(place, entries[place].name ?? text));
      entries.forEach((part, i) => {
        if (part.kind === "part" && part.of === place) bar.append(this.#chip(i, nameOf(part), "part"));
      });
    }
    return bar;
  }

  #others({ entries }) {
    const label = say(this.exploration.strings, "explorer.prompt.others");
    const bar = make("div", { class: "chips", role: "toolbar", "aria-label": label });
    entries.forEach((entry, i) => {
      if (isSpecial(entry)) bar.append(this.#chip(i, nameOf(entry), "special"));
    });
    return bar;
  }

  #chip(word, text, kind = "") {
    const { entries, strings } = this.exploration, title = positionsInWords(strings, entries[word]);
    const chip = make("button", {
      type: "button", class: `chip ${kind}`, "aria-pressed": "false", title, text,
      onpointerenter: (event) => event.pointerType === "mouse" && this.point(word),
      onpointerleave: () => this.point(null),
      onfocus: () => this.point(word), onblur: () => this.point(null),
      onclick: () => this.choose(word),
    });
    this.chips.push({ chip, word });
    return chip;
  }

  /** Marks the chosen word and the pointed one. */
  draw() {
    const { state, hover } = this.exploration;
    for (const { chip, word } of this.chips) {
      chip.setAttribute("aria-pressed", String(word === state.word && state.view !== DIFFERENCE));
      chip.classList.toggle("hovered", word === hover.word);
    }
    if (this.seen === state.word) return;
    this.seen = state.word;
    reveal(this.chips.find(({ word }) => word === state.word)?.chip);
  }
}

/** Scrolls a long prompt, and nothing else, until the chip is seen. */
function reveal(chip) {
  if (!chip) return;
  const bar = chip.parentElement, inner = chip.getBoundingClientRect(), outer = bar.getBoundingClientRect();
  if (inner.top < outer.top) bar.scrollTop -= outer.top - inner.top;
  else if (inner.bottom > outer.bottom) bar.scrollTop += inner.bottom - outer.bottom;
}
