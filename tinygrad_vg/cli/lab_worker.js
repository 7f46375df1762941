// The worker of the lab, behind Pyodide's own scripts: Python, with what the page handed over in place of a network.
"use strict";
let lab = null;
const tell = (message) => postMessage(message);

onmessage = async ({ data }) => {
  try {
    if (data.parts) await start(data.parts, data.beside);
    else tell({ done: JSON.parse(data.number ? lab.graded(data.number, data.text) : lab.run(data.text)) });
  } catch (error) { tell({ failed: String(error) }); }
};

async function start(parts, beside) {
  const network = self.fetch;
  self.fetch = async (address) => {
    const name = String(address.url ?? address).split("/").pop();
    if (!parts[name]) return network(new URL(name, beside)); // the engine of a site, which a browser keeps compiled
    return new Response(parts[name], { headers: { "content-type": name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream" } });
  };
  tell({ state: "starting Python …" });
  const pyodide = await loadPyodide({ indexURL: "lab:/" });
  tell({ state: "loading NumPy …" });
  await pyodide.loadPackage("numpy", { messageCallback() {} });
  tell({ state: "loading the package …" });
  pyodide.unpackArchive(parts["tinygrad_vg.zip"], "zip", { extractDir: pyodide.runPython("import site; site.getsitepackages()[0]") });
  for (const [set, bad] of [["setStdout", false], ["setStderr", true]]) {
    const letters = new TextDecoder();
    pyodide[set]({ write: (bytes) => { tell({ text: letters.decode(bytes, { stream: true }), bad }); return bytes.length; } });
  }
  pyodide.setStdin({ stdin: () => null });
  lab = pyodide.pyimport("tinygrad_vg.cli.lab_run");
  tell({ ready: true });
}
