/** The scales of sliders: which number stands at which step. */

const SNAP = 0.012; // of a slider's length: from here a pointer snaps to a tick

/**
 * A linear or logarithmic scale from `low` to `high`, in whole steps.
 *
 * A logarithmic one has 100 steps in each power of ten, so that these are steps themselves. Numbers
 * on steps have at most `digits` significant digits, as nobody wants 9.97700064; a text box takes
 * all others. `ticks` are numbers of which a reader will want exactly these.
 */
export class Scale {
  constructor({ low, high, log = false, step = (high - low) / 200, digits = 3, whole = false, ticks = [] }) {
    Object.assign(this, { low, high, log, digits, whole, ticks });
    this.steps = Math.round(log ? 100 * Math.log10(high / low) : (high - low) / step);
  }

  /** Where a number stands: 0 at the low end, 1 at the high one, also outside of them. */
  place(value) {
    const { low, high, log } = this;
    return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  }

  /** Whether a number stands between the ends, or on one. */
  isIn(value) {
    return value >= this.low && value <= this.high;
  }

  /** The step nearest to a number, on the slider. */
  stepOf(value) {
    return Math.min(Math.max(Math.round(this.steps * this.place(value)), 0), this.steps);
  }

  /** The number at a step; with `snap`, that of a tick nearby. */
  at(step, snap = false) {
    const { low, high, log, steps } = this;
    const place = step / steps;
    if (snap) {
      const away = (tick) => Math.abs(this.place(tick) - place);
      const [nearest] = this.ticks.filter((tick) => away(tick) <= SNAP).sort((a, b) => away(a) - away(b));
      if (nearest !== undefined) {
        return nearest;
      }
    }
    const value = log ? low * (high / low) ** place : low + (high - low) * place;
    const rounded = Number(value.toPrecision(this.digits));
    return Math.min(Math.max(this.whole ? Math.round(rounded) : rounded, low), high);
  }
}
