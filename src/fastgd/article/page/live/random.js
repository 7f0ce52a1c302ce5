/** NumPy's RandomState: the Mersenne Twister MT19937, whose stream NumPy has frozen (NEP 19). */

const SIZE = 624;
const MIDDLE = 397;
const UPPER = 0x80000000;
const LOWER = 0x7fffffff;
const MATRIX = 0x9908b0df;

/** The stream of `numpy.random.RandomState(seed)`, for a whole number below 2**32. */
export class RandomState {
  constructor(seed) {
    this.words = new Uint32Array(SIZE);
    this.words[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = this.words[i - 1];
      this.words[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.at = SIZE;
  }

  /** A double of 53 random bits in [0, 1), as `random_sample` gives it. */
  random() {
    const high = this.#word() >>> 5;
    const low = this.#word() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  #word() {
    if (this.at === SIZE) {
      this.#twist();
    }
    let word = this.words[this.at++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist() {
    const words = this.words;
    for (let i = 0; i < SIZE; i++) {
      const both = (words[i] & UPPER) | (words[(i + 1) % SIZE] & LOWER);
      words[i] = words[(i + MIDDLE) % SIZE] ^ (both >>> 1) ^ (both & 1 ? MATRIX : 0);
    }
    this.at = 0;
  }
}
