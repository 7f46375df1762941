// What can a reader do with the graph?  Ask a node for its numbers, walk, find, step through both passes, replace a factor.
//
// Text goes into the page by textContent alone; names are looked up in Maps. The last of three files that are one script:
// page_sweep.js (numbers), page_graph.js (places), page.js (the reader).

// ── one node in the panel ──────────────────────────────────────────────────────────────────────────────────────────

let chosen = null, current = null, told = null; // selected; where the keyboard is; in the panel: the box of the step, or the chosen one
const nameOf = (i) => boxes[real(i)].name;
const titleOf = (i) => boxes[i].title;
const brief = (v, x) => (v ? (v.length === 1 ? short(v[0]) : `norm ${short(norm(v))}`) : x && x.norm !== undefined ? `norm ${short(Number(x.norm))}` : "not known");

// The name of a box for a screen reader: the words on it that are in sight.
function label(i) {
  const hidden = (text) => (text.classList.contains("gradient") && pending(i)) || (text.classList.contains("value") && boxAt[i].classList.contains("no-value"));
  const words = [...boxAt[i].querySelectorAll("text")].flatMap((text) => (hidden(text) ? [] : [text.textContent]));
  return [...words, ...(boxes[i].of !== null ? ["used here"] : boxes[i].kind === "constant" ? ["a constant"] : [])].join(", ");
}

// What a box says when pointed at: what is known at this step, with these replacements.
function tell(i) {
  const { shape } = boxes[i], [title, ...lines] = titles[0][i].split("\n"), g = now.g[real(i)], later = boxAt[i].classList.contains("no-value");
  const size = !g ? "unknown" : shape.length ? `${shape.join("×")}, norm ${norm(g)}` : String(g[0]);
  const told = lines.flatMap((line) => {
    if (!/^(\.grad,|\|?grad)/.test(line)) return later && line.startsWith("value ") ? [] : [line];
    return pending(i) ? [] : unchanged(real(i)) ? [line] : line[0] === "." ? [] : [`gradient ${size}`];
  });
  boxAt[i].querySelector("title").textContent = [title, ...new Set(told)].join("\n");
  boxAt[i].setAttribute("aria-label", label(i));
}

// Entries of a diverging scale of their own, brown below zero and teal above: blue and red mean sizes of gradients here.
function shade(x, top) {
  if (!Number.isFinite(x)) return looks.SPECIAL[Number.isNaN(x) ? "nan" : "inf"];
  const share = top ? Math.min(1, Math.abs(x) / top) : 0, end = x < 0 ? [140, 81, 10] : [1, 102, 94];
  return `rgb(${end.map((c) => Math.round(247 + share * (c - 247))).join(",")})`;
}

// An array as a small heat map: a vector is a strip, more than two axes are laid out in rows. Pointer or arrow keys read an entry.
function arrayView(v, shape, what) {
  const columns = shape.at(-1) || 1, rows = v.length / columns || 0, finite = v.filter(Number.isFinite);
  const end = (of) => (finite.length ? finite.reduce((a, b) => of(a, b)) : 0), low = end(Math.min), high = end(Math.max), top = Math.max(-low, high);
  const cell = Math.max(2, Math.min(22, Math.floor(340 / Math.max(columns, rows * 1.4))));
  const canvas = el("canvas", { width: columns, height: rows, tabindex: 0, role: "img", "aria-label": `${what}, ${shape.join(" by ")} entries; arrow keys read them` });
  const pen = canvas.getContext("2d"), read = el("p", { class: "read", "aria-live": "polite" });
  canvas.style.width = `${columns * cell}px`;
  canvas.style.height = `${rows * cell}px`;
  v.forEach((x, k) => { pen.fillStyle = shade(x, top); pen.fillRect(k % columns, Math.floor(k / columns), 1, 1); });
  const few = shape.length === 1 && v.length <= 8 ? `[${Array.from(v, (x) => short(x)).join(", ")}]` : `from ${short(low)} to ${short(high)}, brown below 0 and teal above`;
  const rest = () => { read.textContent = `${few}, norm ${short(norm(v))}`; };
  let at = 0;
  const tell = (k) => {
    at = Math.max(0, Math.min(v.length - 1, k));
    const index = shape.map((_, axis) => Math.floor(at / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % shape[axis]);
    read.textContent = `[${index.join(",")}] = ${v[at]}`;
  };
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const { width, height } = canvas.getBoundingClientRect();
    tell(Math.floor(offsetY / height * rows) * columns + Math.min(columns - 1, Math.floor(offsetX / width * columns)));
  });
  canvas.addEventListener("pointerleave", rest);
  canvas.addEventListener("blur", rest);
  canvas.addEventListener("focus", () => tell(at));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (move) { event.preventDefault(); event.stopPropagation(); tell(at + move); }
  });
  rest();
  return el("div", { class: "array" }, canvas, read);
}

