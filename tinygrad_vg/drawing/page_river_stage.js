// How is the river drawn?  The finding above it, the stage, and the card of one station, each anew whenever something is replaced.

// ── the finding, in the words of river.py ──────────────────────────────────────────────────────────────────────────

const HORIZON = Math.log(1e-3), CANCEL = 0.25;
const sumsOf = ({ nats }) => PARTS.map((_, p) => nats.reduce((sum, row) => sum + row[p], 0));

function title({ names }, now) {
  const keep = now.logs[0], [, before, ink, after, did, cancel] = data.findings.find(([below]) => keep < Number(below)) ?? data.findings.at(-1);
  const filled = (words) => words.replace("{start}", () => names[begin]).replace("{source}", () => names[0]);
  return [[filled(before)], [power(keep), ink], [filled(after)], ...(did ? culprit(sumsOf(now), keep, did, cancel) : [])];
}
function culprit(sums, keep, did, cancel) {
  const all = (way) => way * sums.reduce((sum, x) => sum + (x * way > 0 ? x : 0), 0), took = all(-1), gave = all(1);
  if (sums.every((x) => Math.abs(x) < 0.05)) return [["No factor changed it."]];
  if (cancel && Math.abs(gave - took) < CANCEL * Math.max(gave, took)) return [["What the "], ...movers(sums, -1), [" took, the "], ...movers(sums, 1), [" gave back."]];
  return [["The "], movers(sums, keep)[0], [did]];
}
function movers(sums, way) {
  const [a, b] = [...KINDS].sort((p, q) => (sums[q] - sums[p]) * (way < 0 ? -1 : 1));
  return [[PARTS[a], INK[a]], ...(sums[b] / sums[a] >= 0.5 ? [[" and "], [PARTS[b], INK[b]]] : [])];
}
function below(model, now) {
  const shown = sumsOf(now).flatMap((nats, p) => (Math.abs(nats) >= 0.05 ? [[`${PARTS[p]} ${plus(nats)}`, INK[p]], [", "]] : []));
  if (shown.length) shown[0][0] += " nats";
  const ended = touched() ? "" : model.ended;
  return [[model.about ? `${model.about}. ` : ""], ...shown.slice(0, -1), [shown.length ? `.${ended ? ` ${ended}` : ""}` : ended]];
}
const told = (runs) => runs.map(([words]) => words).join("");

// ── drawing ────────────────────────────────────────────────────────────────────────────────────────────────────────

const math = (tag, attributes, ...children) => make("http://www.w3.org/1998/Math/MathML", tag, attributes, children);
const inked = (runs) => runs.map(([words, kind]) => (kind ? el("b", { class: kind }, words) : words));

const lastStation = () => model.names.length - 1;
let model = data.models[0], begin = model.names.length - 1, real = given(model, begin), now = real, what = untouched();
function beginAt(k) { begin = k; real = given(model, begin); }
const top = () => Math.log(real.sizes[begin] || 1); // ln |gradient| where the river begins
const middle = () => Math.floor(lastStation() * 0.6);
let t = middle(), reach = 0, upTo = Infinity, timer = null, linear = false; // station in the card; first that is shown; last letter shown

const LARGEST = 1e300; // on a linear scale: beyond it a float overflows
// One unit for river and bars: the bars are the river's slope.
function frame(wide = $("river").clientWidth || 860, high = $("river").clientHeight || 440) {
  const steps = lastStation();
  const narrow = wide < 600, left = narrow ? 64 : 74, right = narrow ? 26 : 48, top = model.read.some(Boolean) ? 76 : 50;
  const finite = [...now.logs, ...data.models.flatMap((one) => one.logs.map(Number))].filter(Number.isFinite).map((x) => x / TEN); // one axis for all
  const hi = linear ? Math.max(1, ...finite.map((d) => Math.min(10 ** d, LARGEST))) : Math.max(0.3, ...finite), lo = linear ? 0 : Math.min(-2, ...finite);
  const each = (nats) => (wide - left - right) / Math.max(1, nats.length), rows = binned(now.nats, each(now.nats));
  const all = [rows, ...data.models.map((one) => binned(one.nats, each(one.nats)))].flat().flatMap((row) => heaps(row.nats)).map(({ nats }) => nats / TEN).filter(Number.isFinite);
  const up = Math.max(0, ...all), down = Math.max(0, ...all.map((x) => -x)), room = high - top - 84;
  const u = linear ? room * 0.8 / (hi - lo) : room / (hi - lo + up + down), bar = linear ? room * 0.2 / Math.max(0.1, up + down) : u;
  const foot = top + (hi - lo) * u, zero = foot + 48 + up * bar;
  const y = (log) => top + (hi - Math.max(lo, linear ? Math.min(Math.exp(log), LARGEST) : log / TEN)) * u;
  return { wide, high, left, right, top, foot, zero, bar, rows, hi, lo, narrow, x: (k) => left + k * (wide - left - right) / Math.max(1, steps), y };
}

