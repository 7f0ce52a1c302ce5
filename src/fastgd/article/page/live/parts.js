/** Work in parts, between which the page paints and handles what its reader does. */

const TURN = 4; // milliseconds: parts that take less follow each other without a pause

/** Does one work at a time: a newer one takes the place of the older. */
export class Parts {
  constructor() {
    this.timer = null;
  }

  /** Begin a generator's work; `onPart` is called after each turn with what it has, and whether that is all. */
  begin(work, onPart) {
    this.stop();
    const turn = () => {
      const from = performance.now();
      let part;
      do {
        part = work.next();
      } while (!part.done && performance.now() - from < TURN);
      this.timer = part.done ? null : setTimeout(turn);
      onPart(part.value, part.done);
    };
    turn();
  }

  /** Leave the work as it is. */
  stop() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  get isOver() {
    return this.timer === null;
  }
}