function quantity(v, entry, shape, what) {
  if (!v) return el("span", { class: "soft" }, entry?.left_out ? `${entry.left_out} entries, norm ${short(Number(entry.norm))}; too many for this page` : "not known");
  return v.length === 1 && shape.length === 0 ? num(v[0], { class: what }) : arrayView(v, shape, what);
}
// Every entry, for exact reading; the text is the size.
const exact = (v, name) => el("data", { class: name, value: Array.from(v).join(" "), title: v.length === 1 ? String(v[0]) : `norm ${norm(v)}` }, v.length === 1 ? short(v[0]) : short(norm(v)));
const goto = (i, text = nameOf(i)) => el("button", { type: "button", class: "link", onclick: () => select(i) }, text);

function nodePanel() {
  const panel = $("node");
  room(told !== null || stepping);
  panel.replaceChildren();
  if (told === null) return panel.append(...intro());
  const i = real(told), box = boxes[i], hidden = pending(i);
  const kind = { leaf: "a leaf: nothing made it", constant: "a constant: it has no gradient", folded: "several nodes in one box", output: `${box.op === "leaf" ? "a leaf" : `made by ${box.op}`}; the output` }[box.kind] ?? `made by ${box.op}`;
  panel.append(el("h2", {}, box.name), el("p", { class: "lead" }, kind));
  panel.append(...soFar(i));
  if (box.kind === "folded") {
    const lines = boxAt[i].querySelector("title").textContent.split("\n").slice(1), why = "What if? Several nodes are in this box, and their maps are not in the page, so nothing in it can be replaced; fold=None draws each.";
    return panel.append(...lines.map((line) => el("p", {}, line)), el("p", { class: "whatif" }, why), ...edges(i));
  }
  const facts = el("dl", { class: "pair", "aria-live": "polite" }, el("dt", {}, "value"), el("dd", {}, quantity(values[i], box.value, box.shape, "value")));
  if (box.kind !== "constant") {
    facts.append(el("dt", {}, "gradient"), el("dd", {},
      before[i] && !unchanged(i) && !hidden ? el("data", { class: "was", value: Array.from(before[i]).join(" ") }, box.shape.length ? `norm ${short(norm(before[i]))}` : short(before[i][0])) : null,
      hidden ? el("span", { class: "soft" }, "not yet: the backward pass has still to bring it") : hasGradients || before[i] ? quantity(now.g[i], unchanged(i) ? box.gradient : null, box.shape, "gradient") : withoutPass(box)));
  }
  panel.append(facts, ...arriving(i), ...edges(i), ...(hidden ? [] : product(i)));
}

// In the backward pass: how much of the gradient that it starts with has come as far as this.
function soFar(i) {
  const [g, start] = [now.g[i], now.g[output]].map((v) => v && norm(v));
  if (!stepping || pending(i) || !hasGradients || g === null || !start) return [];
  const passed = loops || boxes[i].kind === "constant" ? 0 : stations(i).filter((k) => boxes[k].kind !== "folded").length - 1;
  return [el("p", { class: "so-far" }, "so far ", el("data", { value: String(g / start), title: String(g / start) }, small(g / start)), ` of the gradient at ${nameOf(output)}${passed > 0 ? `, after ${passed} station${passed === 1 ? "" : "s"}` : ""}`)];
}

// No pass has been run for this picture; a backward pass of the reader's own may have left a gradient.
const withoutPass = (box) => box.grad
  ?? `none: the output is ${output < 0 ? "in a folded box; fold=None draws it in full" : "not one number, or a value has changed since"}`;

// The panel takes its room from the graph only while there is something to tell.
function room(wanted) {
  if ($("panel").hidden === !wanted) return;
  if (!wanted && $("panel").contains(document.activeElement)) reachable?.focus({ preventScroll: true });
  $("panel").hidden = $("divider").hidden = !wanted;
  $("divider").setAttribute("aria-valuenow", $("panel").offsetWidth);
  settle();
}

function intro() {
  const words = hasGradients
    ? `Select a box to see its numbers. Blue has shrunk on the way back from ${nameOf(output)}, red has grown. Play steps through both passes.`
    : "Select a box to see its numbers.";
  return [el("h2", {}, "No node selected"), el("p", { class: "lead" }, words)];
}

const times = (formula) => (formula === "1" ? "g as it is" : formula ? `(${formula})ᵀ g` : "");

