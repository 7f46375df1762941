// How is the river drawn?  The finding above it and the stage, each anew whenever something is replaced.

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
  const sums = sumsOf(now), lost = sums.reduce((a, b) => a + b, 0) < 0, first = sums.findIndex((nats) => Math.abs(nats) >= 0.05);
  const shown = sums.flatMap((nats, p) => {
    const back = lost && nats > 0 && PARTS[p] === "merging branches", unit = p === first ? " nats" : "";
    return Math.abs(nats) < 0.05 ? [] : [[back ? `${PARTS[p]} gave ${nats.toFixed(1)}${unit} back` : `${PARTS[p]} ${plus(nats)}${unit}`, INK[p]], [", "]];
  });
  const cut = Math.max(...[...what.links].map(([k, x]) => (x === 0 && k < begin ? k : -1)));
  const ended = cut >= 0 ? `The link from ${model.names[cut + 1]} to ${model.names[cut]} is replaced by 0.` : touched() ? "" : model.ended;
  return [[model.about ? `${model.about}. ` : ""], ...shown.slice(0, -1), [shown.length ? `.${ended ? ` ${ended}` : ""}` : ended]];
}
const told = (runs) => runs.map(([words]) => words).join("");

// ── drawing ────────────────────────────────────────────────────────────────────────────────────────────────────────

const math = (tag, attributes, ...children) => make("http://www.w3.org/1998/Math/MathML", tag, attributes, children);
const inked = (runs) => runs.map(([words, kind]) => (kind ? el("b", { class: kind }, words) : words));

const lastStation = () => model.names.length - 1;
let model = data.models[0], begin = model.names.length - 1, real = given(model, begin), now = real, asked = untouched(), what = asked; // of what is asked for, what this model has
function beginAt(k) { begin = k; real = given(model, begin); }
const top = () => Math.log(real.sizes[begin] || 1); // ln |gradient| where the river begins
const middle = () => Math.floor(lastStation() * 0.6);
let t = middle(), held = false, reach = 0, upTo = Infinity, timer = null, linear = false; // station in the card, and whether it stays there; first that is shown; last letter shown

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
  if (data.models.length === 1) document.title = told(finding); // else it compares them
  const hint = begin === lastStation() && $("every").ariaPressed === "true" ? [[" Now point at a letter.", "now"]] : [];
  $("about").replaceChildren(...inked(ahead ? [[model.about]] : [...below(model, now), ...hint]));
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
    onclick: () => show(k), onmouseenter: () => { if (!timer && !held) show(k, false); },
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
  if (far > 0 && !linear && !f.narrow && f.foot - f.y(HORIZON) > 90) {
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
  for (const { points, look: [ink, , , dash], label, log } of beside.filter((one) => one.ghost || !f.narrow).sort((one, two) => one.points[0][1] - two.points[0][1])) {
    const words = `${label}: ${power(log)}`, wide = room(words, 14, 600) + 30, [X, Y] = points[0], start = Math.min(X + 8, side - wide - 60);
    const at = (avoided) => freePlace([X, Y], [...avoided, low], wide, [start, f.top - 20, start + wide + 60, f.foot + 30], [...taken]), free = at(lines);
    const [x, y] = Math.abs(free[1] - 5 - Y) > 60 ? at([points]) : free; // rather on another line than far from its own
    taken.push([x, y - 14, x + wide, y + 4]);
    if (Math.hypot(x - X, y - 5 - Y) > 24) parts.push(draw("line", { x1: X, y1: Y, x2: x, y2: y - 5, class: "leader", stroke: `var(--${ink})`, "pointer-events": "none" }));
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
