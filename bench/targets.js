// Trains images in this engine, Node.js or a browser, as often as targets.py asks for.
(async () => {
  const server = globalThis.document ? location.origin : process.argv[2];
  const bytes = async (name) => new Uint8Array(await (await fetch(`${server}/${name}`)).arrayBuffer());
  const answer = (found) => fetch(`${server}/answer`, {method: "POST", body: JSON.stringify(found)});
  const prepared = new Map();

  async function prepare({code, before, after, base}) {
    const [start, end] = [await bytes(before), await bytes(after)];
    const memory = new WebAssembly.Memory({initial: Math.ceil((base + start.length) / 65536)});
    const made = await WebAssembly.instantiate(await bytes(code), {env: {memory}});
    return {start, end, memory: new Uint8Array(memory.buffer), train: made.instance.exports.train};
  }

  for (;;) {
    const job = await (await fetch(`${server}/job`)).json();
    if (job === null) break;
    try {
      if (!prepared.has(job.code)) prepared.set(job.code, await prepare(job));
      const {start, end, memory, train} = prepared.get(job.code);
      memory.set(start, job.base);
      const begin = performance.now();
      train(job.base);
      const seconds = (performance.now() - begin) / 1000;
      const differing = end.filter((byte, k) => byte !== memory[job.base + k]).length;
      await answer({seconds, differing});
    } catch (error) {
      await answer({error: String(error)});
    }
  }
})();