// Contributions from each child, and their sum.
function arriving(i) {
  const from = outOf[i].filter((e) => !stepping || passed(e)), size = (e) => (unchanged(arrows[e].head) ? arrows[e].size : null); // of a map that is not in the page
  if (!hasGradients || !from.some((e) => now.c[e] || size(e) !== null)) return [];
  const rows = from.slice(0, 200).map((e) => {
    const c = now.c[e], head = arrows[e].head;
    const how = scalar && c && now.g[head] ? `${short(slope(e))} × ${short(now.g[head][0])}` : replaced.has(e) ? "replaced" : times(arrows[e].formula);
    return el("tr", {}, el("td", {}, goto(head)), el("td", { class: "soft" }, how), el("td", { class: "n" }, c ? exact(c, "part") : size(e) === null ? "not known" : short(Number(size(e)))));
  });
  if (from.length > rows.length) rows.push(el("tr", {}, el("td", { class: "soft" }, `and ${from.length - rows.length} more`), el("td"), el("td")));
  if (usedIn[i].length) rows.push(el("tr", {}, el("td", {}, ...usedIn[i].flatMap((k) => [goto(k), " "])), el("td", { class: "soft" }, "folded"), el("td", { class: "n" }, "not known")));
  else if (from.length === outOf[i].length && from.every((e) => now.c[e])) {
    const sum = new Float64Array(now.c[from[0]].length);
    for (const e of from) now.c[e].forEach((x, j) => { sum[j] += x; });
    rows.push(el("tr", { class: "sum" }, el("td", {}, "sum = gradient"), el("td", {}), el("td", { class: "n" }, exact(sum, "total"))));
  }
  return [el("h3", {}, "What arrives, from each child"), el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, "from"), el("th", {}, "local × gradient there"), el("th", { class: "n" }, boxes[i].shape.length ? "size" : ""))), el("tbody", {}, ...rows))];
}

// The local derivative to each parent, and what to put in its place.
function edges(i) {
  const found = into[i].filter((e) => boxes[real(arrows[e].tail)].kind !== "constant");
  if (!found.length) return [];
  return [el("h3", {}, "Local derivatives, to each parent"), ...found.map((e) => {
    const { formula, numbers, map, tail } = arrows[e], g = now.g[i], c = now.c[e];
    const line = el("p", { class: "formula" }, `∂${nameOf(i)}/∂`, goto(tail), formula ? ` = ${formula}` : "");
    if (map?.kind === "scale" && map.rows === 1 && map.columns === 1) {
      if (numbers && numbers !== formula && !/^\(?[-+.\de]+\)?$/.test(numbers)) line.append(` = ${numbers.replace(/e([-+]\d+)/g, (_, k) => `·10${superscript(Number(k))}`)}`);
      if (formula !== String(map.x)) line.append(" = ", num(Number(map.x), { class: "local" }));
    }
    if (replaced.has(e)) line.append(el("span", { class: "swap" }, ` ${inPlace(e)}`));
    const gain = g && c && norm(g) > 0 && !pending(i) ? norm(c) / norm(g) : null;
    const size = gain !== null && boxes[i].shape.length ? el("p", { class: "soft" }, "gain ", num(gain, { class: "gain" }), ` = |Jᵀ g| / |g|`) : null;
    return el("div", { class: "edge" }, line, formula ? size : el("p", { class: "soft lines" }, arrowAt[e].firstElementChild.textContent), whatIf(e));
  })];
}

function whatIf(e) {
  const { map, formula } = arrows[e];
  if (!formula && !map) return null;
  if (!map) return el("p", { class: "whatif" }, "What if? This map is too large to be carried in the page, so it cannot be replaced.");
  if (!hasGradients) return null;
  const what = replaced.get(e), square = map.rows === map.columns, derivative = `∂${nameOf(arrows[e].head)}/∂${nameOf(arrows[e].tail)}`;
  const button = (to, text) => el("button", { type: "button", "data-edge": e, "data-to": to, "aria-pressed": String(what?.to === to), "aria-label": `${text}, in place of ${derivative}`, onclick: () => replace(e, what?.to === to ? null : { to }) }, text);
  const one = map.kind === "dense" || map.kind === "sparse" ? "identity" : map.rows > 1 ? "slopes → 1" : "→ 1";
  const factor = el("input", { type: "number", step: "any", "data-edge": e, "aria-label": `× …, ${derivative} times a number`, placeholder: "× …", value: what?.to === "times" ? what.times : null });
  factor.addEventListener("change", () => replace(e, factor.value === "" ? null : { to: "times", times: Number(factor.value) }));
  return el("div", { class: "whatif" }, "What if?", square && !(map.kind === "scale" && Number(map.x) === 1) ? button("one", one) : null, button("zero", "→ 0"), factor);
}