// The links, or several in a row where bars of each would be too thin: then their mean.
function binned(all, each) {
  const kinds = new Set(shownParts().map((p) => INK[p])), many = Math.max(1, Math.ceil(4 * Math.max(1, kinds.size) / each)), rows = [];
  for (let a = 0; a < all.length; a += many) {
    const some = all.slice(a, a + many);
    rows.push({ a, b: a + some.length, nats: PARTS.map((_, p) => some.reduce((sum, row) => sum + Number(row[p]), 0) / some.length) });
  }
  return rows;
}
function shownParts() {
  const all = [...now.nats, ...real.nats], most = peak(all.flat().filter(Number.isFinite));
  return KINDS.filter((p) => all.some((row) => Math.abs(row[p]) > 0.01 * most));
}
// Of each ink what shrinks and what grows: parts of opposite sign are not summed.
const heaps = (nats) => [...new Set(INK)].flatMap((ink) => [-1, 1].map((way) => {
  const of = KINDS.filter((p) => INK[p] === ink && nats[p] * way > 0);
  return { ink, nats: of.reduce((sum, p) => sum + nats[p], 0), told: of.map((p) => `${PARTS[p]} × ${power(nats[p], 3)}`).join(", ") };
}));

function paint() {
  const ahead = upTo < Infinity, finding = ahead ? onTheWay() : title(model, now);
  $("finding").replaceChildren(...inked(finding));
  document.title = told(finding);
  $("about").replaceChildren(...inked(ahead ? [[model.about]] : below(model, now)));
  chip();
  const stage = $("river"), f = frame();
  stage.setAttribute("viewBox", `0 0 ${f.wide} ${f.high}`);
  stage.replaceChildren(...axis(f), ...columns(f), ...shapes(f));
  card();
  table();
  remember();
}

const shapes = (f) => { const beside = others(f); return [...water(f, beside), ...letters(f), ...bars(f)]; };
// Of the forward pass, what is computed now: there is no gradient yet.
const onTheWay = () => [[upTo ? `Forward: ${model.names[upTo]} is computed from ${model.names[upTo - 1]}${model.read[upTo] ? ` and ‘${model.read[upTo]}’` : ""}. No gradient yet.` : `The forward pass begins at ${model.names[0]}. No gradient yet.`]];

function ticks(f) {
  const spread = f.hi - f.lo, steps = linear ? [0.25, 0.5, 1, 2, 5, 10, 100, 1000] : [1, 2, 4, 5, 10, 20, 25, 50, 100, 200, 500, 1000];
  const step = steps.find((s) => spread / s <= 6) ?? spread / 6;
  const first = Math.floor(f.hi / step), count = Math.floor(first - f.lo / step + 1e-9) + 1;
  return Array.from({ length: count }, (_, n) => (first - n) * step).map((e) => [e, f.top + (f.hi - e) * (f.foot - f.top) / spread]);
}
function axis(f) {
  const parts = [];
  for (const [e, y] of ticks(f)) {
    parts.push(draw("line", { x1: f.left - 8, x2: f.wide - f.right + 8, y1: y, y2: y, class: "rule" }),
      draw("text", { x: f.left - 14, y: y + 5, "text-anchor": "end", class: "soft" }, linear ? (e < 1e4 ? String(e) : power(Math.log(e))) : e ? `10${superscript(e)}` : "1"));
  }
  return parts;
}

