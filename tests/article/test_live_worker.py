"""The worker of the live page: trainings take turns, and a newer one is not kept waiting."""

from live import in_node, needs_node

TRAININGS = """
import { Programs, Trainings } from "./live/worker.js";

const settings = (more) => ({
  X: [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]],
  hidden: 4, alpha: 1, iterations: 100, optimizer: "Adam", dropout: 0, ...more,
});

class Fake {
  constructor() { this.steps = []; }
  begin(given) { Object.assign(this, given, { done: 0 }); }
  advance(last) {
    this.steps.push(last - this.done);
    this.done = last;
    return [{ iteration: last }];
  }
  get finished() { return this.done >= this.iterations; }
  get updates() { return this.done; }
}

const pause = () => new Promise((resolve) => setTimeout(resolve));
async function served(programs, orders, until) {
  const reports = [];
  const trainings = new Trainings(programs, (result) => reports.push(result));
  trainings.run(pause);
  for (const order of orders) {
    order(trainings);
    await pause();
  }
  for (let k = 0; k < 1000 && !until(reports); k++) await pause();
  return reports;
}
"""


@needs_node
def test_the_first_slice_is_short_however_large_the_training(tmp_path):
    script = """
const X = Array.from({ length: 64 }, () => Array(8).fill(1));
const steps = [];
for (const more of [{}, { X, hidden: 32 }, { X, hidden: 0 }]) {
  const fake = new Fake();
  const given = settings({ ...more, iterations: 1e6 });
  const orders = [(t) => t.start("a", 1, given), (t) => t.stop("a")];
  await served({ training: async () => fake }, orders, () => fake.steps.length);
  steps.push(fake.steps[0]);
}
answer(steps);
"""
    assert in_node(TRAININGS + script, tmp_path) == [250, 1, 27]


@needs_node
def test_an_error_of_an_older_training_leaves_the_newer_one(tmp_path):
    script = """
let reject;
const first = new Promise((_resolve, no) => (reject = no));
let count = 0;
const programs = { training: () => (count++ ? Promise.resolve(new Fake()) : first) };
const orders = [
  (t) => t.start("a", 1, settings()),
  (t) => t.start("a", 2, settings()),
  () => reject(new Error("out of memory")),
];
const reports = await served(programs, orders, (found) => found.some(({ finished }) => finished));
const error = ({ id, failed, finished }) => [id, failed, finished ?? false];
answer([error(reports[0]), error(reports.at(-1))]);
"""
    assert in_node(TRAININGS + script, tmp_path) == [
        [1, "Error: out of memory", False],
        [2, None, True],
    ]


@needs_node
def test_two_slots_take_turns_and_a_stopped_training_is_silent(tmp_path):
    script = """
const fakes = [];
const programs = { training: async () => (fakes.push(new Fake()), fakes.at(-1)) };
const orders = [
  (t) => { t.start("a", 1, settings({ iterations: 5000 })); t.start("b", 2, settings()); },
  (t) => t.stop("a"),
];
const reports = await served(programs, orders, (found) => found.some(({ slot }) => slot === "b"));
for (let k = 0; k < 20; k++) await pause();
const ended = reports.filter(({ slot, finished }) => slot === "a" && finished);
answer([fakes.length, fakes[0].done < 5000, ended.length]);
"""
    assert in_node(TRAININGS + script, tmp_path) == [2, True, 0]


@needs_node
def test_a_module_that_did_not_compile_is_compiled_again(tmp_path):
    script = """
const pack = { json: () => ({ code: "Adam" }), bytes: () => new Uint8Array(8) };
const programs = new Programs(pack, true);
let times = 0;
WebAssembly.compile = async () => { times += 1; throw new Error("out of memory"); };
const said = [];
const tell = ({ message }) => said.push(message);
for (let k = 0; k < 2; k++) await programs.training("Adam.2").catch(tell);
answer([times, said]);
"""
    assert in_node(TRAININGS + script, tmp_path) == [2, ["out of memory", "out of memory"]]


@needs_node
def test_results_that_come_faster_than_frames_are_not_queued_and_no_moment_is_lost(tmp_path):
    script = """
import { Trainer } from "./live/trainer.js";
const frames = [];
globalThis.requestAnimationFrame = (call) => frames.push(call);
const worker = { postMessage: () => {} };
const trainer = new Trainer(worker, true);
const taken = [];
const result = (id, done) =>
  worker.onmessage({ data: { result: { slot: "a", id, moments: [done] } } });
const draw = () => frames.splice(0).forEach((call) => call());
trainer.train("a", {}, ({ moments }) => taken.push([...moments]));
[1, 2, 3].forEach((done) => result(1, done));
draw();
result(1, 4);
draw();
result(1, 5);
trainer.train("a", {}, ({ moments }) => taken.push(["new", ...moments]));
result(1, 6);
draw();
result(2, 7);
trainer.stop("a");
draw();
answer(taken);
"""
    assert in_node(script, tmp_path) == [[1, 2, 3], [1, 2, 3, 4]]