function bar(log, span) {
  const fill = el("i", { class: log > 0 ? "up" : null });
  fill.style.width = Number.isFinite(log) ? `${Math.min(100, Math.abs(log) / span * 100)}%` : "100%";
  return el("span", { class: "bar" }, fill);
}

// The running product from the output to here, cut where every path passes.
function product(i) {
  if (!hasGradients || boxes[i].kind === "constant" || loops) return [];
  const list = stations(i).filter((k) => boxes[k].kind !== "folded").reverse(), end = now.g[output] && norm(now.g[output]);
  const rows = list.slice(1).map((k, n) => {
    const size = now.g[k] ? norm(now.g[k]) : NaN, above = now.g[list[n]] ? norm(now.g[list[n]]) : NaN, log = Math.log10(size / end);
    const was = before[k] && !unchanged(k) ? Math.log10(norm(before[k]) / norm(before[output])) : null;
    return { k, gain: size / above, log, was };
  });
  if (!rows.length) return [];
  const span = Math.max(1e-9, ...rows.map(({ log }) => (Number.isFinite(log) ? Math.abs(log) : 0)));
  const lines = rows.slice(0, 400).map(({ k, gain, log, was }) => el("tr", { class: "station", "data-box": k }, el("td", {}, goto(k)),
    el("td", { class: "n" }, num(gain, { class: "gain" })),
    el("td", { class: "n" }, was !== null && was !== log ? el("data", { class: "was", value: String(was) }, signed(was)) : null, el("data", { class: "log", value: String(log), title: String(log) }, signed(log))),
    el("td", {}, bar(log, span))));
  if (rows.length > lines.length) lines.push(el("tr", {}, el("td", { class: "soft" }, `and ${rows.length - lines.length} more`)));
  const head = el("tr", {}, el("th", {}, "through"), el("th", { class: "n" }, "gain"), el("th", { class: "n" }, "log10 product"), el("th", {}));
  return [el("h3", {}, `Product from ${nameOf(output)} back to here`), el("table", {}, el("thead", {}, head), el("tbody", {}, ...lines))];
}

// ── selecting and walking ──────────────────────────────────────────────────────────────────────────────────────────

function outline(i) {
  for (const e of near) arrowAt[e].classList.remove("near");
  if (chosen !== null) { boxAt[chosen].classList.remove("chosen"); boxAt[chosen].setAttribute("aria-pressed", "false"); }
  chosen = told = i;
  near = i === null ? [] : [...into[i], ...(boxes[i].of === null ? outOf[i] : drawnFrom[i])];
  for (const e of near) arrowAt[e].classList.add("near");
  if (i !== null) { boxAt[i].classList.add("chosen"); boxAt[i].setAttribute("aria-pressed", "true"); }
}
function select(i) {
  outline(i);
  nodePanel();
  if (i !== null) { focusable(i); show(i); $("node").scrollTop = 0; }
}
let near = [];

// One box at a time can be reached with the Tab key.
const elementOf = (i) => (foldedGroups.has(groupOf.get(i)) ? summaries.get(groupOf.get(i)).g : boxAt[i]);
let reachable = null;
function focusable(i, focus = false) {
  reachable?.setAttribute("tabindex", "-1");
  current = i;
  reachable = elementOf(i);
  reachable.setAttribute("tabindex", "0");
  if (ground && !reachable.isConnected) lay();
  if (focus) { reachable.focus({ preventScroll: true }); show(i); }
}