// One column for each station, its shade the link in the card. Pointed at: in the river the nearest station, below it a link.
function columns(f) {
  const each = (f.wide - f.left - f.right) / Math.max(1, lastStation()), end = lastStation();
  const box = (kind, a, b, y, Y) => draw("rect", { class: kind, x: f.x(a), y, width: f.x(b) - f.x(a), height: Y - y, rx: kind ? 8 : 0 });
  return model.names.map((name, k) => draw("g", {
    class: `column${k === t ? " on" : ""}`, "data-station": k, "data-gradient": exact(now.sizes[k], now.logs[k] + top()), role: "button", tabindex: k === t ? 0 : -1,
    "aria-label": `${name}: ${power(now.logs[k], 3)} of the gradient at ${model.names[begin]}`, "aria-pressed": String(k === t),
    onclick: () => show(k), onmouseenter: () => { if (!timer) show(k, false); },
  }, draw("title", {}, `${name}: |gradient| ${exact(now.sizes[k], now.logs[k] + top())}`), box("shade", k < begin ? k : k - 9 / each, k < begin ? k + 1 : k + 9 / each, f.top - 14, f.high - 2),
  box("", k ? k - 0.5 : -9 / each, k < end ? k + 0.5 : k + 9 / each, 2, f.foot), k < end ? box("", k, k + 1, f.foot, f.high - 2) : ""));
}

const path = (points, close) => "M" + points.map((p) => p.map((x) => x.toFixed(1)).join(",")).join(" L") + (close ? "Z" : "");
// What stands beside the river: the other models, all beginning on the right, and the river as it is where something is replaced.
function others(f) {
  if (upTo < Infinity) return [];
  const points = (logs) => logs.map((log, k) => [f.x(k + lastStation() - logs.length + 1), f.y(Number(log)), Number(log)]).filter(([x, , log]) => Number.isFinite(log) && x >= f.left - 1);
  const found = data.models.map((one, n) => ({ points: points(one.logs), look: data.looks[(n || data.models.length) - 1], label: one.label, log: Number(one.logs[0]), one })).filter(({ one }) => one !== model && begin === lastStation());
  if (touched()) found.push({ points: points(real.logs).filter(([x]) => x <= f.x(begin)), look: ["soft", "", 2, "6 5"], label: "as it is", log: real.logs[0], ghost: true });
  return found.filter((one) => one.points.length > 1);
}
function water(f, beside) {
  const alive = now.logs.map((log, k) => [k, log]).slice(reach, begin + 1).filter(([, log]) => Number.isFinite(log)), parts = [];
  const points = alive.map(([k, log]) => [f.x(k), f.y(log)]), few = model.names.length <= 80;
  if (points.length > 1) parts.push(draw("path", { d: path([[points[0][0], f.foot], ...points, [points.at(-1)[0], f.foot]], true), class: "area" }));
  for (const { points, look: [ink, , , dash], ghost } of beside) parts.push(draw("path", { d: path(points.map(([x, y]) => [x, y])), class: ghost ? "ghost" : "other", stroke: `var(--${ink})`, "stroke-dasharray": dash }));
  if (points.length > 1) parts.push(draw("path", { d: path(points), class: "stream" }));
  for (const [k, log] of alive) if (few || k === t) parts.push(draw("circle", { cx: f.x(k), cy: f.y(log), r: k === t ? 8 : 4, class: "dot" }));
  now.logs.forEach((log, k) => { if (k >= reach && k <= begin && !Number.isFinite(log)) parts.push(draw("circle", { cx: f.x(k), cy: f.foot, r: 4, class: "zero" })); });
  return [...parts, ...names(f, beside, alive, points)];
}
// What arrives in each line, at the height where it ends; the horizon of the river, and the way of the gradient.
function names(f, beside, alive, points) {
  const way = "← the gradient flows back", side = f.wide - f.right, parts = [], field = [f.left, f.top - 20, side, f.foot + 30];
  const low = [[f.left, f.foot], [side, f.foot]], lines = [points, ...beside.map((one) => one.points)].filter((line) => line.length > 1), taken = [[side - room(way, 14), f.foot + 4, side, f.foot + 30]];
  const [end, log] = alive[0] ?? [begin, NaN], several = data.models.length > 1, value = several && reach <= 2 ? `${model.label}: ${power(log)}` : power(log);
  const place = (at, words, size, weight, more = 0) => freePlace(at, [...lines, low], room(words, size, weight) + more, field, taken);
  const far = now.logs.findLastIndex((x, k) => k >= reach && k <= begin && x < HORIZON);
  if (far >= 0 && !linear && !f.narrow && f.foot - f.y(HORIZON) > 90) {
    const words = `below 1/1000 from ${model.names[far]} back`, long = room(words, 14);
    taken.push([f.x(far) - 3, f.y(HORIZON), f.x(far) + 3, f.foot]);
    const [x, y] = place([f.x(far) < f.wide * 0.55 ? f.x(far) + 10 : f.x(far) - long - 10, f.foot - 40], words, 14, 400);
    parts.push(draw("line", { x1: f.x(far), x2: f.x(far), y1: f.y(HORIZON), y2: f.foot, class: "horizon" }), draw("text", { x, y, class: "soft" }, words));
  }
  if (!f.narrow && upTo === Infinity) parts.push(draw("text", { x: side, y: f.foot + 22, "text-anchor": "end", class: "soft slant" }, way));
  if (end !== begin) {
    const [x, y] = reach > 2 ? [f.x(end) - 12, f.y(log) + 5] : place(points[0], value, 16, 650);
    parts.push(draw("text", { x, y, "text-anchor": reach > 2 ? "end" : "start", class: "value" }, value));
  }
  for (const { points, look: [ink, , , dash], label, log } of beside.filter((one) => one.ghost || !f.narrow)) {
    const words = `${label}: ${power(log)}`, [x, y] = place(points[0], words, 14, 600, 30);
    parts.push(draw("path", { d: `M${x},${y - 5} L${x + 24},${y - 5}`, class: "sample", stroke: `var(--${ink})`, "stroke-dasharray": dash }), draw("text", { x: x + 30, y, class: "named", fill: `var(--${ink})` }, words));
  }
  return parts;
}

