/** Lessons: a question, a guess, and then the network itself answers. Their texts are data: lessons.json. */

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

/** A text with the numbers of which it has the names in braces, as one writes them in a language. */
export function filledText(text, numbers, language) {
  const written = (x) => x.toLocaleString(language, Number.isInteger(x) ? {} : { maximumSignificantDigits: 3 });
  return text.replace(/\{(\w+)\}/g, (_, name) => written(numbers[name]));
}

/** What a run says to a lesson: the numbers that its text names. */
export function numbersOf({ numbers }, { finalError, moments }) {
  const counts = moments.at(-1).changes.flatMap(({ values, bias }) => [...values, ...(bias ?? [])]);
  return { ...numbers, error: finalError, changes: counts.reduce((sum, each) => sum + each, 0) };
}

/**
 * The lessons, of which one is shown: a view of the network, which answers when it is shown at its end.
 *
 * All of them lie in the same place, so that nothing moves, in whichever language.
 */
class Cards {
  constructor({ state, learning, content }) {
    Object.assign(this, { state, learning, content });
    this.guesses = content.lessons.map(() => ({ guess: null, isTried: false, numbers: null }));
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

  get #words() {
    return this.content.labels[this.state.get("language")];
  }

  show(run, moment) {
    const [lesson, own] = [this.content.lessons[this.#place], this.guesses[this.#place]];
    const isAtEnd = run.finished && moment === run.moments.at(-1);
    if (own.isTried && !own.numbers && isAtEnd && areSettings(lesson.settings, (name) => run.settings[name])) {
      own.numbers = numbersOf(lesson, run);
      this.#update();
    }
  }

  #build() {
    const { state, content } = this;
    const [words, language] = [this.#words, state.get("language")];
    const all = content.lessons;
    const place = (k) => filledText(words.progress, { n: k + 1, count: all.length }, language);
    this.cards = all.map(({ [language]: text, numbers }, k) => {
      const radios = text.choices.map((each, n) => {
        const pick = () => this.#guess(k, n);
        const radio = el("input", { type: "radio", name: `guess-${k}`, checked: n === this.guesses[k].guess, on: { change: pick } });
        return el("label", { class: "flag" }, radio, el("span", {}, each));
      });
      const question = el("legend", {}, el("span", { class: "part" }, place(k)), filledText(text.question, numbers, language));
      return el("fieldset", { tabindex: -1 }, question, ...radios);
    });
    this.tried = button(words.try, () => this.#try(), { id: "lesson-try" });
    this.status = el("p", { id: "lesson-status", role: "status" });
    const room = all.map((lesson) => el("p", { class: "room", "aria-hidden": "true" }, this.#answer(lesson, lesson.numbers, false)));
    this.back = button(words.back, () => this.#go(-1), { id: "lesson-back" });
    this.next = button(words.next, () => this.#go(1), { id: "lesson-next" });
    const print = button(words.print, () => printSheet(content, language), { id: "lesson-print" });
    const languages = choiceControl({ state, field: "language", label: words.language, choices: Object.entries(content.languages) });
    this.element.replaceChildren(el("p", { class: "lead" }, words.lead), el("div", { class: "stack" }, ...this.cards), this.tried);
    this.verdict.replaceChildren(...room, this.status);
    this.tools.replaceChildren(el("div", { class: "row" }, this.back, this.next), el("div", { class: "row" }, languages, print));
    [this.element, this.verdict, this.tools].forEach((part) => (part.lang = language));
    this.#update();
  }

  #answer(lesson, numbers, isRight) {
    const language = this.state.get("language");
    return `${isRight ? this.#words.right : this.#words.wrong} ${filledText(lesson[language].why, numbers, language)}`;
  }

  #update() {
    const [place, lesson] = [this.#place, this.content.lessons[this.#place]];
    const { guess, isTried, numbers } = this.guesses[place];
    this.cards.forEach((card, k) => card.classList.toggle("room", k !== place));
    this.tried.disabled = guess === null;
    this.back.disabled = place === 0;
    this.next.disabled = place === this.cards.length - 1;
    this.status.className = numbers ? (guess === lesson.right ? "is-right" : "is-wrong") : "";
    this.status.textContent = numbers ? this.#answer(lesson, numbers, guess === lesson.right) : isTried ? this.#words.watch : "";
  }

  #guess(place, guess) {
    this.guesses[place] = { guess, isTried: false, numbers: null };
    this.#update();
  }

  /** Train the lesson's network, and show from its first iteration on how it learns. */
  #try() {
    const { state, learning, content } = this;
    Object.assign(this.guesses[this.#place], { isTried: true, numbers: null });
    this.#update();
    state.set({ ...ARTICLE_SETTINGS, ...content.lessons[this.#place].settings });
    learning.player.seek(0);
    learning.player.play();
  }

  #go(by) {
    this.state.set({ lesson: this.state.get("lesson") + by });
    this.cards[this.#place].focus();
  }
}

/** Print the lessons: on one page the questions, on another the solutions. */
function printSheet(content, language) {
  const sheet = sheetOf(content, language);
  const { classList } = document.documentElement;
  document.body.append(sheet);
  classList.add("prints-sheet");
  const leave = () => {
    sheet.remove();
    classList.remove("prints-sheet");
  };
  window.addEventListener("afterprint", leave, { once: true });
  window.print();
}

function sheetOf({ lessons: all, labels }, language) {
  const words = labels[language];
  const line = () => el("span", { class: "blank" });
  const questions = all.map(({ [language]: { question, choices }, numbers, settings }) => {
    const set = Object.entries(settings).map(([name, value]) => `${name} = ${value}`).join(", ");
    const boxes = choices.map((each) => el("li", {}, each));
    const parts = [filledText(question, numbers, language), el("small", {}, ` (${words.set}: ${set})`), el("ul", {}, ...boxes)];
    return el("li", {}, ...parts, el("p", {}, `${words.seen}: `, line()), el("p", {}, line()));
  });
  const solutions = all.map(({ [language]: { choices, why }, right, numbers }) =>
    el("li", {}, el("strong", {}, choices[right]), el("p", {}, filledText(why, numbers, language))),
  );
  return el(
    "div",
    { id: "task-sheet", lang: language },
    el("h1", {}, words.sheet),
    el("p", {}, `${words.name}: `, line(), ` ${words.date}: `, line()),
    el("p", {}, words.how),
    el("ol", {}, ...questions),
    el("h1", {}, words.solutions),
    el("ol", {}, ...solutions),
  );
}
