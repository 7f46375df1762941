// What is one step of the way back?  The card of a station: the link as a formula, as numbers, as strips, as a graph and as code; and the table.

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
function symbol(name) { // h₁₂ as <msub>, {h₁₂, c₁₂} as (h₁₂, c₁₂)
  if (/^\{.*\}$/.test(name)) return math("mrow", {}, operator("("), name.slice(1, -1).split(", ").flatMap((one, n) => [n ? operator(",") : null, symbol(one)]), operator(")"));
  const found = /^(.*?)([₀-₉]+)$/.exec(name), digits = found && found[2].replace(/./g, (c) => SUBSCRIPTS.indexOf(c));
  if (found) return math("msub", {}, math("mi", {}, found[1]), math("mn", {}, digits));
  const [base, sub] = name.split(/_(.*)/);
  return sub ? math("msub", {}, math("mi", {}, base), math("mi", {}, sub)) : math("mi", {}, name);
}
const partial = (name, kind) => math("mfrac", { class: kind }, math("mrow", {}, math("mi", {}, "∂"), math("mi", {}, "L")), math("mrow", {}, math("mi", {}, "∂"), symbol(name)));
const operator = (text) => math("mo", {}, text), tight = (text) => math("mo", { lspace: "0", rspace: "0", stretchy: "false" }, text);
function transposed(name) { // W_hh with ⊤ above its index
  const [base, sub] = name.split(/_(.*)/);
  return sub ? math("msubsup", {}, math("mi", {}, base), math("mi", {}, sub), tight("⊤")) : math("msup", {}, symbol(name), tight("⊤"));
}
const sign = ({ k, e }) => (k === 0 && !what.slopes || e ? "⊙" : "·"); // entry by entry, or a matrix
const put = (k) => (what.links.get(k) === "one" ? 1 : what.links.get(k)), whole = (k) => put(k) === 0 || what.links.get(k) === "one"; // what a link is replaced by, or multiplied by

function equation(k) {
  const link = model.links[k], slope = (at) => what.slopes ? math("mn", { class: "slopes" }, 1) : math("mrow", { class: "slopes" }, at), factor = (one) => one.f
    ? slope([math("msup", {}, math("mi", {}, one.f), tight("′")), tight("("), symbol(one.at), tight(")")])
    : math("mrow", { class: INK[one.k] }, one.e ? symbol(one.t) : transposed(one.t));
  const jacobian = () => math("msup", {}, math("mrow", {}, operator("("), math("mfrac", {}, math("mrow", {}, math("mi", {}, "∂"), symbol(model.names[k + 1])), math("mrow", {}, math("mi", {}, "∂"), symbol(model.names[k]))), operator(")")), operator("⊤"));
  const terms = whole(k) ? [] : link.formula.length ? link.formula.map((one) => [factor(one), sign(one)]) : [[jacobian(), "·"]];
  if (what.links.has(k)) terms.unshift([math("mn", { class: "now" }, String(put(k)).replace("-", "−")), "·"]);
  const way = link.factor && !whole(k) ? el("p", { class: "caption" }, `= ${link.factor}`) : null;
  return el("div", { class: "equation", tabindex: 0, role: "group", "aria-label": "the chain rule of this link" }, math("math", {}, partial(model.names[k]), operator("="), terms.flatMap(([term, joint]) => [term, operator(joint)]), partial(model.names[k + 1], "flow")), way);
}

// The link in the program written out by hand, as far as it stands.
function lines(k) {
  const code = whole(k) ? "" : what.slopes ? model.links[k].hand.replace(SLOPED, "1").replace(STEPPED, "$1 * 1") : model.links[k].hand, times = code && what.links.has(k) ? `\n# all this × ${put(k)}` : "";
  return el("pre", { id: "by-hand", hidden: !code, tabindex: 0, "aria-label": "the same, in the program written out by hand" }, `${code}${times}`.split("\n").map((line) => el("code", {}, `${line}\n`)));
}
const SLOPED = /\(([^()]+) \* \(1 - \1\)\)|\(1 - ([^()]+) \* \2\)/g, STEPPED = /np\.where\(\S+ > 0, (\w+), 0\)/g; // slopes of sigmoid and tanh, and of ReLU

