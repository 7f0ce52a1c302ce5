/** The page's side of the worker that trains. */

/** Trains networks in a worker; made by `Trainer.start`. */
export class Trainer {
  /** `source` is the text of the worker's script, `pack` has the programs. */
  static async start(source, pack) {
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(address);
    URL.revokeObjectURL(address);
    const opened = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data.fused);
      worker.onerror = (event) => reject(new Error(event.message));
    });
    worker.postMessage({ kind: "open", index: pack.index, content: pack.content });
    return new Trainer(worker, await opened);
  }

  constructor(worker, fused) {
    this.worker = worker;
    /** Whether multiply-adds are fused by the processor; otherwise a training takes about 12 times as long. */
    this.fused = fused;
    this.waiting = new Map();
    this.count = 0;
    worker.onmessage = ({ data }) => this.#take(data.result);
  }

  /**
   * Train with these settings; a training in the same slot ends.
   *
   * `onResult` is called some times a second, and at the end, before the page is drawn. Settings: X (samples, inputs),
   * y (samples), hidden (units, 0 for no hidden layer), alpha, seed, iterations, optimizer (its name
   * in Python), bias, dropout and start ("equal", or the random one). A result has all moments so far: see Training.advance.
   */
  train(slot, settings, onResult) {
    const id = ++this.count;
    this.waiting.set(slot, { id, onResult, moments: [] });
    this.worker.postMessage({ kind: "train", slot, id, settings });
  }

  stop(slot) {
    this.waiting.delete(slot);
    this.worker.postMessage({ kind: "stop", slot });
  }

  /** Only the newest result counts, if results come faster than the page can show them. */
  #take(result) {
    const waiting = this.waiting.get(result.slot);
    if (waiting?.id !== result.id) {
      return;
    }
    waiting.moments.push(...result.moments);
    if (!waiting.result) {
      requestAnimationFrame(() => {
        const newest = waiting.result;
        waiting.result = null;
        if (this.waiting.get(newest.slot) === waiting) {
          waiting.onResult({ ...newest, moments: waiting.moments });
        }
      });
    }
    waiting.result = result;
  }
}