function neighbour(i, key) {
  const k = foldedGroups.has(groupOf.get(i)) ? groups[groupOf.get(i)].boxes : [i], own = new Set(k.map(unit));
  const [x, y, w] = standing.get(unit(i));
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const others = k.flatMap((j) => (key === "ArrowLeft"
      ? [...into[j].map((e) => arrows[e].tail), ...(boxes[j].of === null ? [] : [boxes[j].of])]
      : [...drawnFrom[j].map((e) => arrows[e].head), ...aliases[j]])).filter((j) => !own.has(unit(j)));
    const heavy = (j) => (boxes[j].kind === "constant" ? 2 : ["leaf", "alias"].includes(boxes[j].kind) ? 1 : 0);
    return others.sort((a, b) => heavy(a) - heavy(b) || Math.abs(standing.get(unit(a))[1] - y) - Math.abs(standing.get(unit(b))[1] - y))[0];
  }
  const down = key === "ArrowDown";
  let best, least = Infinity;
  boxes.forEach((_, j) => {
    const [X, Y, W] = standing.get(unit(j));
    if ((down ? Y - y : y - Y) > 1 && Math.abs(X - x) < (w + W) / 2 && Math.abs(Y - y) < least) { least = Math.abs(Y - y); best = j; }
  });
  return best;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open || $("graph-view").hidden) return;
  const typing = event.target.matches("input:not([type=range])"), onBox = event.target.closest?.("#view .box");
  if (event.key === "Escape") { stop(); find(""); $("search").value = ""; rest(); select(null); return; }
  if (typing) return;
  if (onBox && event.key.startsWith("Arrow")) {
    const next = neighbour(current, event.key);
    if (next !== undefined) focusable(next, true);
    event.preventDefault();
  } else if (onBox && (event.key === "Enter" || event.key === " ")) {
    if (onBox.id[0] === "f") { fold(Number(onBox.id.slice(1)), false); focusable(current, true); } else select(current);
    event.preventDefault();
  } else if (event.target.closest?.(".frame") && (event.key === "Enter" || event.key === " ")) {
    fold(Number(event.target.closest(".frame").id.slice(1)));
    event.preventDefault();
  } else if (event.key === "f" && groupOf.has(current)) fold(groupOf.get(current));
  else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "0") fit();
  else if (event.key === "?") $("keys").showModal();
  else if (event.key === "/") { $("search").focus(); event.preventDefault(); }
  else if (event.key === ".") { stop(); step(at + 1); }
  else if (event.key === ",") { stop(); step(at - 1); }
  else if (event.key === " " && !event.target.closest?.("button, summary")) { play(); event.preventDefault(); }
}

// ── finding ────────────────────────────────────────────────────────────────────────────────────────────────────────

let hits = [], hit = -1;
function find(text) {
  for (const i of hits) boxAt[i].classList.remove("hit");
  const wanted = text.toLowerCase();
  hits = wanted ? boxes.flatMap((box, i) => (box.of === null && titleOf(i).toLowerCase().includes(wanted) ? [i] : [])) : [];
  hit = -1;
  for (const i of hits) boxAt[i].classList.add("hit");
  const items = hits.slice(0, 12).map((i, n) => el("li", {}, el("button", { type: "button", onclick: () => { hit = n; jump(); } }, titleOf(i))));
  if (hits.length > 12) items.push(el("li", {}, `and ${hits.length - 12} more; Enter goes through all`));
  $("found").replaceChildren(...(wanted && !hits.length ? [el("li", {}, "no such name")] : items));
  $("found").hidden = !wanted;
}
function jump() {
  select(hits[hit]);
  [...$("found").querySelectorAll("button")].forEach((button, n) => (n === hit ? button.setAttribute("aria-current", "true") : button.removeAttribute("aria-current")));
}

// ── stepping ───────────────────────────────────────────────────────────────────────────────────────────────────────

// Forward: box by box, oldest first. Then the seed, then backward: each box passes its gradient to its parents, youngest first.
const forward = computed.length, backward = hasGradients ? [...computed].reverse() : [];
const last = forward + (hasGradients ? 1 + backward.length : 0);
const changes = Array.from({ length: last + 1 }, () => ({ values: [], gradients: [] })); // what appears at each step
let at = last, timer = null, lit = [], stepping = false;
const turn = new Map(backward.map((i, n) => [i, forward + 2 + n])); // the step in which a box passes its gradient on
const constant = (i) => boxes[real(i)].kind === "constant";
const pending = (i) => boxAt[i].classList.contains("pending"); // its gradient is still to come
const passed = (e) => stepping && turn.get(arrows[e].head) <= at && !constant(arrows[e].tail); // it carries its part, or has done so

function planSteps() {
  computed.forEach((i, n) => changes[n + 1].values.push(i));
  if (!hasGradients) return;
  const known = boxes.map((_, i) => (i === output ? forward + 1 : Math.max(forward + 1, ...outOf[i].filter((e) => !arrows[e].loop).map((e) => turn.get(arrows[e].head) ?? 0), ...usedIn[i].map((k) => turn.get(k)))));
  boxes.forEach((box, i) => { if (box.kind !== "constant") changes[known[real(i)]].gradients.push(i); });
}

function mark(k, there) {
  for (const i of changes[k].values) boxAt[i].classList.toggle("no-value", !there);
  for (const i of changes[k].gradients) boxAt[i].classList.toggle("pending", !there);
  for (const i of [...changes[k].values, ...changes[k].gradients]) tell(i);
}

function step(k) {
  const from = stepping ? at : -1, to = Math.max(0, Math.min(last, k));
  while (at < to) mark(++at, true);
  while (at > to) mark(at--, false);
  stepping = true;
  for (const [i, n] of turn) if (from < 0 || (n > Math.min(from, to) && n <= Math.max(from, to))) turnAround(into[i]);
  outline(null);
  told = narrate();
  nodePanel();
  if (told !== null) show(told);
  drawMap();
}