function letters(f) {
  const each = (f.wide - f.left - f.right) / Math.max(1, lastStation()), parts = [], longest = Math.max(...model.read.map((word) => [...word].length));
  const fits = longest && longest * 11 <= each * (longest > 1 ? 1 : 1.6);
  model.read.forEach((word, k) => {
    if (!fits || !word || k > upTo) return;
    const share = Number.isFinite(now.logs[k]) && k >= reach && k <= begin ? Math.min(1, 1 + now.logs[k] / TEN / 6) : 0;
    const look = { x: f.x(k), y: 28, "text-anchor": "middle", class: `letter${k === begin && k < lastStation() ? " now" : ""}`, opacity: Math.max(0.62, share) };
    parts.push(draw("text", look, word.trim() ? word : "␣"));
    if (model.seeds) parts.push(draw("rect", { x: f.x(k) - each / 2, y: 2, width: each, height: 36, class: "letter-hit", "data-letter": k, onclick: () => from(k), onmouseenter: () => { if ($("every").ariaPressed === "true") from(k); } },
      draw("title", {}, "what of the prediction made here reaches what was read before?")));
  });
  const room = Math.max(...model.names.map((name) => [...name].length)) * 9 + 14, every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((s) => s * each >= room) ?? 1e9;
  model.names.forEach((name, k) => {
    if (k !== lastStation() && (k % every || f.x(lastStation()) - f.x(k) < room)) return;
    parts.push(draw("text", { x: f.x(k), y: f.top - 22, "text-anchor": "middle", class: "soft" }, name));
  });
  return parts;
}

function bars(f) {
  const inks = [...new Set(shownParts().map((p) => INK[p]))].reverse(), parts = [draw("line", { x1: f.left - 8, x2: f.wide - f.right + 8, y1: f.zero, y2: f.zero, class: "axis" }),
    draw("text", { x: f.left - 14, y: f.zero - 6, "text-anchor": "end", class: "soft" }, "grows"), draw("text", { x: f.left - 14, y: f.zero + 18, "text-anchor": "end", class: "soft" }, "shrinks")];
  for (const { a, b, nats } of f.rows) {
    if (b <= reach) continue;
    const wide = (f.x(b) - f.x(a)) * 0.86 / Math.max(1, inks.length), start = (f.x(a) + f.x(b) - wide * inks.length) / 2;
    const group = draw("g", { class: `link${what.links.has(a) && b - a === 1 ? " replaced" : ""}`, "data-link": a, onclick: () => show(a) });
    for (const heap of heaps(nats)) {
      const high = Math.min(Math.abs(heap.nats) / TEN * f.bar, f.high), j = inks.indexOf(heap.ink);
      if (high >= 0.5 && j >= 0) group.append(draw("rect", { x: start + wide * j, y: f.zero - (heap.nats > 0 ? high : 0), width: wide * 0.9, height: high, rx: 2, class: `factor ${heap.ink}` },
        draw("title", {}, `${model.names[a]} to ${model.names[b]}: ${heap.told}${b - a > 1 ? " each, on average" : ""}`)));
    }
    parts.push(group);
  }
  return parts;
}

// ── the card ───────────────────────────────────────────────────────────────────────────────────────────────────────

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
const sign = (factor) => factor?.k === 0 || factor?.e ? "⊙" : "·"; // entry by entry, or a matrix

