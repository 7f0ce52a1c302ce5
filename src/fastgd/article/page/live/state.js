/** The settings of the page, and its address, which has those that are not as at first. */

import { readingsOf, wholeOf } from "./typed.js";

const WAIT = 350; // milliseconds between changes of the address: Safari allows 100 in 30 seconds
const LONG_WAIT = 10000; // and then has to be left alone
const MARK = "fastgd"; // of entries in the browser's history

/**
 * Settings by name.
 *
 * A field has `initial`, `read(text)`, which returns a value or throws an Error with a sentence for
 * the reader, and `write(value)`, the text from which it is read.
 */
export class State {
  constructor(fields) {
    this.fields = fields;
    this.values = Object.fromEntries(Object.entries(fields).map(([name, { initial }]) => [name, initial]));
    this.problems = {};
    this.calls = [];
    this.timer = null;
  }

  get(name) {
    return this.values[name];
  }

  /** The sentence about what was given for a field and can't be; null if there is none. */
  problem(name) {
    return this.problems[name] ?? null;
  }

  /** Change values, and tell those who want to know. */
  set(values) {
    const names = Object.keys(values);
    Object.assign(this.values, values);
    names.forEach((name) => delete this.problems[name]);
    this.#tell(names);
    this.#write();
  }

  /** Set a field from text; if that can't be, its value stays and there is a problem. Returns whether it could. */
  read(name, text) {
    try {
      this.set({ [name]: this.fields[name].read(text) });
      return true;
    } catch (error) {
      this.problems[name] = error.message;
      this.#tell([name]);
      return false;
    }
  }

  /** Call when any of these fields changes, or a problem with it. */
  on(names, call) {
    this.calls.push({ names, call });
  }

  /** What follows the # in the address. */
  get address() {
    const parts = Object.entries(this.fields)
      .map(([name, { initial, write }]) => [name, write(this.values[name]), write(initial)])
      .filter(([, text, first]) => text !== first)
      .map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
    return parts.join("&");
  }

  /** Take the settings of an address; fields that aren't in it are as at first. */
  take(address) {
    const given = new URLSearchParams(address.replace(/^#/, "").replaceAll("+", "%2B"));
    const changed = {};
    this.problems = {};
    for (const [name, { initial, read }] of Object.entries(this.fields)) {
      changed[name] = initial;
      if (given.has(name)) {
        try {
          changed[name] = read(given.get(name));
        } catch (error) {
          this.problems[name] = error.message;
          changed[name] = this.values[name];
        }
      }
    }
    Object.assign(this.values, changed);
    this.announce();
  }

  /** Tell all fields to those who want to know. */
  announce() {
    this.#tell(Object.keys(this.fields));
  }

  /**
   * Keep the browser's address and the settings equal from now on.
   *
   * The address of a place, to which a link has led, changes no settings; they take its place. Nor does
   * going back: entries of the history that the page has seen are marked. `goTo` is called with the id
   * of the place that an address names which is opened later; that of the first one is returned.
   */
  follow(window, goTo) {
    this.window = window;
    const { history, location } = window;
    const isOfSettings = () => location.hash === "" || location.hash.includes("=");
    const isSeen = () => Boolean(history.state?.[MARK]);
    const place = isOfSettings() ? "" : location.hash.slice(1);
    const isAgain = isSeen(); // loaded again: the browser knows how far it was scrolled
    this.take(place ? "" : location.hash);
    this.#mark(location.href);
    window.addEventListener("hashchange", () => {
      if (isOfSettings() && !isSeen()) {
        this.take(location.hash);
        this.#mark(location.href);
        goTo(this.get("section"));
      } else if (isOfSettings() || this.address) {
        this.#write();
      }
    });
    return isAgain ? "" : place || this.get("section");
  }

  #mark(address) {
    this.window.history.replaceState({ [MARK]: true }, "", address);
  }

  #tell(names) {
    for (const { names: wanted, call } of this.calls) {
      if (wanted.some((name) => names.includes(name))) {
        call(this);
      }
    }
  }

  #write(wait = WAIT) {
    if (this.window && this.timer === null) {
      this.timer = setTimeout(() => {
        this.timer = null;
        const { location } = this.window;
        const address = this.address;
        try {
          this.#mark(address ? `#${address}` : location.pathname + location.search);
        } catch {
          this.#write(LONG_WAIT); // too often for this browser
        }
      }, wait);
    }
  }
}

// ---------------------------------------------------------------- fields

/** A number in an interval: `low <= x <= high`. */
export function number(name, initial, low, high) {
  return {
    initial,
    read: (text) => {
      const [value, other] = readingsOf(text);
      if (other !== undefined) {
        throw new Error(`${name} may be ${value} or ${other}: write one of them, got ${shortened(text)}`);
      }
      if (!(value >= low && value <= high)) {
        throw new Error(`${name} must be a number from ${low} to ${high}, got ${shortened(text)}`);
      }
      return value;
    },
    write: String,
  };
}

/** A whole number in an interval. */
export function count(name, initial, low, high) {
  return {
    initial,
    read: (text) => {
      const value = wholeOf(text);
      if (!(value >= low && value <= high)) {
        throw new Error(`${name} must be a whole number from ${low} to ${high}, got ${shortened(text)}`);
      }
      return value;
    },
    write: String,
  };
}

/** One of some texts. */
export function choice(name, initial, choices) {
  return {
    initial,
    read: (text) => {
      if (!choices.includes(text)) {
        throw new Error(`${name} must be one of ${choices.join(", ")}, got ${shortened(text)}`);
      }
      return text;
    },
    write: String,
  };
}

/** On or off. */
export function flag(name, initial) {
  return {
    initial,
    read: (text) => {
      if (text !== "on" && text !== "off") {
        throw new Error(`${name} must be on or off, got ${shortened(text)}`);
      }
      return text === "on";
    },
    write: (value) => (value ? "on" : "off"),
  };
}

/** What came, in quotation marks and not at length. */
export function shortened(text) {
  return `"${text.length > 40 ? `${text.slice(0, 40)}...` : text}"`;
}