// The words of this step, and what is lit; the box that it is about.
function narrate() {
  unlight();
  $("step").value = at;
  const i = at === 0 ? null : at <= forward ? computed[at - 1] : at === forward + 1 ? output : backward[at - forward - 2];
  if (i !== null) light(i, at <= forward ? into[i] : into[i].filter(passed));
  const words = at === 0 ? "Only leaves and constants have values." : at <= forward ? valueSentence(i) : at === forward + 1 ? `The backward pass starts: ${nameOf(i)} gets its own gradient, ${brief(now.g[i])}.` : gradientSentence(i);
  const phase = at <= forward ? `Forward ${at} of ${forward}` : `Backward ${at - forward} of ${last - forward}`;
  $("said").replaceChildren(el("b", {}, `${phase}. `), words);
  $("step").setAttribute("aria-valuetext", phase);
  svg.classList.toggle("stepping", hasGradients);
  for (const k of summaries.keys()) tellSummary(k);
  return i;
}

// Both passes are done: arrows point to their children again.
function rest() {
  if (at < last || !stepping) return;
  stepping = false;
  unlight();
  svg.classList.remove("stepping");
  turnAround(arrows.keys());
  $("said").textContent = doneWords;
}

function turnAround(edges) {
  for (const members of new Set(Array.from(edges, (e) => bundles[e]))) if (members) placeArrow(members);
  for (const e of edges) hint(e);
}

function unlight() {
  for (const element of lit) element.classList.remove("now", "flow");
  lit = [];
}
function light(i, edgesThere) {
  lit = [elementOf(i), ...edgesThere.flatMap((e) => (bundles[e] ? [arrowAt[bundles[e][0]]] : []))];
  elementOf(i).classList.add("now");
  for (const element of lit.slice(1)) element.classList.add("flow");
}

const listed = (parts, most = 6) => (parts.length > most ? [...parts.slice(0, most), `${parts.length - most} more`] : parts).join("; ");
function valueSentence(i) {
  if (boxes[i].kind === "folded") return `${boxes[i].lines.join(", ")}.`;
  const from = into[i].map((e) => real(arrows[e].tail)).map((k) => (boxes[k].kind === "constant" ? `the constant ${brief(values[k], boxes[k].value)}` : `${nameOf(k)}, ${brief(values[k], boxes[k].value)}`));
  return `${titleOf(i)} ${values[i]?.length === 1 ? "is" : "has"} ${brief(values[i], boxes[i].value)}, from ${listed(from)}.`;
}
function gradientSentence(i) {
  const giving = into[i].filter((e) => boxes[real(arrows[e].tail)].kind !== "constant");
  if (!giving.length) return `${titleOf(i)} passes nothing on that is shown here.`;
  if (boxes[i].kind === "folded") return `${titleOf(i)} is folded; it passes on: ${listed(giving.map((e) => [nameOf(arrows[e].tail), ...arrows[e].lines].join(" ")))}.`;
  return listed(giving.map((e) => {
    const c = now.c[e], g = now.g[i], name = nameOf(arrows[e].tail), from = boxes[i].op;
    if (!c || !g) return `${name} gets ${arrows[e].size === null ? "a part that is not known" : `a part of size ${short(Number(arrows[e].size))}`} from ${from}`;
    if (c.length === 1 && g.length === 1) return `${name} gets ${short(slope(e))} × ${short(g[0])} = ${short(c[0])} from ${from}`;
    const how = replaced.has(e) ? "the replaced map times g" : times(arrows[e].formula);
    return `${name} gets ${how}, from ${from}: size ${short(norm(c))}${norm(c) === norm(g) ? "" : ` of ${short(norm(g))}`}`;
  })) + ".";
}

function stop() { clearInterval(timer); timer = null; $("play").textContent = "Play"; }
function play() {
  if (timer) return stop();
  if (at >= last) step(0);
  if (calm()) return step(at + 1);
  $("play").textContent = "Pause";
  timer = setInterval(() => { step(at + 1); if (at >= last) stop(); }, Math.max(120, Math.min(900, 20000 / last)));
}

// ── what if ────────────────────────────────────────────────────────────────────────────────────────────────────────

function replace(e, what) {
  if (what === null) replaced.delete(e); else replaced.set(e, what);
  recompute();
}

