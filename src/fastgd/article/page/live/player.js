/** Time: a position that plays, pauses, steps and is moved by hand, with as many bars as one likes. */

import { button } from "./controls.js";
import { el, isStill } from "./dom.js";

const STILL_STEPS = 12; // where nothing may move by itself: so many pictures, one after another
const STILL_PAUSE = 600; // milliseconds between them
const SETTLES = 400; // milliseconds after the last change, then it plays

/**
 * A position from 0 to `last()`, at first the last one.
 *
 * `onMove(position)` is called whenever it has moved, `label(position)` writes it, `lasts(last)` is how many seconds
 * playing takes; `pace(share, last)` is the position after a share of them.
 */
export class Player {
  constructor({ name, last, label, onMove, lasts = () => 6, pace = (share, end) => share * end }) {
    Object.assign(this, { name, last, label, onMove, lasts, pace, at: null, frame: null, bars: [] });
  }

  /** Between two places of what is played, it is no whole number. */
  get position() {
    return Math.min(this.at ?? Infinity, this.last());
  }

  get isPlaying() {
    return this.frame !== null;
  }

  /** Play from here, or from the beginning if this is the end; `onEnd` is called there. */
  play(onEnd = () => {}) {
    this.pause();
    const end = Math.max(this.last(), 1);
    const steps = isStill() ? STILL_STEPS : Infinity;
    const milliseconds = 1000 * this.lasts(end);
    const from = this.position >= this.last() ? 0 : this.position;
    let [low, high] = [0, 1]; // the share of time that has brought it here
    for (let k = 0; k < 40; k++) {
      const middle = (low + high) / 2;
      [low, high] = this.pace(middle, end) < from ? [middle, high] : [low, middle];
    }
    const begin = performance.now() - high * (from > 0) * milliseconds;
    const move = () => {
      const share = Math.min((performance.now() - begin) / milliseconds, 1);
      const place = Number.isFinite(steps) ? Math.floor(share * steps) / steps : share;
      this.at = share < 1 ? this.pace(place, this.last()) : null;
      this.frame = share < 1 ? this.#later(move) : null;
      this.moved();
      if (share === 1) {
        onEnd();
      }
    };
    move();
  }

  /** Play from the beginning, unless something moves it until then; where nothing may move by itself, go to the end. */
  playSoon(onEnd = () => {}) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => {
      if (isStill()) {
        this.seek(Infinity);
        onEnd();
      } else {
        this.play(onEnd);
      }
    }, SETTLES);
  }

  #later(move) {
    return isStill() ? -setTimeout(move, STILL_PAUSE) : requestAnimationFrame(move);
  }

  pause() {
    clearTimeout(this.soon);
    if (this.isPlaying) {
      clearTimeout(-this.frame);
      cancelAnimationFrame(this.frame);
      this.frame = null;
      this.moved();
    }
  }

  /** Go to a position; from the last one on, to the end, also where that is to come. */
  seek(position) {
    this.pause();
    this.place(position < this.last() ? Math.max(position, 0) : null);
  }

  /** Be at a position, or, if it is null, at the last one. */
  place(at) {
    this.at = at;
    this.moved();
  }

  /** Tell everyone where it is: also if what is played has changed. */
  moved() {
    this.#show();
    this.onMove(this.position);
  }

  #step(by) {
    this.seek(by > 0 ? Math.floor(this.position) + 1 : Math.ceil(this.position) - 1);
  }

  /** A new bar: buttons, and a slider to scrub. */
  bar() {
    const slider = el("input", {
      type: "range",
      min: 0,
      step: "any",
      "aria-label": this.name,
      on: {
        input: () => this.seek(Math.round(slider.value)),
        keydown: (event) => {
          const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
          if (by) {
            event.preventDefault(); // a step of it has no size of its own
            this.#step(by);
          }
        },
      },
    });
    const played = button("", () => (this.isPlaying ? this.pause() : this.play()), { class: "play" });
    const back = button("‹", () => this.#step(-1), { "aria-label": "One step back" });
    const on = button("›", () => this.#step(1), { "aria-label": "One step on" });
    const told = el("span", { class: "position" });
    const element = el("div", { class: "player", role: "group", "aria-label": this.name }, back, played, on, slider, told);
    this.bars.push({ slider, played, told });
    this.#show();
    return element;
  }

  #show() {
    const [position, last] = [this.position, this.last()];
    const text = last >= 0 ? this.label(position) : "";
    for (const { slider, played, told } of this.bars) {
      slider.max = Math.max(last, 1);
      slider.value = position;
      slider.style.setProperty("--place", last > 0 ? position / last : 1);
      slider.setAttribute("aria-valuetext", text);
      played.textContent = this.isPlaying ? "Pause" : "Play";
      told.textContent = text;
    }
  }
}