function tiles(k) {
  const row = now.nats[k].slice(), times = what.links.has(k) ? [Math.abs(put(k))] : [];
  if (put(k)) row[REST] -= Math.log(times[0]);
  const kinds = [1, 0, ...KINDS.slice(2)].filter((p) => Math.abs(row[p]) > 1e-12), first = top();
  const tile = (p) => el("span", { class: `tile ${INK[p]}`, title: String(Math.exp(row[p])), onmouseenter: () => outline(k, p, true), onmouseleave: () => outline(k, p, false) }, power(row[p], 3));
  return el("p", { class: "numbers", title: "the gradient here, what each factor keeps of it, the gradient it comes from" }, el("small", {}, `absolute size, ${model.names[k + 1]} → ${model.names[k]}`), `${power(now.logs[k] + first, 2)} = `, times.flatMap((x) => [el("span", { class: "tile now", title: x }, power(Math.log(x), 3)), " · "]), kinds.flatMap((p) => [tile(p), " · "]),
    el("span", { class: "tile flow", title: exact(now.sizes[k + 1], now.logs[k + 1] + first) }, power(now.logs[k + 1] + first, 2)));
}
// Pointing at a tile outlines its bar, its arrow and its term.
function outline(k, p, on) {
  for (const element of document.querySelectorAll(`[data-link="${k}"] .factor.${INK[p]}, .step .${INK[p]}, .equation .${INK[p]}`)) element.classList.toggle("meant", on);
}

function strip(values, kind, top, words) {
  const most = 64, shown = values.length > most ? Array.from({ length: most }, (_, n) => values[Math.floor(n * values.length / most)]) : Array.from(values);
  const pieces = shown.map((v) => { const i = el("i", { title: String(v) }); i.style.setProperty("--share", `${Math.round(Math.min(1, Math.abs(v) / (top || 1)) * 100)}%`); return i; });
  return [el("p", { class: "caption" }, words), el("div", { class: `strip ${kind}`, role: "img", "aria-label": words }, pieces)];
}
const peak = (v) => v.reduce((top, x) => Math.max(top, Math.abs(x)), 0), range = (v) => [v.reduce((a, b) => Math.min(a, b)), v.reduce((a, b) => Math.max(a, b))].map((x) => x.toPrecision(2)).join(" … ");

const arrived = (k, g = now.gradients[k]) => (g ? strip(g, "flow", peak(g), `${g.length === 1 ? "the entry" : `the ${g.length} entries`} of the gradient here`) : []);
const whose = (link, edge) => `${edge.name}${link.names[edge.c] && link.names[edge.c] !== edge.name ? ` at ${link.names[edge.c]}` : ""}`;