function recompute() {
  now = sweepWith(replaced);
  arrows.forEach((_, e) => relabel(e));
  boxes.forEach((_, i) => recolour(i));
  for (const { g } of summaries.values()) g.remove();
  summaries.clear();
  if (foldedGroups.size) { placeAll(); look(); }
  if (current !== null) focusable(current);
  const unknown = boxes.some((box, i) => now.touched.has(i) && (box.kind === "folded" || (before[i] && !now.g[i])));
  $("changed").hidden = !replaced.size;
  const list = [...replaced.keys()].map((e) => `∂${nameOf(arrows[e].head)}/∂${nameOf(arrows[e].tail)} ${inPlace(e)}`);
  $("changed").replaceChildren(`What if ${listed(list, 3)}? `, unknown ? "Some gradients are unknown: maps on their way are not in the page, or folded. " : "",
    el("button", { type: "button", id: "reset", onclick: () => { replaced.clear(); recompute(); } }, "Reset"));
  const focused = document.activeElement?.dataset?.edge, to = document.activeElement?.dataset?.to;
  if (stepping) narrate();
  nodePanel();
  if (focused) $("node").querySelector(`[data-edge="${Number(focused)}"]${to ? `[data-to="${to === "one" ? "one" : "zero"}"]` : ":not([data-to])"}`)?.focus();
  drawMap();
}

const inPlace = (e) => ({ one: "→ 1", zero: "→ 0" })[replaced.get(e).to] ?? `× ${small(replaced.get(e).times)}`;

const drawn = arrowAt.map((g) => ["stroke", "stroke-dasharray"].map((key) => g.children[1].getAttribute(key)));

// What an arrow says and its colour, as they are now; a replaced one says by what. After the formula comes the gain.
function relabel(e) {
  const { map, head, lines } = arrows[e], element = arrowAt[e], [path, point, words] = [1, 2, 3].map((k) => element.children[k]);
  element.classList.toggle("replaced", replaced.has(e));
  element.classList.toggle("stale", !map && !unchanged(head));
  hint(e);
  if (!map) return;
  const g = now.g[head], c = now.c[e], same = !replaced.has(e) && unchanged(head);
  const gain = scalar ? Math.abs(slope(e)) : c && g && norm(g) !== 0 ? norm(c) / norm(g) : null;
  const heat = gain === null ? null : Math.log10(gain);
  const [shade, dots] = same ? drawn[e] : [colour(heat, looks.ARROW_SPAN, looks.GREY), heat === -Infinity ? "2 3" : null];
  const told = gain !== null ? `gain ${small(gain)}` : g ? "nothing arrives" : "gain unknown";
  lines.forEach((line, n) => { words.children[n].textContent = n === 0 && replaced.has(e) ? inPlace(e) : line.startsWith("gain ") && !same ? told : line; });
  path.setAttribute("stroke", shade);
  if (dots) path.setAttribute("stroke-dasharray", dots); else path.removeAttribute("stroke-dasharray");
  point.setAttribute("fill", shade);
}

// What an arrow says when pointed at: its gain when it is known, and as it is with these replacements.
function hint(e) {
  const { map, head, tail } = arrows[e], g = now.g[head], c = now.c[e], known = !stepping || !hasGradients || passed(e);
  const gain = g && c && norm(g) > 0 ? norm(c) / norm(g) : null, same = unchanged(head) && !replaced.has(e);
  const lines = titles[1][e].split("\n").flatMap((line) => (!/^(gain|from the last state)/.test(line) || (known && same) ? [line] : known && map ? [`gain ${gain ?? "unknown"}`] : []));
  if (replaced.has(e)) lines.push(`what if: ${inPlace(e)}`);
  else if (!same && !map && !constant(tail)) lines.push("what if: unknown, its map is not in the page");
  arrowAt[e].firstElementChild.textContent = lines.join("\n");
}

// The gradient in a box and its colour, as they are now.
function recolour(i) {
  const box = boxes[i], g = now.g[real(i)];
  const stale = box.kind === "folded" && now.touched.has(i);
  boxAt[i].classList.toggle("stale", stale);
  if (box.kind === "folded") boxAt[i].querySelectorAll(".gradient").forEach((text, n) => { text.textContent = !stale ? known.get(text) : n ? "" : "|grad| unknown"; });
  tell(i);
  if (box.kind === "constant" || box.kind === "folded" || !before[real(i)]) return;
  const fill = colour(heatOf(g)), shape = boxAt[i].querySelector("rect");
  if (shape.getAttribute("fill") !== fill) shape.setAttribute("fill", fill);
  for (const text of boxAt[i].querySelectorAll("text")) text.setAttribute("fill", ink(fill));
  const line = boxAt[i].querySelector(".gradient");
  if (line) line.textContent = !g ? "grad unknown" : g.length === 1 && !box.shape.length ? `grad ${small(g[0])}` : `|grad| ${small(norm(g))}`;
  boxAt[i].setAttribute("aria-label", label(i));
}
const known = new Map(); // what a folded box says of its gradient, as it was drawn

