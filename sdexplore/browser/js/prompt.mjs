// The prompt: a button for each word, each token of a divided word, and start, end and padding.

import { make, rove } from "./dom.mjs";
import { DIFFERENCE } from "./pictures.mjs";
import { positionsInWords, promptTitle } from "./wording.mjs";
import { isSpecial } from "./words.mjs";

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
    const { current, facts } = this.exploration;
    this.chips = [];
    this.seen = null;
    if (!current) {
      const text = facts.prompt ?? "This run had no prompt.";
      this.title.textContent = "Prompt";
      this.element.replaceChildren(make("p", { class: "plain", dir: "auto", text }));
      return;
    }
    const { lost, role, zeroed, tokenizer } = current.role;
    this.title.textContent = promptTitle(role);
    const words = this.#words(current.role), others = this.#others(current.role);
    this.element.replaceChildren(words, others);
    for (const bar of [words, others]) rove(bar);
    if (zeroed) {
      const text = "This prompt's embeddings are all zeros: attention is uniform and means nothing.";
      this.element.prepend(make("p", { class: "plain", text }));
    }
    if (lost.length) {
      this.element.append(make("p", { class: "note", text: `Cut off by ${tokenizer}: ${lost.join(", ")}` }));
    }
  }

  #words({ entries, sentence }) {
    const bar = make("div", { class: "chips", dir: "auto", role: "toolbar", "aria-label": "Words of the prompt" });
    for (const [place, text] of sentence) {
      if (place === null) bar.append(make("s", { class: "chip lost", title: "cut off by the tokenizer", text }));
      else bar.append(this.#chip(place, text));
      entries.forEach((part, i) => {
        if (part.kind === "part" && part.of === place) bar.append(this.#chip(i, part.text, "part"));
      });
    }
    return bar;
  }

  #others({ entries }) {
    const bar = make("div", { class: "chips", role: "toolbar", "aria-label": "The rest of the token sequence" });
    entries.forEach((entry, i) => {
      if (isSpecial(entry)) bar.append(this.#chip(i, entry.text, "special"));
    });
    return bar;
  }

  #chip(word, text, kind = "") {
    const title = positionsInWords(this.exploration.entries[word]);
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