function card() {
  const k = t, box = $("card"), last = begin, heard = model.read[k];
  const head = el("h2", {}, model.names[k], " ", el("small", {}, k === last ? "where the river begins" : heard ? `after reading ‘${heard}’` : k === 0 ? "where it ends" : ""));
  if (upTo < Infinity) return box.replaceChildren(head, el("p", {}, onTheWay()[0][0]));
  if (k > last) return box.replaceChildren(head, el("p", {}, `This comes after ${model.names[begin]}, where the river begins: no gradient.`));
  if (k === last) {
    return box.replaceChildren(head, el("p", {}, "Here the gradient is ", el("b", { class: "flow" }, power(top())), "; all other sizes are relative to it. Point at a station to its left, or send the gradient back."),
      ...arrived(k), door());
  }
  const link = model.links[k], steep = !whole(k) && link.edges?.find((edge) => edge.k === 0 && edge.m.kind === "diagonal"), parts = [head, equation(k), tiles(k)];
  if (what.slopes && steep) parts.push(...strip([1], "slopes", 1, `${steep.m.rows} slopes of ${whose(link, steep)}: replaced by 1`));
  else if (steep) { const d = now.rerun?.get(steep) ?? diagonal(steep.m); parts.push(...strip(d, "slopes", peak(d), `${d.length} slopes of ${whose(link, steep)}: ${range(d)}`)); }
  parts.push(...arrived(k));
  const steps = last - k, so = now.logs[k];
  parts.push(el("p", { class: "caption", "data-so-far": String(so) }, `relative to ${model.names[last]}: ${power(so)}`, Number.isFinite(so) && steps > 1 ? ` = (${power(so / steps, 3)})${superscript(steps)}` : ""));
  const picture = oneStep(k);
  if (picture) parts.push(picture);
  parts.push(lines(k), el("div", { class: "one" }, model.carried ? linkWhatIf(k) : null, door()));
  box.replaceChildren(...parts);
  fit(box.querySelector(".equation math"));
}
// A formula as large as its panel is wide; where it would be too small, in two lines.
function fit(formula) {
  const wide = formula.parentElement.clientWidth, long = () => Math.max(formula.scrollWidth, formula.getBoundingClientRect().width);
  if (!wide || long() <= wide) return;
  formula.style.fontSize = `${Math.max(14, Math.floor(20 * wide / long()))}px`;
  if (long() <= wide) return;
  const rest = [...formula.children].slice(2), line = (...cells) => math("mtr", {}, math("mtd", { class: "left" }, ...cells));
  formula.replaceChildren(math("mtable", {}, line(...[...formula.children].slice(0, 2)), line(...rest)));
}
const door = () => model !== data.models[0] ? "" : el("button", { type: "button", class: "door", onclick: openGraph, "aria-label": "open in the full graph" }, "full graph");

function square(link) {
  const size = (ends) => ends.reduce((sum, i) => sum + link.sizes[i], 0);
  return size(link.start) === size(link.end);
}
function linkWhatIf(k) {
  const set = (x) => { if (x === null) asked.links.delete(k); else asked.links.set(k, x); change(); };
  const at = what.links.get(k), choice = (x, words) => el("button", { type: "button", "aria-pressed": String(at === x), onclick: () => set(at === x ? null : x) }, words);
  const times = el("input", { type: "number", step: "any", placeholder: "× …", "aria-label": "this link times", value: typeof at === "number" && at !== 0 ? at : null });
  times.addEventListener("change", () => set(times.value === "" ? null : Number(times.value)));
  return ["link ", square(model.links[k]) ? choice("one", "→ 1") : null, choice(0, "→ 0"), times];
}