function equation(k) {
  const link = model.links[k], factors = link.formula.flatMap((factor, n) => [n ? operator(sign(link.formula[n - 1])) : null, factor.f
    ? math("mrow", { class: "slopes" }, math("msup", {}, math("mi", {}, factor.f), tight("′")), tight("("), symbol(factor.at), tight(")"))
    : math("mrow", { class: INK[factor.k] }, factor.e ? symbol(factor.t) : transposed(factor.t))]);
  const jacobian = () => math("msup", {}, math("mrow", {}, operator("("), math("mfrac", {}, math("mrow", {}, math("mi", {}, "∂"), symbol(model.names[k + 1])), math("mrow", {}, math("mi", {}, "∂"), symbol(model.names[k]))), operator(")")), operator("⊤"));
  const way = link.factor ? el("p", { class: "caption" }, `= ${link.factor}`) : null;
  const joint = sign(link.formula.at(-1));
  return el("div", { class: "equation", tabindex: 0, role: "group", "aria-label": "the chain rule of this link" }, math("math", {}, partial(model.names[k]), operator("="), factors.length ? factors : jacobian(), operator(joint), partial(model.names[k + 1], "flow")), way);
}

const lines = (link) => el("pre", { id: "by-hand", hidden: !link.hand, tabindex: 0, "aria-label": "the same, in the program written out by hand" }, link.hand);

