// What does the lab do?  It hands a program to the worker, shows what comes back, and keeps what was typed.
const { parts, worker: source, choices } = JSON.parse($("data").textContent);
const KEEP = "tinygrad_vg lab", MOST = 500_000; // characters of output
const drafts = recalled(), output = $("output"), code = $("code");
let worker = null, current = 0, asked = 0, printed = 0, page = "";

// A file that the page holds, or one beside it.
async function bytes(name) {
  const held = $(name);
  if (!held) {
    const answer = await fetch(name);
    if (!answer.ok) throw new Error(`${name} is missing beside this page`);
    return answer.arrayBuffer();
  }
  return unpacked(held.textContent).arrayBuffer();
}

async function boot() {
  const began = performance.now();
  allow(false);
  try {
    const found = Object.fromEntries(await Promise.all(parts.filter((name) => $(name) || !name.endsWith(".wasm")).map(async (name) => [name, await bytes(name)])));
    const scripts = [found["pyodide.asm.js"], "\n", found["pyodide.js"], "\n", source];
    worker = new Worker(URL.createObjectURL(new Blob(scripts, { type: "text/javascript" })));
    worker.onerror = (event) => told({ failed: event.message ?? "the worker did not start" });
    worker.onmessage = ({ data }) => told(data.ready ? { ended: `ready after ${seconds(began)}` } : data);
    worker.postMessage({ parts: found, beside: location.href });
  } catch (error) { told({ failed: String(error) }); }
}

function told({ state, ended, text, bad, done, failed }) {
  if (text) print(text, bad ? "bad" : "");
  if (failed) print(`${failed}\n`, "bad");
  if (done) {
    number(done.line);
    if ("passed" in done) output.lastChild.className = done.passed ? "right" : "";
    else show(done.page, done.note);
  }
  const news = state ?? ended ?? (done ? `done after ${seconds(asked)}` : failed ? "this does not work; reload the page" : null);
  if (news) $("state").textContent = news;
  if (ended || done) allow(true);
}

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

// Which buttons there are, and whether Python is free.
function allow(free) {
  $("run").disabled = $("grade").disabled = !free;
  $("stop").hidden = free || !asked;
  const exercise = Boolean(choices[current].number);
  for (const id of ["grade", "hint", "solution"]) $(id).hidden = !exercise;
  $("run").classList.toggle("main", !exercise);
  $("reset").hidden = code.value === choices[current].text;
}

function print(text, kind) {
  if (printed > MOST) return;
  printed += text.length;
  const low = output.scrollHeight - output.scrollTop - output.clientHeight < 40, more = printed > MOST ? `${text}\n… and more\n` : text;
  if (output.lastChild?.className === kind) output.lastChild.firstChild.appendData(more);
  else output.append(el("i", { class: kind }, more));
  if (low) output.scrollTop = output.scrollHeight;
}

function clear() { output.replaceChildren(); printed = 0; number(0); }

function ask(exercise) {
  if ($("run").disabled) return;
  clear();
  asked = performance.now();
  $("state").textContent = "running …";
  allow(false);
  worker.postMessage({ text: code.value, number: exercise });
}

// Python cannot be interrupted: it starts anew.
function stop() {
  worker.terminate();
  asked = 0;
  print("\nstopped\n", "bad");
  boot();
}

function show(html, note) {
  page = html;
  $("frame").hidden = $("wide").hidden = $("keep").hidden = !html;
  $("note").hidden = Boolean(html);
  if (html) $("frame").srcdoc = html;
  else if (note) $("note").textContent = note;
}

// The numbers of the lines, one of them marked and brought into sight.
function number(line) {
  const lines = code.value.split("\n").map((_, i) => (i + 1 === line ? el("b", {}, `${i + 1}\n`) : `${i + 1}\n`));
  $("lines").replaceChildren(...lines);
  const high = parseFloat(getComputedStyle(code).lineHeight), at = (line - 1) * high;
  if (line && (at < code.scrollTop || at > code.scrollTop + code.clientHeight - 2 * high)) code.scrollTop = at - code.clientHeight / 2;
  $("lines").scrollTop = code.scrollTop;
}

