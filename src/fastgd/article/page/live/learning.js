/** The network that the page trains, and the iteration at which it is shown: all views of it show the same one. */

import { readable } from "./charts.js";
import { dataField, samplesOf } from "./own_data.js";
import { Player } from "./player.js";
import { choice, count, flag, number } from "./state.js";

export const MOST_SEED = 2 ** 32 - 1;
const TRAINED_BY = ["alpha", "hidden", "seed", "start", "iterations", "optimizer", "bias", "dropout", "data", "scaled"];

/** The fields of the state that it is trained by. */
export function learningFields(pack) {
  return {
    alpha: number("alpha", 0.5, 0.001, 1000),
    hidden: count("hidden units", 4, 0, 32),
    seed: count("seed", 1, 0, MOST_SEED),
    start: choice("start", "random", ["random", "equal"]),
    iterations: count("iterations", 60000, 1, 1000000),
    optimizer: choice("optimizer", "GradientDescent", Object.keys(pack.json("optimizers"))),
    bias: flag("bias", false),
    dropout: rate("dropout", 0, 0.9, 0.05),
    data: dataField,
    scaled: flag("scaled", false),
    at: { ...count("iteration that is shown", null, 0, 1000000), write: (at) => String(at ?? "") }, // the last one, if none
  };
}

/** A multiple of `step`, from 0 to `high`. */
function rate(name, initial, high, step) {
  const inInterval = number(name, initial, 0, high);
  return {
    ...inInterval,
    read: (text) => {
      const value = inInterval.read(text);
      const multiple = Number((Math.round(value / step) * step).toPrecision(6));
      if (multiple !== value) {
        throw new Error(`${name} must be a multiple of ${step}, got "${text}"`);
      }
      return value;
    },
  };
}

/** What the page trains: the settings of Trainer.train. */
export function settingsOf(state) {
  const { X, y } = samplesOf(state);
  return { ...Object.fromEntries(TRAINED_BY.map((name) => [name, state.get(name)])), X, y };
}

/**
 * Trains with the settings of the page. `run` is the newest training: what Trainer.train tells of it,
 * and its `samples`.
 *
 * A view has `show(run, moment, chosen)`, which is called when one of them is another one, and perhaps
 * `begin()`, when a training begins; `chosen` is the index of a sample, or null.
 */
export class Learning {
  constructor({ state, trainer }) {
    Object.assign(this, { state, trainer, run: null, views: [], isStopped: false, isPlacing: false, chosen: null });
    this.player = new Player({
      name: "Iteration that is shown",
      last: () => (this.run?.moments.length ?? 0) - 1,
      label: () => `iteration ${readable(this.moment?.iteration ?? 0)}`,
      onMove: () => this.#moved(),
    });
    state.on(TRAINED_BY, () => this.train());
    state.on(["at"], () => this.#place());
  }

  add(view) {
    this.views.push(view);
    if (this.moment) {
      view.show(this.run, this.moment, this.chosen);
    }
  }

  /** Show the units for one sample, or for all (null). */
  choose(chosen) {
    this.chosen = chosen;
    this.#show();
  }

  /** The moment that is shown: with `iteration`, `error`, `weights` and `changes`. */
  get moment() {
    return this.run?.moments[Math.round(this.player.position)];
  }

  get settings() {
    return settingsOf(this.state);
  }

  /** Train with the settings of the page, unless these are being trained already. */
  train(again = false) {
    const { settings, state } = this;
    const key = JSON.stringify(settings);
    if (key === this.key && !again) {
      return;
    }
    Object.assign(this, { key, isStopped: false });
    const samples = samplesOf(state);
    this.chosen = this.chosen < samples.X.length ? this.chosen : null;
    this.views.forEach((view) => view.begin?.());
    this.trainer.train("learning", settings, (result) => {
      this.run = { ...result, samples };
      if (this.player.isPlaying) {
        this.player.moved();
      } else {
        this.#place();
      }
    });
  }

  /** Go to the iteration of the settings. */
  #place() {
    const at = this.state.get("at");
    const found = at === null ? -1 : (this.run?.moments.findIndex(({ iteration }) => iteration >= at) ?? -1);
    this.isPlacing = true;
    this.player.place(found < 0 ? null : found);
    this.isPlacing = false;
  }

  /** Show the iteration to which the player has moved; where it rests, it is in the address. */
  #moved() {
    const { player, state } = this;
    const at = player.at === null ? null : this.moment.iteration;
    if (!this.isPlacing && !player.isPlaying && at !== state.get("at")) {
      state.set({ at });
    }
    this.#show();
  }

  /** Leave the training as it is. */
  stop() {
    this.trainer.stop("learning");
    this.isStopped = true;
    this.#show();
  }

  #show() {
    if (this.moment || this.run?.failed) {
      this.views.forEach((view) => view.show(this.run, this.moment, this.chosen));
    }
  }
}
