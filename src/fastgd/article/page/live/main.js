/** Brings the page to life: reads what Python put into it, and starts its sections. */

import { bucket } from "./bucket.js";
import { el } from "./dom.js";
import { Learning, learningFields } from "./learning.js";
import { lessons } from "./lessons.js";
import { maps } from "./maps.js";
import { network } from "./network.js";
import { opening } from "./opening.js";
import { Pack } from "./pack.js";
import { plane } from "./plane.js";
import { State } from "./state.js";
import { Trainer } from "./trainer.js";

/** The live sections: each fills the element of its name, `live-...`, with what it offers. */
export const SECTIONS = [opening, bucket, plane, network, lessons, maps];

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
  const fields = Object.assign({}, ...SECTIONS.map((section) => section.fields(pack)));
  const place = { initial: "", read: String, write: String };
  const state = new State({ ...learningFields(pack), ...fields, section: place });
  const source = document.getElementById("live-worker").textContent;
  const trainer = await Trainer.start(source, pack);
  const learning = new Learning({ state, trainer });
  const [first, ...others] = SECTIONS;
  const begin = ({ name, start: fill }) => {
    const root = document.getElementById(`live-${name}`);
    root.hidden = false;
    return fill({ state, trainer, pack, root, learning });
  };
  await begin(first);
  const opened = state.follow(window, openSection); // the network trains while the others are built
  for (const section of others) {
    await new Promise((resolve) => setTimeout(resolve)); // and may show what it gets
    await begin(section);
  }
  state.announce();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const { classList } = document.documentElement; // which tells that canvases have the colors of the dark
  addEventListener("beforeprint", () => classList.toggle("was-dark", dark.matches));
  openSection(opened);
  for (const event of ["input", "change", "click"]) {
    document.addEventListener(event, ({ target }) => noteUse(state, target), { capture: true }); // before a link is copied
  }
}

/** The section whose control was used last is in the address; that of the first screen is "". */
function noteUse(state, target) {
  const isControl = target.closest(".live")?.contains(target.closest("button, input, select, textarea, canvas, summary"));
  const section = target.closest("section")?.id ?? "";
  if (isControl && section !== state.get("section")) {
    state.set({ section });
  }
}

/** Show a section, and keep it where it is while what is above it gets its size, until the reader does something. */
function openSection(id) {
  const section = id && document.getElementById(id);
  if (section) {
    const keep = new ResizeObserver(() => section.scrollIntoView());
    const leave = () => keep.disconnect();
    ["wheel", "touchstart", "pointerdown", "keydown"].forEach((event) => addEventListener(event, leave, { once: true }));
    keep.observe(document.body);
  }
}

function need(missing) {
  if (missing.length) {
    throw new Error(`they need ${missing.join(" and ")}, which this browser doesn't have`);
  }
}