function choose(n) {
  current = n;
  $("choice").value = n;
  code.value = drafts[choices[n].title] ?? choices[n].text;
  code.scrollTop = 0;
  const { question, number: exercise } = choices[n];
  $("beside").textContent = question ? `Exercise ${exercise}` : "The picture";
  $("question").hidden = !question;
  $("question").textContent = question?.replace(/(?<!\n)\n(?!\n)/g, " ");
  clear();
  show("", question ? " " : "A program's last draw(…) shows here; without one, the river of its last Chain.");
  if (!$("run").disabled) told({ ended: "ready" });
}

function typed() {
  if (code.value === choices[current].text) delete drafts[choices[current].title];
  else drafts[choices[current].title] = code.value;
  try { localStorage.setItem(KEEP, JSON.stringify(drafts)); } catch { /* a browser that keeps nothing */ }
  number(0);
  $("reset").hidden = code.value === choices[current].text;
}

function recalled() {
  try { return JSON.parse(localStorage.getItem(KEEP)) ?? {}; } catch { return {}; }
}

// Tab indents, but for the one after Escape; Enter keeps the indent; Ctrl + Enter, wherever one is, runs or grades. insertText can be undone.
let leaving = false;
code.addEventListener("keydown", (event) => {
  const insert = (text) => { event.preventDefault(); document.execCommand("insertText", false, text); };
  const line = code.value.slice(0, code.selectionStart).split("\n").pop();
  if (event.ctrlKey || event.metaKey) return;
  if (event.key === "Tab" && !event.shiftKey && !leaving) insert(" ".repeat(4 - (line.length % 4)));
  else if (event.key === "Enter") insert(`\n${line.match(/^ */)[0]}${/:\s*$/.test(line) ? "    " : ""}`);
  leaving = event.key === "Escape";
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(choices[current].number); }
});
code.addEventListener("input", typed);
code.addEventListener("scroll", () => { $("lines").scrollTop = code.scrollTop; });
// Chosen with the mouse, a program is there to be typed in; with the arrow keys, to go on choosing.
let keys = false;
$("choice").addEventListener("keydown", () => { keys = true; });
$("choice").addEventListener("pointerdown", () => { keys = false; });
$("choice").addEventListener("change", (event) => {
  choose(Number(event.target.value));
  if (!keys) code.focus();
});
$("run").addEventListener("click", () => ask());
$("grade").addEventListener("click", () => ask(choices[current].number));
$("stop").addEventListener("click", stop);
$("hint").addEventListener("click", () => { clear(); print(`${choices[current].hint}\n`, ""); });
$("solution").addEventListener("click", () => { clear(); print(choices[current].solution, ""); });
$("reset").addEventListener("click", () => { code.value = choices[current].text; typed(); });
$("wide").addEventListener("click", () => $("wide").setAttribute("aria-pressed", $("lab").classList.toggle("wide")));
$("keep").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([page], { type: "text/html" }));
  el("a", { href: address, download: "gradient.html" }).click();
  URL.revokeObjectURL(address);
});

// A page of the book hands a program over in the address. It waits for Run.
const handed = new URLSearchParams(location.hash.slice(1)).get("code");
if (handed !== null) choices.unshift({ group: "Start here", title: "From the book", text: handed });

const groups = new Map();
choices.forEach(({ group, title }, n) => {
  if (!groups.has(group)) groups.set(group, el("optgroup", { label: group }));
  groups.get(group).append(el("option", { value: n }, title));
});
$("choice").append(...groups.values());
choose(0);
if (matchMedia("(pointer: fine)").matches) code.focus(); // no keyboard on a phone before it is asked for
boot();
