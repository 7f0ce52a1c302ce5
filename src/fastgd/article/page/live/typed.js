/** Numbers as people type and paste them. */

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const BY_COMMA = /^[+-]?(\d*|\d{1,3}(\.\d{3})+),\d+(e[+-]?\d+)?$/i; // 0,5 and 1.000,5
const IN_THOUSANDS = /^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/; // 60,000 and 1,000.5
const WHOLE = /^\d{1,3}(?:([., ])\d{3}(?:\1\d{3})*)?$|^\d+$/;

/** A text with its minus signs and en dashes as hyphens, and with one kind of spaces. */
export function plainText(text) {
  return text.replace(/[\u2212\u2013]/g, "-").replace(/[\u00a0\u2009\u202f]/g, " ");
}

/** What a text may mean as a number, that of a decimal comma first: "1,125" is 1.125 or 1125, "much" is none. */
export function readingsOf(text) {
  const given = plainText(text).trim();
  const plain = /^[+-]?\d{1,3}( \d{3})+(?!\d)/.test(given) ? given.replaceAll(" ", "") : given;
  const readings = [
    NUMBER.test(plain) && plain,
    BY_COMMA.test(plain) && plain.replaceAll(".", "").replace(",", "."),
    IN_THOUSANDS.test(plain) && plain.replaceAll(",", ""),
  ];
  return readings.filter(Boolean).map(Number);
}

/** The whole number that a text means, NaN if it is none: 60,000 and 60.000 are 60000. */
export function wholeOf(text) {
  const plain = plainText(text).trim();
  return WHOLE.test(plain) ? Number(plain.replace(/\D/g, "")) : NaN;
}
