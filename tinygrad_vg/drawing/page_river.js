// What can a reader do with the river?  Send the gradient back, point at a station, replace a factor, begin elsewhere, save it.
//
// The last of five files that are one script: page_river_sweep.js (numbers), _words (places), _stage and _card (pictures), page_river.js.

function show(k, focus = true) {
  t = Math.max(0, Math.min(lastStation(), k));
  held ||= focus; // one that is only pointed at does not stay
  document.querySelectorAll(".column").forEach((column, n) => { column.classList.toggle("on", n === t); column.setAttribute("tabindex", n === t ? 0 : -1); column.setAttribute("aria-pressed", String(n === t)); });
  const dots = document.querySelectorAll("#river .dot"), alive = [...now.logs.keys()].filter((n) => n >= reach && n <= begin && Number.isFinite(now.logs[n]));
  if (dots.length === alive.length) dots.forEach((dot, n) => dot.setAttribute("r", alive[n] === t ? 8 : 4));
  else if (model.names.length > 80) paint();
  if (focus) document.querySelector(`[data-station="${t}"]`)?.focus({ preventScroll: true });
  card();
  remember();
}

function change() {
  const can = (id) => !$(id).disabled, fits = ([k, x]) => model.carried && k in model.links && (x !== "one" || square(model.links[k]));
  what = { slopes: asked.slopes && can("if-slopes"), orthogonal: asked.orthogonal && can("if-orthogonal"), gates: asked.gates && can("if-gates"),
    again: asked.again && can("again"), scale: can("scale") ? asked.scale : 1, links: new Map([...asked.links].filter(fits)) };
  now = touched() ? sweep(model, what, begin) : real;
  for (const [id, on] of [["slopes", what.slopes], ["orthogonal", what.orthogonal], ["gates", what.gates]]) $(`if-${id}`).setAttribute("aria-pressed", String(on));
  $("again").checked = what.again;
  $("scale").value = what.scale;
  $("times").textContent = what.scale.toFixed(1);
  paint();
}
function chip() {
  const factors = (what.slopes ? 1 : 0) + (what.orthogonal || what.scale !== 1 ? 1 : 0) + (what.gates ? 1 : 0);
  const list = [begin < lastStation() && `the prediction after ‘${model.read[begin]}’`, what.slopes && "all slopes 1", what.orthogonal && "W orthogonal", what.gates && $("if-gates").textContent.replace(" were", ""), what.scale !== 1 && `W × ${what.scale}`, model.forward && (what.orthogonal || what.scale !== 1) && (what.again ? `the net run again, gradient at ${model.names[begin]} kept` : factors > 1 ? "these factors alone" : "this factor alone"), ...[...what.links].map(([k, x]) => `${model.names[k + 1]} to ${model.names[k]} ${x === "one" ? "→ 1" : x === 0 ? "→ 0" : `× ${x}`}`)].filter(Boolean);
  $("chip").hidden = !list.length;
  $("chip").textContent = `${touched() ? "what if: " : ""}${list.slice(0, 3).join(", ")}${list.length > 3 ? ", …" : ""} ✕`;
}

// The river begins at station k: with the loss of the prediction made there.
function from(k) {
  if (k === begin || !model.seeds?.[k] && k !== lastStation()) return;
  beginAt(k);
  t = Math.min(t, begin);
  change();
}

function showAll() { reach = 0; upTo = Infinity; }
function stop() { clearInterval(timer); timer = null; $("send").textContent = "▶ Send the gradient back"; }
function advance(by) {
  upTo = Infinity;
  reach = t = Math.max(0, Math.min(begin, t - by));
  paint();
  if (reach === 0) stop();
}
function go(by) { stop(); held = true; advance(by); }
function send() {
  if (timer && reach <= begin) return stop();
  stop(); // the forward pass
  held = false;
  upTo = Infinity;
  reach = t = begin;
  paint();
  if (calm()) { reach = t = 0; return paint(); }
  $("send").style.minWidth = `${$("send").offsetWidth}px`;
  $("send").textContent = "❚❚ Pause";
  timer = setInterval(() => advance(1), Math.max(40, Math.min(450, 20000 / model.names.length)) / Number($("speed").value));
}
function forward() {
  stop();
  held = false;
  reach = model.names.length;
  upTo = t = 0;
  const step = () => { paint(); if (upTo === lastStation()) { showAll(); stop(); paint(); } else { upTo += 1; t = upTo; } };
  if (calm()) { showAll(); return paint(); }
  step();
  timer = setInterval(step, Math.max(40, 200 / Number($("speed").value)));
}

