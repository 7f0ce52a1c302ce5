/** Lessons: a question, a guess, and then the network itself answers. Their texts are data: see lessons.py. */

import { Answers } from "./answers.js";
import { button, choiceControl } from "./controls.js";
import { el } from "./dom.js";
import { ErrorCurve } from "./error_curve.js";
import { ARTICLE_SETTINGS, areSettings } from "./presets.js";
import { choice, count } from "./state.js";

/** The live section of the lessons. */
export const lessons = {
  name: "lessons",

  fields: (pack) => {
    const { languages, lessons: all } = pack.json("lessons");
    const codes = Object.keys(languages);
    return { language: choice("language", codes[0], codes), lesson: count("lesson", 1, 1, all.length) };
  },

  async start({ state, pack, root, learning }) {
    const content = pack.json("lessons");
    const curve = new ErrorCurve(() => state.get("logError"));
    const answers = new Answers({ onChoose: (n) => learning.choose(n) });
    const cards = new Cards({ state, learning, content });
    const stage = el("div", { class: "lesson-stage" }, curve.chart.element, learning.player.bar(), answers.element);
    root.append(el("div", { class: "lessons" }, cards.element, stage, cards.verdict, cards.tools));
    [curve, answers, cards].forEach((view) => learning.add(view));
    state.on(["logError"], () => curve.chart.draw());
  },
};

/**
 * The lessons, of which one is shown: a view of the network, which answers when it is shown at its end.
 *
 * All of them lie in the same place, so that nothing moves, in whichever language.
 */
class Cards {
  constructor({ state, learning, content }) {
    Object.assign(this, { state, learning, content });
    this.guesses = content.lessons.map(() => ({ guess: null, isTried: false, isOver: false }));
    this.element = el("div", { class: "lesson-cards" });
    this.verdict = el("div", { class: "lesson-verdict stack" });
    this.tools = el("div", { class: "lesson-tools" });
    state.on(["language"], () => this.#build());
    state.on(["lesson"], () => this.#update());
    this.#build();
  }

  get #place() {
    return this.state.get("lesson") - 1;
  }

  show(run, moment) {
    const [{ settings }, own] = [this.content.lessons[this.#place], this.guesses[this.#place]];
    const isAtEnd = run.finished && moment === run.moments.at(-1);
    if (own.isTried && !own.isOver && isAtEnd && areSettings(settings, (name) => run.settings[name])) {
      own.isOver = true;
      this.#update();
    }
  }

  #build() {
    const { state, content } = this;
    const language = state.get("language");
    const words = content.labels[language];
    const texts = content.lessons.map((lesson) => lesson[language]);
    this.words = words;
    this.cards = texts.map(({ progress, question, choices }, k) => {
      const radios = choices.map((choice, n) => {
        const pick = () => this.#change({ guess: n, isTried: false, isOver: false });
        const radio = el("input", { type: "radio", name: `guess-${k}`, checked: n === this.guesses[k].guess, on: { change: pick } });
        return el("label", { class: "flag" }, radio, el("span", {}, choice));
      });
      return el("fieldset", { tabindex: -1 }, el("legend", {}, el("span", { class: "part" }, progress), question), ...radios);
    });
    this.tried = button(words.try, () => this.#try(), { id: "lesson-try" });
    this.status = el("p", { id: "lesson-status", role: "status" });
    const room = texts.map(({ why }) => el("p", { class: "room", "aria-hidden": "true" }, `${words.wrong} ${why}`));
    this.back = button(words.back, () => this.#go(-1), { id: "lesson-back" });
    this.next = button(words.next, () => this.#go(1), { id: "lesson-next" });
    const print = button(words.print, () => printSheet(language), { id: "lesson-print" });
    const languages = choiceControl({ state, field: "language", label: words.language, choices: Object.entries(content.languages) });
    this.element.replaceChildren(el("p", { class: "lead" }, words.lead), el("div", { class: "stack" }, ...this.cards), this.tried);
    this.verdict.replaceChildren(...room, this.status);
    this.tools.replaceChildren(el("div", { class: "row" }, this.back, this.next), el("div", { class: "row" }, languages, print));
    [this.element, this.verdict, this.tools].forEach((part) => (part.lang = language));
    this.#update();
  }

  #update() {
    const { words, cards, state } = this;
    const [place, lesson] = [this.#place, this.content.lessons[this.#place]];
    const { guess, isTried, isOver } = this.guesses[place];
    const verdict = guess === lesson.right ? "right" : "wrong";
    cards.forEach((card, k) => card.classList.toggle("room", k !== place));
    this.tried.disabled = guess === null;
    this.back.disabled = place === 0;
    this.next.disabled = place === cards.length - 1;
    this.status.className = isOver ? `is-${verdict}` : "";
    this.status.textContent = isOver ? `${words[verdict]} ${lesson[state.get("language")].why}` : isTried ? words.watch : "";
  }

  #change(changed) {
    Object.assign(this.guesses[this.#place], changed);
    this.#update();
  }

  /** Train the lesson's network, and show from its first iteration on how it learns. */
  #try() {
    const { state, learning, content } = this;
    this.#change({ isTried: true, isOver: false });
    state.set({ ...ARTICLE_SETTINGS, ...content.lessons[this.#place].settings });
    learning.player.seek(0);
    learning.player.play();
  }

  #go(by) {
    this.state.set({ lesson: this.state.get("lesson") + by });
    this.cards[this.#place].focus();
  }
}

/** Print the task sheet of a language and nothing else; Python has written it. */
function printSheet(language) {
  const sheet = document.getElementById(`task-sheet-${language}`);
  sheet.hidden = false;
  window.addEventListener("afterprint", () => (sheet.hidden = true), { once: true });
  window.print();
}
