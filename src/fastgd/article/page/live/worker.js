/** The worker: trains in slices of some milliseconds, between which it receives what the page wants. */

import { Pack } from "./pack.js";
import { Training } from "./training.js";

const SLICE = 8; // milliseconds
const REPORT = 40; // milliseconds from one report on a training to the next

/** Multiply-adds of a layer per millisecond, at first: less than what the slowest engine does. */
const FIRST_PACE = 2000;

/** Whether this engine's relaxed_madd rounds once only: see fastgd.kernel.call_image. */
export async function isFused(probe) {
  try {
    const { instance } = await WebAssembly.instantiate(probe);
    instance.exports.probe(65536);
    return true;
  } catch {
    return false;
  }
}

/** The program that trains with these settings. */
export function programOf({ X, hidden, optimizer, bias, dropout }) {
  const isArticle = X.length === 4 && X[0].length === 3 && hidden === 4;
  if (isArticle && optimizer === "GradientDescent" && !bias && !dropout) {
    return "GradientDescent.2.article";
  }
  return `${optimizer}.${hidden ? 2 : 1}${dropout && hidden ? ".dropout" : ""}`;
}

/** The programs of a pack, compiled when they are first needed. */
export class Programs {
  static async open(pack) {
    return new Programs(pack, await isFused(pack.bytes("probe")));
  }

  constructor(pack, fused) {
    this.pack = pack;
    this.fused = fused;
    this.modules = new Map();
  }

  /** A training by this program, with memory of its own. */
  async training(name) {
    const program = this.pack.json(`program ${name}`);
    const module = `${this.fused ? "relaxed" : "exact"} ${program.code}`;
    if (!this.modules.has(module)) {
      const compiling = WebAssembly.compile(this.pack.bytes(module));
      compiling.catch(() => this.modules.delete(module)); // the next one may succeed
      this.modules.set(module, compiling);
    }
    return Training.start(program, this.pack.bytes(`image ${name}`), await this.modules.get(module));
  }
}

/** All trainings of the page, at most one per slot; they take turns. */
export class Trainings {
  constructor(programs, report) {
    this.programs = programs;
    this.report = report;
    this.ready = new Map(); // trainings by slot and program, to be used again
    this.going = new Map(); // what is being trained, by slot
    this.wake = null;
  }

  start(slot, id, settings) {
    this.going.set(slot, { slot, id, settings, training: null });
    this.wake?.();
  }

  stop(slot) {
    this.going.delete(slot);
  }

  /** Train forever; `pause` lets messages in. */
  async run(pause) {
    for (;;) {
      if (this.going.size === 0) {
        await new Promise((resolve) => (this.wake = resolve));
      }
      for (const work of [...this.going.values()]) {
        await this.#slice(work);
        await pause();
      }
    }
  }

  async #slice(work) {
    try {
      if (work.training === null) {
        await this.#begin(work);
      }
      if (this.going.get(work.slot) !== work) {
        return; // another one has taken its place
      }
      advance(work);
      const now = performance.now();
      if (work.training.finished || now - work.reported >= REPORT) {
        work.reported = now;
        this.report(resultOf(work));
      }
      if (work.training.finished) {
        this.#end(work);
      }
    } catch (error) {
      this.#end(work);
      this.report({ slot: work.slot, id: work.id, settings: work.settings, moments: [], failed: String(error) });
    }
  }

  /** Remove a training from its slot, unless a newer one has taken its place meanwhile. */
  #end(work) {
    if (this.going.get(work.slot) === work) {
      this.going.delete(work.slot);
    }
  }

  async #begin(work) {
    const { slot, settings } = work;
    const name = programOf(settings);
    const key = `${slot} ${name}`;
    if (!this.ready.has(key)) {
      this.ready.set(key, await this.programs.training(name));
    }
    work.training = this.ready.get(key);
    work.training.begin({ ...settings, dropout: settings.hidden ? settings.dropout : 0 });
    work.moments = [];
    work.seconds = 0;
    work.pace = FIRST_PACE / (settings.X.length * (settings.X[0].length + 1) * Math.max(1, settings.hidden));
    work.reported = -Infinity;
  }
}

/** Train for about a slice of time. */
function advance(work) {
  const { training, settings } = work;
  const begin = performance.now();
  const from = training.done;
  const until = Math.min(from + Math.max(1, Math.floor(SLICE * work.pace)), settings.iterations);
  do {
    work.moments.push(...training.advance(until));
  } while (training.done < until && !training.finished && performance.now() - begin < SLICE);
  const took = Math.max(performance.now() - begin, 0.01);
  work.seconds += took / 1000;
  work.pace = Math.min((training.done - from) / took, 4 * work.pace);
}

/** What the page learns of a training: its moments since the last report, among others. */
function resultOf({ slot, id, settings, training, seconds, moments }) {
  const { updates: done, finished, diverged, finalError } = training;
  return { slot, id, settings, done, finished, diverged, finalError, moments: moments.splice(0), seconds, failed: null };
}

/** What the worker does: it is called there, with its global scope. */
export function serve(scope) {
  const { port1, port2 } = new MessageChannel();
  let resume = null;
  port1.onmessage = () => resume();
  const pause = () =>
    new Promise((resolve) => {
      resume = resolve;
      port2.postMessage(null);
    });
  let trainings = null;
  scope.onmessage = async ({ data }) => {
    if (data.kind === "open") {
      const programs = await Programs.open(new Pack(data.index, data.content));
      trainings = new Trainings(programs, (result) => scope.postMessage({ kind: "result", result }));
      scope.postMessage({ kind: "opened", fused: programs.fused });
      trainings.run(pause);
    } else if (data.kind === "train") {
      trainings.start(data.slot, data.id, data.settings);
    } else {
      trainings.stop(data.slot);
    }
  };
}