// The link as a graph, its end on top, arrows the way the gradient goes: as wide as the gradient is large. Where nothing branches,
// factors of 1 are passed over.
function oneStep(k) {
  const link = model.links[k], inner = now.inner[k];
  if (!inner || !link.edges || !norm(now.gradients[k + 1])) return null;
  const straight = link.edges.length === link.sizes.length - 1 && new Set(link.edges.map((edge) => edge.p)).size === link.edges.length, onto = new Map();
  const edges = straight ? link.edges.filter((edge) => { const one = edge.m.kind === "scale" && Number(edge.m.x) === 1; if (one) onto.set(edge.c, edge.p); return !one; }) : link.edges;
  const standing = (i) => { while (onto.has(i)) i = onto.get(i); return i; }, named = (i) => link.names[i] || model.names[link.start.includes(i) ? k : k + 1];
  const nodes = [...new Set([...link.start, ...edges.flatMap((edge) => [standing(edge.c), standing(edge.p)]), ...link.end.map(standing)])].sort((a, b) => a - b);
  if (nodes.length > 14) return null;
  const names = new Map(nodes.map((i) => [i, named([...onto.keys()].reverse().find((c) => standing(c) === i) ?? i)])), depth = new Map(nodes.map((i) => [i, 0]));
  for (const edge of [...edges].sort((a, b) => b.c - a.c)) depth.set(standing(edge.p), Math.max(depth.get(standing(edge.p)), depth.get(standing(edge.c)) + 1));
  for (const i of link.start) depth.set(i, Math.max(...depth.values()));
  const rows = [...new Set(depth.values())].sort((a, b) => a - b).map((d) => nodes.filter((i) => depth.get(i) === d)), high = straight ? 45 : 60, wide = 320, place = new Map();
  rows.forEach((row, r) => row.forEach((i, j) => place.set(i, [straight ? 110 : (j + 0.5) * wide / row.length, 14 + r * high])));
  const size = (i) => (inner[i] ? Math.log10(norm(inner[i].c) / (norm(now.gradients[k + 1]) || 1)) : -99), broad = (i) => Math.max(1.5, Math.min(12, 10 + 3 * size(i)));
  const times = Math.abs(put(k) ?? 1), more = what.links.has(k) ? ` × ${times}` : "", parts = edges.flatMap((edge) => {
    const [x, y] = place.get(standing(edge.c)), [X, Y] = place.get(standing(edge.p)), name = edge.k === 0 ? `${edge.name}′` : edge.k > 2 || edge.e ? edge.name : `${edge.name}ᵀ`;
    return [draw("path", { d: `M${x},${y + 14} L${X},${Y - 22}`, class: `way ${INK[edge.k]}`, "stroke-width": broad(edge.p) }), draw("path", { d: `M${X - 7},${Y - 23} L${X + 7},${Y - 23} L${X},${Y - 13}Z`, class: `tip ${INK[edge.k]}` }),
      straight ? draw("text", { x: X + 16, y: (y + Y) / 2 + 4, class: INK[edge.k] }, `${name} × ${power(Math.log(now.gains[k].get(edge)), 3)}${link.start.includes(standing(edge.p)) ? more : ""}`) : ""];
  });
  for (const [i, [x, y]] of place) {
    const name = names.get(i), short = name.length > 9 ? `${name.slice(0, 8)}…` : name;
    parts.push(draw("rect", { x: x - 34, y: y - 13, width: 68, height: 26, rx: 7, class: "node" }), draw("text", { x, y: y + 5, "text-anchor": "middle" }, draw("title", {}, name), short));
    if (straight && inner[i]) parts.push(draw("text", { x: x + 42, y: y + 5, class: "flow" }, power(Math.log(norm(inner[i].c) * (link.start.includes(i) ? times : 1)) + far(k))));
  }
  return draw("svg", { class: "step", viewBox: `0 0 ${wide} ${(rows.length - 1) * high + 28}`, role: "img", "aria-label": `the link from ${model.names[k + 1]} back to ${model.names[k]}` }, parts);
}
// What a gradient of this link has been scaled by, in nats.
const far = (k) => now.logs[k + 1] + top() - Math.log(norm(now.gradients[k + 1]));

// The same numbers as a table, for print and for who listens.
function table() {
  const kinds = shownParts(), first = top(), rows = model.names.map((name, k) => [name, k]).reverse();
  const cell = (k, p) => el("td", {}, k < now.nats.length ? power(now.nats[k][p], 3) : "");
  $("rows").replaceChildren(el("thead", {}, el("tr", {}, ["station", "|gradient|", "of the first", ...kinds.map((p) => PARTS[p])].map((words) => el("th", { scope: "col" }, words)))),
    el("tbody", {}, rows.map(([name, k]) => el("tr", { "data-row": k }, el("th", { scope: "row" }, name), el("td", { title: exact(now.sizes[k], now.logs[k] + first) }, power(now.logs[k] + first, 3)), el("td", { title: String(now.logs[k]) }, power(now.logs[k], 3)), kinds.map((p) => cell(k, p))))));
}