function choose(n) {
  stop();
  model = data.models[n];
  beginAt(lastStation());
  showAll();
  t = Math.min(t, lastStation());
  for (const [k, button] of [...$("models").children].entries()) button.setAttribute("aria-pressed", String(k === n));
  controls();
  change();
}
function controls() {
  const has = (p) => (one) => one.links.some((link) => link.edges?.some((edge) => edge.k === p)), gateOf = (one) => one.links.map((link) => link.edges?.find((edge) => keeps(link, edge))).find(Boolean);
  const gate = gateOf(model), letter = /^(\p{L}+)[₀-₉]*$/u.exec((gate ?? data.models.map(gateOf).find(Boolean))?.name)?.[1];
  $("if-gates").textContent = `${letter === "f" ? "forget gates" : letter ? `gates ${letter}` : "gates on the state"} were 1`;
  // What no model of the page has is not there; what another one has keeps its place.
  const own = (one) => one.carried;
  for (const [id, test] of [["if-slopes", has(0)], ["if-orthogonal", has(1)], ["if-gates", gateOf], ["scale", has(1)], ["every", (one) => one.seeds], ["again", (one) => one.forward]]) {
    const label = $(id).closest("label");
    (label ?? $(id)).hidden = !data.models.some(test);
    $(id).disabled = !test(model) || !(own(model) || id === "every");
    label?.classList.toggle("off", $(id).disabled);
  }
  $("what-if").hidden = !data.models.some(own);
  $("left-out").hidden = model.carried;
}

// The state in the hash: a slide can link to a moment.
let remembered = "";
function remember() {
  const n = data.models.indexOf(model), links = [...asked.links].map(([k, x]) => `${k}:${x}`).join(",");
  const state = { model: n || "", begin: begin === lastStation() ? "" : begin, t: t === middle() ? "" : t, what: [asked.slopes && "slopes1", asked.orthogonal && "orthogonal", asked.gates && "gates1", asked.again && "again"].filter(Boolean).join("+"), scale: asked.scale === 1 ? "" : asked.scale, links, axis: linear ? "linear" : "" };
  remembered = Object.entries(state).filter(([, x]) => x !== "").map(([key, x]) => `${key}=${x}`).join("&");
  if (location.hash.slice(1) !== remembered) try { history.replaceState(null, "", remembered ? `#${remembered}` : location.pathname + location.search); } catch { /* a file that may not */ }
}
function recall() {
  const state = new URLSearchParams(location.hash.slice(1)), n = Number(state.get("model") ?? 0), flags = (state.get("what") ?? "").split(/[+ ]/), scale = Number(state.get("scale") ?? 1);
  const links = [...(state.get("links") ?? "").matchAll(/(\d+):([^,]+)/g)].map(([, k, x]) => [Number(k), x === "one" ? x : Number(x)]).filter(([, x]) => x === "one" || Number.isFinite(x));
  asked = { slopes: flags.includes("slopes1"), orthogonal: flags.includes("orthogonal"), gates: flags.includes("gates1"), again: flags.includes("again"), scale: scale > 0 && scale < 1e6 ? scale : 1, links: new Map(links) };
  linear = state.get("axis") === "linear";
  model = data.models[n] ?? data.models[0];
  t = middle();
  choose(data.models.indexOf(model));
  if (Number(state.get("begin")) > 0 && model.seeds?.[Number(state.get("begin"))]) beginAt(Number(state.get("begin")));
  if (state.has("t") && Number(state.get("t")) in model.names) t = Number(state.get("t"));
  $("linear").setAttribute("aria-pressed", String(linear));
  change();
}

