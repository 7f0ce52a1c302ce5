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

/** Start all sections; a browser that can't is told so in one sentence. */
export async function start() {
  const roots = [...document.querySelectorAll(".live")];
  const missing = missingHere();
  if (missing) {
    roots[0].append(el("p", { class: "problem" }, `The live parts of this page need ${missing}, which this browser doesn't have.`));
    roots[0].hidden = false;
    return;
  }
  const pack = await Pack.decode(document.getElementById("live-pack").textContent);
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
  state.follow(window); // the first section trains while the others are built
  for (const section of others) {
    await new Promise((resolve) => setTimeout(resolve)); // and may show what it gets
    await begin(section);
  }
  state.announce();
}

function missingHere() {
  const needed = { WebAssembly: "WebAssembly", Worker: "web workers", DecompressionStream: "decompression" };
  return Object.keys(needed).filter((name) => !(name in globalThis)).map((name) => needed[name]).join(" and ");
}
