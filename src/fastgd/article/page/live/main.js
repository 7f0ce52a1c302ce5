/** Brings the page to life: reads what Python put into it, and starts its sections. */

import { bucket } from "./bucket.js";
import { el } from "./dom.js";
import { experiment } from "./experiment.js";
import { maps } from "./maps.js";
import { Pack } from "./pack.js";
import { plane } from "./plane.js";
import { State } from "./state.js";
import { Trainer } from "./trainer.js";

/** The live sections: each fills the element of its name, `live-...`, with what it offers. */
export const SECTIONS = [experiment, bucket, plane, maps];

/** Start all sections; if that can't be in this browser, one sentence says so. */
export async function start() {
  try {
    await startSections();
  } catch (error) {
    const [root] = document.querySelectorAll(".live");
    root.replaceChildren(el("p", { class: "problem" }, `The live parts of this page can't start here: ${error.message}.`));
    root.hidden = false;
  }
}

async function startSections() {
  need(["WebAssembly", "Worker", "DecompressionStream"].filter((name) => !(name in globalThis)));
  const pack = await Pack.decode(document.getElementById("live-pack").textContent);
  need(WebAssembly.validate(pack.bytes("exact roller")) ? [] : ["WebAssembly with SIMD"]);
  const state = new State(Object.assign({}, ...SECTIONS.map(({ fields }) => fields(pack))));
  const source = document.getElementById("live-worker").textContent;
  const trainer = await Trainer.start(source, pack);
  const [first, ...others] = SECTIONS;
  const begin = ({ name, start: fill }) => {
    const root = document.getElementById(`live-${name}`);
    root.hidden = false;
    return fill({ state, trainer, pack, root });
  };
  await begin(first);
  document.querySelectorAll(".live-hint").forEach((hint) => (hint.hidden = false));
  state.follow(window); // the first section trains while the others are built
  for (const section of others) {
    await new Promise((resolve) => setTimeout(resolve)); // and may show what it gets
    await begin(section);
  }
  state.announce();
}

function need(missing) {
  if (missing.length) {
    throw new Error(`they need ${missing.join(" and ")}, which this browser doesn't have`);
  }
}