// The stage as a picture, 16 : 9, with the finding above it.
function save() {
  const wide = 1280, high = 720, zoom = 1.3, chip = $("chip").hidden ? [] : [[`${$("chip").textContent.slice(0, -2)}. `, "now"]];
  const head = written(title(model, now), 46, 28, 650, 1232), from = 46 + head.length * 35 - 8, small = written([...chip, ...below(model, now)], from, 18, 400, 1232), y = from + small.length * 22;
  const stage = draw("svg", { id: "river" }), f = frame(1264 / zoom, (high - y) / zoom);
  stage.append(...axis(f), ...shapes(f));
  for (const dot of stage.querySelectorAll(".dot")) dot.setAttribute("r", 4);
  const rules = [...document.styleSheets[0].cssRules].map((rule) => rule.cssText).filter((text) => /^(#river|\.(slopes|weights|gates|norms|rest) |:root|@media screen)/.test(text)).join("\n");
  for (const [key, x] of [["x", 8], ["y", y], ["width", 1264], ["height", high - y], ["viewBox", `0 0 ${f.wide} ${f.high}`]]) stage.setAttribute(key, x);
  const whole = draw("svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, "font-family": "system-ui,Segoe UI,Roboto,DejaVu Sans,Arial,sans-serif" }, draw("style", {}, rules),
    draw("rect", { width: wide, height: high, fill: "var(--page)" }), ...head, ...small, stage);
  const link = el("a", { href: URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(whole)], { type: "image/svg+xml" })), download: "river.svg" });
  link.click();
  URL.revokeObjectURL(link.href);
}

// The full graph is made when it is asked for.
function openGraph() {
  stop();
  if (!$("graph-view")) {
    document.body.append(document.createRange().createContextualFragment(data.graph));
    document.head.append(el("style", {}, data.style));
    document.body.append(el("script", {}, data.script));
    $("to-river").hidden = false;
    $("to-river").addEventListener("click", () => { $("graph-view").hidden = true; $("river-view").hidden = false; paint(); });
  }
  $("as-is").hidden = !touched();
  $("river-view").hidden = true;
  $("graph-view").hidden = false;
  dispatchEvent(new CustomEvent("opened", { detail: model === data.models[0] ? model.raw[t] : null }));
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("river-view").hidden || $("river-keys").open || event.target.matches("input, select") && event.key !== "Escape") return;
  const does = { " ": send, ",": () => go(-1), ".": () => go(1), ArrowLeft: () => show(t - 1), ArrowRight: () => show(t + 1), Home: () => show(0), End: () => show(Infinity), Escape: reset, "<": () => from(begin - 1), ">": () => from(begin + 1), "?": ask }[event.key];
  if (!does || event.key === " " && event.target.matches("button")) return;
  event.preventDefault();
  does();
}
function ask() { $("river-keys").showModal(); }
function reset() { asked = untouched(); held = false; beginAt(lastStation()); $("every").setAttribute("aria-pressed", "false"); showAll(); stop(); change(); }

const flip = (key) => () => { asked[key] = !asked[key]; change(); };
for (const [id, does] of [["send", send], ["forward", forward], ["if-slopes", flip("slopes")], ["if-orthogonal", flip("orthogonal")], ["if-gates", flip("gates")], ["chip", reset], ["save", save], ["ask", ask],
  ["every", () => { const on = $("every").ariaPressed !== "true"; if (!on) return reset(); $("every").setAttribute("aria-pressed", "true"); paint(); }],
  ["tabled", () => { const on = $("rows").hidden; $("rows").hidden = !on; $("tabled").setAttribute("aria-expanded", String(on)); if (on) $("rows").scrollIntoView(); }],
  ["linear", () => { linear = !linear; $("linear").setAttribute("aria-pressed", String(linear)); paint(); }]]) $(id).addEventListener("click", does);
$("again").addEventListener("change", () => { asked.again = $("again").checked; change(); });
$("scale").addEventListener("input", () => { asked.scale = Number($("scale").value); change(); });
data.models.forEach(({ label }, n) => { if (data.models.length > 1) $("models").append(el("button", { type: "button", "aria-pressed": String(n === 0), onclick: () => choose(n) }, label)); });
document.addEventListener("keydown", keys);
$("river-view").addEventListener("click", (event) => { held &&= Boolean(event.target.closest("#card, .controls")); }, true); // before a station holds itself
$("river-view").addEventListener("click", ({ detail }) => { if (detail && document.activeElement.matches("button, [type=checkbox]")) document.activeElement.blur(); }); // of the mouse: space plays
addEventListener("resize", () => { if (!$("river-view").hidden) paint(); });
addEventListener("hashchange", () => { if (location.hash.slice(1) !== remembered) recall(); });
$("stage").replaceChildren(draw("svg", { id: "river", role: "group", "aria-label": "Size of the gradient at each station, from where it begins back to the source" }));
$("river").addEventListener("keydown", (event) => { if (event.key === "Enter") show(t); });
document.querySelector(".controls").hidden = false;
recall();