function tiles(k) {
  const row = now.nats[k], kinds = [1, 0, ...KINDS.slice(2)].filter((p) => Math.abs(row[p]) > 1e-12), first = top();
  const tile = (p) => el("span", { class: `tile ${INK[p]}`, title: String(Math.exp(row[p])), onmouseenter: () => outline(k, p, true), onmouseleave: () => outline(k, p, false) }, power(row[p], 3));
  return el("p", { class: "numbers", title: "the gradient here, what each factor keeps of it, the gradient it comes from" }, el("small", {}, `absolute size, ${model.names[k + 1]} → ${model.names[k]}`), `${power(now.logs[k] + first, 2)} = `, kinds.flatMap((p) => [tile(p), " · "]),
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

const whose = (link, edge) => `${edge.name}${link.names[edge.c] && link.names[edge.c] !== edge.name ? ` at ${link.names[edge.c]}` : ""}`;

function card() {
  const k = t, box = $("card"), last = begin, heard = model.read[k];
  const head = el("h2", {}, model.names[k], " ", el("small", {}, k === last ? "where the river begins" : heard ? `after reading ‘${heard}’` : k === 0 ? "where it ends" : ""));
  if (upTo < Infinity) return box.replaceChildren(head, el("p", {}, onTheWay()[0][0]));
  if (k > last) return box.replaceChildren(head, el("p", {}, `This comes after ${model.names[begin]}, where the river begins: no gradient.`));
  if (k === last) {
    return box.replaceChildren(head, el("p", {}, "Here the gradient is ", el("b", { class: "flow" }, power(top())), "; all other sizes are relative to it. Point at a station to its left, or send the gradient back."),
      ...now.gradients[k] ? strip(now.gradients[k], "flow", peak(now.gradients[k]), `the ${now.gradients[k].length} entries of the gradient here`) : [], door());
  }
  const link = model.links[k], steep = link.edges?.find((edge) => edge.k === 0 && edge.m.kind === "diagonal"), g = now.gradients[k], parts = [head, equation(k), tiles(k)];
  if (what.slopes && steep) parts.push(...strip([1], "slopes", 1, `the ${steep.m.rows} slopes of ${whose(link, steep)}: all replaced by 1`));
  else if (steep) { const d = what.rerun?.get(steep) ?? diagonal(steep.m); parts.push(...strip(d, "slopes", peak(d), `the ${d.length} slopes of ${whose(link, steep)}: ${range(d)}`)); }
  if (g) parts.push(...strip(g, "flow", peak(g), `the ${g.length} entries of the gradient here`));
  const steps = last - k, so = now.logs[k];
  parts.push(el("p", { class: "caption", "data-so-far": String(so) }, `relative to ${model.names[last]}: ${power(so)}`, Number.isFinite(so) && steps > 1 ? ` = (${power(so / steps, 3)})${superscript(steps)}` : ""));
  const picture = oneStep(k);
  if (picture) parts.push(picture);
  parts.push(lines(link), el("div", { class: "one" }, model.carried ? linkWhatIf(k) : null, door()));
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
const door = () => model !== data.models[0] ? null : el("button", { type: "button", class: "door", onclick: openGraph }, "open in the full graph");

function square(link) {
  const size = (ends) => ends.reduce((sum, i) => sum + link.sizes[i], 0);
  return size(link.start) === size(link.end);
}
function linkWhatIf(k) {
  const set = (x) => { if (x === null) what.links.delete(k); else what.links.set(k, x); change(); };
  const at = what.links.get(k), choice = (x, words) => el("button", { type: "button", "aria-pressed": String(at === x), onclick: () => set(at === x ? null : x) }, words);
  const times = el("input", { type: "number", step: "any", placeholder: "× …", "aria-label": "this link times", value: typeof at === "number" && at !== 0 ? at : null });
  times.addEventListener("change", () => set(times.value === "" ? null : Number(times.value)));
  return ["link ", square(model.links[k]) ? choice("one", "→ 1") : null, choice(0, "→ 0"), times];
}

// The link as a graph, its end on top, arrows the way the gradient goes: as wide as the gradient is large. Where nothing branches,
// factors of 1 are passed over.
function oneStep(k) {
  const link = model.links[k], inner = now.inner[k];
  if (!inner || !link.edges) return null;
  const straight = link.edges.length === link.sizes.length - 1 && new Set(link.edges.map((edge) => edge.p)).size === link.edges.length, onto = new Map();
  const edges = straight ? link.edges.filter((edge) => { const one = edge.m.kind === "scale" && Number(edge.m.x) === 1; if (one) onto.set(edge.c, edge.p); return !one; }) : link.edges;
  const standing = (i) => { while (onto.has(i)) i = onto.get(i); return i; }, named = (i) => link.names[i] || model.names[link.start.includes(i) ? k : k + 1];
  const nodes = [...new Set([...link.start, ...edges.flatMap((edge) => [standing(edge.c), standing(edge.p)]), ...link.end.map(standing)])].sort((a, b) => a - b);
  if (nodes.length > 14) return null;
  const names = new Map(nodes.map((i) => [i, named([...onto.keys()].reverse().find((c) => standing(c) === i) ?? i)])), depth = new Map(nodes.map((i) => [i, 0]));
  for (const edge of [...edges].sort((a, b) => b.c - a.c)) depth.set(standing(edge.p), Math.max(depth.get(standing(edge.p)), depth.get(standing(edge.c)) + 1));
  for (const i of link.start) depth.set(i, Math.max(...depth.values()));
  const rows = [...new Set(depth.values())].sort((a, b) => a - b).map((d) => nodes.filter((i) => depth.get(i) === d)), high = straight ? 50 : 60, wide = 320, place = new Map();
  rows.forEach((row, r) => row.forEach((i, j) => place.set(i, [straight ? 110 : (j + 0.5) * wide / row.length, 14 + r * high])));
  const size = (i) => (inner[i] ? Math.log10(norm(inner[i].c) / (norm(now.gradients[k + 1]) || 1)) : -99), broad = (i) => Math.max(1.5, Math.min(12, 10 + 3 * size(i)));
  const parts = edges.flatMap((edge) => {
    const [x, y] = place.get(standing(edge.c)), [X, Y] = place.get(standing(edge.p)), name = edge.k === 0 ? `${edge.name}′` : edge.k > 2 || edge.e ? edge.name : `${edge.name}ᵀ`;
    return [draw("path", { d: `M${x},${y + 14} L${X},${Y - 22}`, class: `way ${INK[edge.k]}`, "stroke-width": broad(edge.p) }), draw("path", { d: `M${X - 7},${Y - 23} L${X + 7},${Y - 23} L${X},${Y - 13}Z`, class: `tip ${INK[edge.k]}` }),
      straight ? draw("text", { x: X + 16, y: (y + Y) / 2 + 2, class: INK[edge.k] }, `${name} × ${power(Math.log(now.gains[k].get(edge)), 3)}`) : ""];
  });
  for (const [i, [x, y]] of place) {
    const name = names.get(i), short = name.length > 9 ? `${name.slice(0, 8)}…` : name;
    parts.push(draw("rect", { x: x - 34, y: y - 13, width: 68, height: 26, rx: 7, class: "node" }), draw("text", { x, y: y + 5, "text-anchor": "middle" }, draw("title", {}, name), short));
    if (straight && inner[i]) parts.push(draw("text", { x: x + 42, y: y + 5, class: "flow" }, power(Math.log(norm(inner[i].c)) + far(k))));
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