// ── at the start ───────────────────────────────────────────────────────────────────────────────────────────────────

function dressGraph() {
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", `Graph of ${boxes.length} boxes; arrow keys walk from box to box`);
  boxes.forEach((box, i) => {
    const g = boxAt[i];
    for (const [key, x] of [["tabindex", "-1"], ["role", "button"], ["aria-pressed", "false"]]) g.setAttribute(key, x);
    if (box.kind === "folded") for (const text of [...g.querySelectorAll("text")].filter(({ textContent: line }) => /^(\|grad\||… )/.test(line))) {
      text.classList.add("gradient");
      known.set(text, text.textContent);
    }
    g.setAttribute("aria-label", label(i));
    if (!["leaf", "node", "output"].includes(box.kind)) return;
    box.lines.forEach((_, n) => {
      const text = g.querySelectorAll("text")[n];
      if (n === 1) text.classList.add("value");
      if (n === 2 && (box.gradient !== null || box.grad !== null)) text.classList.add("gradient");
    });
  });
  arrows.forEach(({ lines }, e) => lines.forEach((line, n) => arrowAt[e].children[3].children[n].classList.toggle("gain", /^gain | in all$/.test(line))));
  frameAt.forEach((g, k) => {
    if (!groups[k].label) return g.classList.add("gone"); // around a folded box there is nothing to fold
    g.classList.add("toggle");
    g.querySelector("text").textContent = `▾ ${groups[k].label}`;
    for (const [key, x] of [["tabindex", "0"], ["role", "button"], ["aria-label", `▾ ${groups[k].label}, fold`]]) g.setAttribute(key, x);
  });
}

function dividerMoves() {
  const bar = $("divider"), panel = $("panel");
  const wide = (w) => { panel.style.width = `${Math.max(240, Math.min(innerWidth * 0.75, w))}px`; look(); bar.setAttribute("aria-valuenow", panel.offsetWidth); };
  for (const [key, x] of [["valuemin", 240], ["valuemax", 4000], ["valuenow", panel.offsetWidth]]) bar.setAttribute(`aria-${key}`, x);
  bar.addEventListener("pointerdown", (event) => bar.setPointerCapture(event.pointerId));
  bar.addEventListener("pointermove", (event) => { if (event.buttons) wide(innerWidth - event.clientX); });
  bar.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") { wide(panel.offsetWidth + (event.key === "ArrowLeft" ? 24 : -24)); event.preventDefault(); }
  });
}

// A legend wider than the page can be scrolled by key.
function reachKey() {
  const key = document.querySelector(".key");
  if (key.scrollWidth > key.clientWidth) key.setAttribute("tabindex", 0); else key.removeAttribute("tabindex");
}

function listen() {
  document.addEventListener("keydown", keys);
  $("search").addEventListener("input", () => find($("search").value));
  $("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !hits.length) return;
    hit = (hit + (event.shiftKey ? hits.length - 1 : 1) + (hit < 0 && event.shiftKey ? 1 : 0)) % hits.length;
    jump();
  });
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".finder")) $("found").hidden = true; });
  for (const [id, does] of [["fold", foldAll], ["fit", fit], ["larger", () => zoom(1.25)], ["smaller", () => zoom(0.8)], ["help", () => $("keys").showModal()],
    ["play", play], ["next", () => { stop(); step(at + 1); }], ["back", () => { stop(); step(at - 1); }]]) $(id).addEventListener("click", does);
  $("step").addEventListener("input", () => { stop(); step(Number($("step").value)); });
  addEventListener("resize", () => { settle(); reachKey(); });
  addEventListener("beforeprint", printed);
  addEventListener("afterprint", () => { ground = null; look(); });
}

for (const element of [document.querySelector(".tools"), $("map"), $("graph-view").querySelector("footer")]) element.hidden = false;
$("view").classList.add("live");
$("fold").hidden = !groups.length;
$("step").max = last;
planSteps();
dressGraph();
placeAll();
if (output >= 0) focusable(output);
watchPointer();
dividerMoves();
listen();
$("step").value = last;
const doneWords = hasGradients ? "Both passes are done. Play goes through them, one op at a time; select a box to see its numbers." : "Play goes through the forward pass, one op at a time; select a box to see its numbers.";
$("said").textContent = doneWords;
nodePanel();
start();
reachKey();
let opened = false;
addEventListener("opened", ({ detail }) => { // from the river: at the station that was in its card
  const i = boxes.findIndex((box) => box.of === null && box.name === detail);
  if (!opened) start(); else look();
  opened = true;
  reachKey();
  if (i < 0) return;
  select(i);
  if (!view.whole) around(i);
  focusable(i, true);
});
