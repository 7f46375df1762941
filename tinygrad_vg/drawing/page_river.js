// Where did the gradient go, and where would it go if …?  The river, recomputed here from the engine's own maps.
//
// A link is a little graph. The gradient is pulled back through it with an account of what it met: for every edge ln(|c| / |g|),
// c = Jᵀ g; where branches meet, the mean of their accounts by signed shares, and what is left belongs to the meeting itself.
//
//   k  number of a station      nats  [slopes, weights, gates, rest] of a link      log  ln of a size, relative to where the river begins
"use strict";
{ // the graph has names of its own
const PARTS = ["slopes", "weights", "gates", "rest"];
const data = window.packed;
const TEN = Math.LN10;

// ── numbers and words ──────────────────────────────────────────────────────────────────────────────────────────────

const blob = reader(data.blobs);
// exp(nats) in so many digits: 2.1 × 10⁻¹³
function power(nats, digits = 2) {
  if (!Number.isFinite(nats)) return nats < 0 ? "0" : "not finite";
  if (nats >= Math.log(0.01) && nats < TEN * digits) return String(Number(Math.exp(nats).toPrecision(digits)));
  const decades = nats / TEN, whole = Math.floor(decades), [m, more] = (10 ** (decades - whole)).toExponential(digits - 1).split("e");
  return `${m} × 10${superscript(whole + Number(more))}`;
}
// A size in 17 digits, also where a float would underflow.
function exact(size, log) {
  if (size !== 0 || log === -Infinity) return String(size);
  const decades = log / TEN, whole = Math.floor(decades);
  return `${(10 ** (decades - whole)).toPrecision(17)}e${whole}`;
}
const plus = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(1);

// ── the walk back ──────────────────────────────────────────────────────────────────────────────────────────────────

// The nearest matrix with orthonormal rows or columns, U Vᵀ of W = U S Vᵀ, by Newton and Schulz's iteration on W / |W|.
const polars = new Map();
function polar(key, W, rows, columns) {
  if (polars.has(key)) return polars.get(key);
  const tall = rows >= columns, n = tall ? columns : rows, m = tall ? rows : columns, at = (i, j) => (tall ? i * n + j : j * m + i);
  const size = norm(W), X = Float64Array.from(W, (x) => x / size), G = new Float64Array(n * n), row = new Float64Array(n);
  for (let turn = 0, off = 1; turn < 200 && off > 1e-15; turn++) {
    for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) {
      let sum = 0;
      for (let i = 0; i < m; i++) sum += X[at(i, a)] * X[at(i, b)];
      G[a * n + b] = (a === b ? 1.5 : 0) - sum / 2;
    }
    off = 0;
    for (let i = 0; i < m; i++) {
      for (let b = 0; b < n; b++) { row[b] = 0; for (let a = 0; a < n; a++) row[b] += X[at(i, a)] * G[a * n + b]; }
      for (let b = 0; b < n; b++) { off = Math.max(off, Math.abs(row[b] - X[at(i, b)])); X[at(i, b)] = row[b]; }
    }
  }
  polars.set(key, X);
  return X;
}

// An activation and its slope, from its value.
const PHI = { sigmoid: (z) => 1 / (1 + Math.exp(-z)), tanh: Math.tanh, relu: (z) => Math.max(0, z) };
const SLOPE = { sigmoid: (y) => y * (1 - y), tanh: (y) => 1 - y * y, relu: (y) => Number(y > 0) };
// The entries of a diagonal map; of an activation it carries the values.
const slopes = new Map();
function diagonal({ d, of }) {
  const key = `${d} ${of}`;
  if (of && !slopes.has(key)) slopes.set(key, blob(d).map(SLOPE[of]));
  return of ? slopes.get(key) : blob(d);
}

// Jᵀ g of one edge, with what is put in its place.
function pull(edge, g, what) {
  const { m } = edge, part = PARTS[edge.k], weight = part === "weights";
  if ((part === "slopes" && what.slopes || part === "gates" && what.gates) && m.rows === m.columns) return Float64Array.from(g);
  const index = m.kind === "sparse" ? blob(m.index, Int32Array) : null;
  let entries = m.kind === "scale" ? Number(m.x) : m.kind === "diagonal" ? what.rerun?.get(edge) ?? diagonal(m) : blob(m.d);
  if (weight && what.orthogonal && !index) entries = orthogonal(m, entries);
  const c = pulled(m, g, entries, index);
  return weight && what.scale !== 1 ? c.map((x) => x * what.scale) : c;
}
// The nearest orthogonal map: of numbers their signs.
function orthogonal({ kind, rows, columns, d, out = rows }, entries) {
  if (kind === "scale") return Math.sign(entries);
  return kind === "diagonal" ? entries.map(Math.sign) : polar(d, entries, out, columns / (rows / out));
}

// The forward pass with another weight: what each activation's slopes are then. What else is added to W h stays as it was.
function again(model, what) {
  const { h, z, op } = model.forward, found = new Map();
  let old = blob(h), now = old;
  model.links.forEach((link, k) => {
    const { m } = link.edges.find((edge) => edge.k === 1), wide = m.columns / (m.rows / m.out), W = blob(m.d), V = what.orthogonal ? orthogonal(m, W) : W;
    const after = Float64Array.from(blob(z[k]), (x, at) => {
      const row = Math.floor(at / m.out), i = at % m.out;
      let sum = x;
      for (let j = 0; j < wide; j++) sum += what.scale * V[i * wide + j] * now[row * wide + j] - W[i * wide + j] * old[row * wide + j];
      return sum;
    });
    old = blob(z[k]).map(PHI[op[k]]);
    now = after.map(PHI[op[k]]);
    found.set(link.edges.find((edge) => edge.k === 0), now.map(SLOPE[op[k]]));
  });
  return found;
}

// Parts of one gradient, put together: their sum, or one long vector; and the account.
function settle(parts, base, together) {
  if (parts.length === 1) return parts[0];
  let g, shares;
  if (together) {
    g = Float64Array.from(parts.flatMap(({ c }) => Array.from(c)));
    shares = parts.map(({ c }) => (norm(c) / norm(g)) ** 2);
  } else {
    g = Float64Array.from(parts[0].c, (_, j) => parts.reduce((sum, { c }) => sum + c[j], 0));
    const size = norm(g);
    shares = parts.map(({ c }) => c.reduce((sum, x, j) => sum + (x / size) * (g[j] / size), 0));
  }
  const nats = PARTS.map((_, p) => parts.reduce((sum, part, n) => sum + (shares[n] ? shares[n] * part.nats[p] : 0), 0));
  nats[3] += Math.log(norm(g)) - base - nats.reduce((a, b) => a + b);
  return { c: g, nats };
}

// One link, from the gradient at its end: the gradient at its start and the nats.
function through(link, g, what) {
  const base = Math.log(norm(g)), received = link.sizes.map(() => []), start = new Set(link.start);
  let at = 0;
  for (const i of link.end) {
    const c = g.subarray(at, at += link.sizes[i]);
    received[i].push({ c, nats: [0, 0, 0, Math.log(norm(c)) - base].map((x) => (Number.isFinite(x) ? x : 0)) });
  }
  const into = link.sizes.map(() => []), inner = link.sizes.map(() => null), gains = new Map();
  for (const edge of link.edges) into[edge.c].push(edge);
  for (let i = link.sizes.length - 1; i >= 0; i--) {
    if (!received[i].length) continue;
    const here = inner[i] = settle(received[i], base, false), size = norm(here.c);
    if (start.has(i)) continue;
    for (const edge of into[i]) {
      const c = pull(edge, here.c, what), gain = Math.log(norm(c) / size), nats = here.nats.slice();
      if (Number.isFinite(gain)) nats[edge.k] += gain;
      gains.set(edge, Math.exp(gain));
      received[edge.p].push({ c, nats });
    }
  }
  const parts = link.start.map((i) => inner[i] ?? { c: new Float64Array(link.sizes[i]), nats: [0, 0, 0, 0] });
  return { ...settle(parts, base, true), inner, gains };
}

// All of it, from station `begin` back: for each station the gradient, its size and log; for each link the nats. A link may be replaced by
// 1, 0, or a multiple.
function sweep(model, what, begin) {
  const last = model.names.length - 1, logs = Array(last + 1).fill(-Infinity), sizes = Array(last + 1).fill(0), nats = model.nats.map(() => [0, 0, 0, 0]);
  const gradients = Array(last + 1).fill(null), inner = Array(last).fill(null), gains = Array(last).fill(null);
  if (what.again && model.forward) what.rerun = again(model, what);
  let g = blob(begin < last ? model.seeds[begin] : model.seed), far = 0;
  const first = Math.log(norm(g)), keep = (k) => { gradients[k] = g; sizes[k] = norm(g) * Math.exp(far); logs[k] = Math.log(norm(g)) + far - first; };
  keep(begin);
  for (let k = begin - 1; k >= 0; k--) {
    const link = what.links.get(k);
    if (link === "one") { nats[k] = [0, 0, 0, 0]; inner[k] = null; }
    else {
      const found = through(model.links[k], g, what);
      [g, nats[k], inner[k], gains[k]] = [found.c, found.nats, found.inner, found.gains];
      if (link !== undefined) { g = g.map((x) => x * link); if (link) nats[k][3] += Math.log(Math.abs(link)); }
    }
    const size = norm(g);
    if (size && (size < 1e-150 || size > 1e150)) { g = g.map((x) => x / size); far += Math.log(size); }
    keep(k);
  }
  return { logs, sizes, nats, gradients, inner, gains };
}

// What the engine found, with the gradients from the maps where they are here.
function given(model, begin) {
  if (begin < model.names.length - 1) return sweep(model, untouched(), begin);
  const logs = model.logs.map(Number), nats = model.nats.map((row) => row.map(Number)), sizes = model.sizes.map(Number);
  const found = model.carried ? sweep(model, untouched(), begin) : { gradients: model.names.map(() => null), inner: model.nats.map(() => null), gains: [] };
  return { ...found, logs, nats, sizes };
}
const untouched = () => ({ slopes: false, orthogonal: false, gates: false, scale: 1, again: false, links: new Map() });
const touched = () => what.slopes || what.orthogonal || what.gates || what.scale !== 1 || what.links.size > 0;

// ── the finding, in the words of river.py ──────────────────────────────────────────────────────────────────────────

const HORIZON = Math.log(1e-3), CANCEL = 0.25;
const word = (p) => (PARTS[p] === "rest" ? model.rest : PARTS[p]);
const sumsOf = ({ nats }) => PARTS.map((_, p) => nats.reduce((sum, row) => sum + row[p], 0));

function title({ names }, now) {
  const keep = now.logs[0], found = data.findings.find(({ below }) => keep < Number(below)) ?? data.findings.at(-1);
  const filled = (words) => words.replace("{start}", () => names[begin]).replace("{source}", () => names[0]);
  return [[filled(found.before)], [power(keep), found.ink], [filled(found.after)], ...(found.did ? culprit(sumsOf(now), keep, found) : [])];
}
function culprit(sums, keep, found) {
  const [a, b] = [0, 1, 2, 3].sort((p, q) => Math.abs(sums[q]) - Math.abs(sums[p]));
  const capital = (text) => text[0].toUpperCase() + text.slice(1);
  if (Math.abs(sums[a]) < 0.05) return [["No factor changed it."]];
  if (found.survives && sums[a] * sums[b] < 0 && Math.abs(sums[a] + sums[b]) < CANCEL * Math.abs(sums[a])) {
    return [[capital(word(a)), PARTS[a]], [" and "], [word(b), PARTS[b]], [" cancel."]];
  }
  const did = [0, 1, 2, 3].reduce((best, p) => (sums[p] * Math.sign(keep) > sums[best] * Math.sign(keep) ? p : best), 0);
  return [["The "], [word(did), PARTS[did]], [found.did]];
}
function below(model, now) {
  const shown = sumsOf(now).flatMap((nats, p) => (Math.abs(nats) >= 0.05 ? [[`${word(p)} ${plus(nats)} nats`, PARTS[p]], [", "]] : []));
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
function frame() {
  const stage = $("river"), wide = stage.clientWidth || 860, high = stage.clientHeight || 440, steps = lastStation();
  const narrow = wide < 600, left = narrow ? 64 : 74, right = narrow ? 26 : 48, top = model.read.some(Boolean) ? 76 : 50;
  const finite = [...now.logs, ...(touched() ? real.logs : [])].filter(Number.isFinite).map((x) => x / TEN);
  const hi = linear ? Math.max(1, ...finite.map((d) => Math.min(10 ** d, LARGEST))) : Math.max(0.3, ...finite), lo = linear ? 0 : Math.min(-2, ...finite);
  const rows = binned((wide - left - right) / Math.max(1, steps)), all = rows.flatMap((row) => row.nats).map((x) => x / TEN).filter(Number.isFinite);
  const up = Math.max(0, ...all), down = Math.max(0, ...all.map((x) => -x)), room = high - top - 84;
  const u = linear ? room * 0.8 / (hi - lo) : room / (hi - lo + up + down), bar = linear ? room * 0.2 / Math.max(0.1, up + down) : u;
  const foot = top + (hi - lo) * u, zero = foot + 48 + up * bar;
  const y = (log) => top + (hi - Math.max(lo, linear ? Math.min(Math.exp(log), LARGEST) : log / TEN)) * u;
  return { wide, high, left, right, top, foot, zero, bar, rows, hi, lo, narrow, x: (k) => left + k * (wide - left - right) / Math.max(1, steps), y };
}

// The links, or several in a row where bars of each would be too thin: then their mean.
function binned(each) {
  const kinds = shownParts(), many = Math.max(1, Math.ceil(4 * Math.max(1, kinds.length) / each)), rows = [];
  for (let a = 0; a < now.nats.length; a += many) {
    const some = now.nats.slice(a, a + many);
    rows.push({ a, b: a + some.length, nats: PARTS.map((_, p) => some.reduce((sum, row) => sum + row[p], 0) / some.length) });
  }
  return rows;
}
function shownParts() {
  const all = [...now.nats, ...real.nats], most = peak(all.flat().filter(Number.isFinite));
  return [0, 1, 2, 3].filter((p) => all.some((row) => Math.abs(row[p]) > 0.01 * most));
}

function paint() {
  $("finding").replaceChildren(...inked(title(model, now)));
  document.title = told(title(model, now));
  $("about").replaceChildren(...inked(below(model, now)));
  chip();
  const stage = $("river"), f = frame();
  stage.setAttribute("viewBox", `0 0 ${f.wide} ${f.high}`);
  stage.replaceChildren(...axis(f), ...columns(f), ...water(f), ...letters(f), ...bars(f));
  card();
  table();
  remember();
}

function axis(f) {
  const parts = [], spread = f.hi - f.lo, steps = linear ? [0.25, 0.5, 1, 2, 5, 10, 100, 1000] : [1, 2, 4, 5, 10, 20, 25, 50, 100, 200, 500, 1000];
  const step = steps.find((s) => spread / s <= 6) ?? spread / 6;
  for (let e = Math.floor(f.hi / step) * step; e >= f.lo - 1e-9; e -= step) {
    const y = f.top + (f.hi - e) * (f.foot - f.top) / spread;
    parts.push(draw("line", { x1: f.left - 8, x2: f.wide - f.right + 8, y1: y, y2: y, class: "rule" }),
      draw("text", { x: f.left - 14, y: y + 5, "text-anchor": "end", class: "soft" }, linear ? (e < 1e4 ? String(e) : power(Math.log(e))) : e ? `10${superscript(e)}` : "1"));
  }
  return parts;
}

// One column for each station: what is pointed at, focused, and read by tests.
function columns(f) {
  const wide = (f.wide - f.left - f.right) / Math.max(1, lastStation());
  return model.names.map((name, k) => draw("g", {
    class: `column${k === t ? " on" : ""}`, "data-station": k, "data-gradient": exact(now.sizes[k], now.logs[k] + top()), role: "button", tabindex: k === t ? 0 : -1,
    "aria-label": `${name}: ${power(now.logs[k], 3)} of the gradient at ${model.names[begin]}`, "aria-pressed": String(k === t),
    onclick: () => show(k), onmouseenter: () => { if (!timer) show(k, false); },
  }, draw("title", {}, `${name}: |gradient| ${exact(now.sizes[k], now.logs[k] + top())}`), draw("rect", { x: f.x(k) - (k ? wide / 2 : 9), y: 2, width: k ? wide : wide / 2 + 9, height: f.high - 4, rx: 8 })));
}

const path = (points, close) => "M" + points.map((p) => p.map((x) => x.toFixed(1)).join(",")).join(" L") + (close ? "Z" : "");
function water(f) {
  const alive = now.logs.map((log, k) => [k, log]).slice(reach, begin + 1).filter(([, log]) => Number.isFinite(log)), parts = [];
  const points = alive.map(([k, log]) => [f.x(k), f.y(log)]), few = model.names.length <= 80;
  if (points.length > 1) parts.push(draw("path", { d: path([[points[0][0], f.foot], ...points, [points.at(-1)[0], f.foot]], true), class: "area" }));
  if (touched()) {
    const ghost = real.logs.map((log, k) => [k, log]).filter(([, log]) => Number.isFinite(log)).map(([k, log]) => [f.x(k), f.y(log)]);
    parts.push(draw("path", { d: path(ghost), class: "ghost" }));
  }
  if (points.length > 1) parts.push(draw("path", { d: path(points), class: "stream" }));
  for (const [k, log] of alive) if (few || k === t) parts.push(draw("circle", { cx: f.x(k), cy: f.y(log), r: k === t ? 8 : 4, class: "dot" }));
  now.logs.forEach((log, k) => { if (k >= reach && k <= begin && !Number.isFinite(log)) parts.push(draw("circle", { cx: f.x(k), cy: f.foot, r: 4, class: "zero" })); });
  const [end, log] = alive[0] ?? [begin, NaN];
  const place = reach > 2 ? { x: f.x(end) - 12, y: f.y(log) + 5, "text-anchor": "end" } : { x: f.x(end) - 4, y: Math.min(f.y(log) + 28, f.foot + 24) };
  if (end !== begin) parts.push(draw("text", { ...place, class: "value" }, power(log)));
  const far = now.logs.findLastIndex((x, k) => k >= reach && k <= begin && x < HORIZON);
  if (far >= 0 && !linear && !f.narrow && f.foot - f.y(HORIZON) > 90) {
    const after = f.x(far) < f.wide * 0.55;
    parts.push(draw("line", { x1: f.x(far), x2: f.x(far), y1: f.y(HORIZON), y2: f.foot, class: "horizon" }),
      draw("text", { x: f.x(far) + (after ? 8 : -8), y: f.foot - 36, "text-anchor": after ? "start" : "end", class: "soft" }, `below 1/1000 from ${model.names[far]} back`));
  }
  if (!f.narrow) parts.push(draw("text", { x: f.wide - f.right - 8, y: f.foot - 12, "text-anchor": "end", class: "soft slant" }, "← the gradient flows back"));
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
  const kinds = shownParts(), parts = [draw("line", { x1: f.left - 8, x2: f.wide - f.right + 8, y1: f.zero, y2: f.zero, class: "axis" }),
    draw("text", { x: f.left - 14, y: f.zero - 6, "text-anchor": "end", class: "soft" }, "grows"), draw("text", { x: f.left - 14, y: f.zero + 18, "text-anchor": "end", class: "soft" }, "shrinks")];
  for (const { a, b, nats } of f.rows) {
    if (b <= reach) continue;
    const wide = (f.x(b) - f.x(a)) * 0.86 / Math.max(1, kinds.length), start = (f.x(a) + f.x(b) - wide * kinds.length) / 2;
    const group = draw("g", { class: `link${what.links.has(a) && b - a === 1 ? " replaced" : ""}`, "data-link": a, onclick: () => show(a) });
    [...kinds].reverse().forEach((p, j) => {
      const high = Math.min(Math.abs(nats[p]) / TEN * f.bar, f.high);
      if (high >= 0.5) group.append(draw("rect", { x: start + wide * j, y: f.zero - (nats[p] > 0 ? high : 0), width: wide * 0.9, height: high, rx: 2, class: `factor ${PARTS[p]}` },
        draw("title", {}, `${model.names[a]} to ${model.names[b]}: ${PARTS[p]} × ${power(nats[p], 3)}${b - a > 1 ? " each, on average" : ""}`)));
    });
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
  const [base, sub] = name.split("_");
  return sub ? math("msub", {}, math("mi", {}, base), math("mi", {}, sub)) : math("mi", {}, name);
}
const partial = (name, kind) => math("mfrac", { class: kind }, math("mrow", {}, math("mi", {}, "∂"), math("mi", {}, "L")), math("mrow", {}, math("mi", {}, "∂"), symbol(name)));
const operator = (text) => math("mo", {}, text), tight = (text) => math("mo", { lspace: "0", rspace: "0", stretchy: "false" }, text);
function transposed(name) { // W_hh with ⊤ above its index
  const [base, sub] = name.split("_");
  return sub ? math("msubsup", {}, math("mi", {}, base), math("mi", {}, sub), tight("⊤")) : math("msup", {}, symbol(name), tight("⊤"));
}
const sign = (factor) => factor?.k === 0 || factor?.e ? "⊙" : "·"; // entry by entry, or a matrix

function equation(k) {
  const link = model.links[k], factors = link.formula.flatMap((factor, n) => [n ? operator(sign(link.formula[n - 1])) : null, factor.f
    ? math("mrow", { class: "slopes" }, math("msup", {}, math("mi", {}, factor.f), tight("′")), tight("("), symbol(factor.at), tight(")"))
    : math("mrow", { class: PARTS[factor.k] }, factor.e ? symbol(factor.t) : transposed(factor.t))]);
  const jacobian = () => math("msup", {}, math("mrow", {}, operator("("), math("mfrac", {}, math("mrow", {}, math("mi", {}, "∂"), symbol(model.names[k + 1])), math("mrow", {}, math("mi", {}, "∂"), symbol(model.names[k]))), operator(")")), operator("⊤"));
  const way = link.factor ? el("p", { class: "caption" }, `= ${link.factor}`) : null;
  const joint = sign(link.formula.at(-1));
  return el("div", { class: "equation", tabindex: 0, role: "group", "aria-label": "the chain rule of this link" }, math("math", {}, partial(model.names[k]), operator("="), factors.length ? factors : jacobian(), operator(joint), partial(model.names[k + 1], "flow")), way);
}

const lines = (link) => el("pre", { id: "by-hand", hidden: !link.hand, tabindex: 0, "aria-label": "the same, in the program written out by hand" }, link.hand);

function tiles(k) {
  const row = now.nats[k], kinds = [1, 0, 2, 3].filter((p) => Math.abs(row[p]) > 1e-12), first = top();
  const tile = (p) => el("span", { class: `tile ${PARTS[p]}`, title: String(Math.exp(row[p])), onmouseenter: () => outline(k, p, true), onmouseleave: () => outline(k, p, false) }, power(row[p], 3));
  return el("p", { class: "numbers", title: "in size: the gradient here, what each factor keeps of it, the gradient it comes from" }, `${power(now.logs[k] + first, 2)} = `, kinds.flatMap((p) => [tile(p), " · "]),
    el("span", { class: "tile flow", title: exact(now.sizes[k + 1], now.logs[k + 1] + first) }, power(now.logs[k + 1] + first, 2)));
}
// Pointing at a tile outlines its bar, its arrow and its term.
function outline(k, p, on) {
  for (const element of document.querySelectorAll(`[data-link="${k}"] .factor.${PARTS[p]}, .step .${PARTS[p]}, .equation .${PARTS[p]}`)) element.classList.toggle("meant", on);
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
  parts.push(el("p", { class: "caption", "data-so-far": String(so) }, `so far ${power(so)} after ${steps} ${steps === 1 ? "step" : "steps"}`, Number.isFinite(so) ? ` = (${power(so / steps, 3)})${superscript(steps)}` : ""));
  const picture = oneStep(k);
  if (picture) parts.push(picture);
  parts.push(lines(link), el("div", { class: "one" }, model.carried ? linkWhatIf(k) : null, door()));
  box.replaceChildren(...parts);
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
  return ["this link ", square(model.links[k]) ? choice("one", "→ 1") : null, choice(0, "→ 0"), times];
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
  const rows = [...new Set(depth.values())].sort((a, b) => a - b).map((d) => nodes.filter((i) => depth.get(i) === d)), high = 60, wide = 320, place = new Map();
  rows.forEach((row, r) => row.forEach((i, j) => place.set(i, [straight ? 110 : (j + 0.5) * wide / row.length, 18 + r * high])));
  const size = (i) => (inner[i] ? Math.log10(norm(inner[i].c) / (norm(now.gradients[k + 1]) || 1)) : -99), broad = (i) => Math.max(1.5, Math.min(12, 10 + 3 * size(i)));
  const parts = edges.flatMap((edge) => {
    const [x, y] = place.get(standing(edge.c)), [X, Y] = place.get(standing(edge.p)), name = edge.k === 0 ? `${edge.name}′` : edge.k === 3 || edge.e ? edge.name : `${edge.name}ᵀ`;
    return [draw("path", { d: `M${x},${y + 14} L${X},${Y - 24}`, class: `way ${PARTS[edge.k]}`, "stroke-width": broad(edge.p) }), draw("path", { d: `M${X - 7},${Y - 25} L${X + 7},${Y - 25} L${X},${Y - 14}Z`, class: `tip ${PARTS[edge.k]}` }),
      straight ? draw("text", { x: X + 16, y: (y + Y) / 2 + 2, class: PARTS[edge.k] }, `${name} × ${power(Math.log(now.gains[k].get(edge)), 3)}`) : ""];
  });
  for (const [i, [x, y]] of place) {
    const name = names.get(i), short = name.length > 9 ? `${name.slice(0, 8)}…` : name;
    parts.push(draw("rect", { x: x - 34, y: y - 14, width: 68, height: 28, rx: 7, class: "node" }), draw("text", { x, y: y + 5, "text-anchor": "middle" }, draw("title", {}, name), short));
    if (straight && inner[i]) parts.push(draw("text", { x: x + 42, y: y + 5, class: "flow" }, power(Math.log(norm(inner[i].c)) + far(k))));
  }
  return draw("svg", { class: "step", viewBox: `0 0 ${wide} ${rows.length * high - 22}`, role: "img", "aria-label": `the link from ${model.names[k + 1]} back to ${model.names[k]}` }, parts);
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

// ── what the reader does ───────────────────────────────────────────────────────────────────────────────────────────

function show(k, focus = true) {
  t = Math.max(0, Math.min(lastStation(), k));
  document.querySelectorAll(".column").forEach((column, n) => { column.classList.toggle("on", n === t); column.setAttribute("tabindex", n === t ? 0 : -1); column.setAttribute("aria-pressed", String(n === t)); });
  const dots = document.querySelectorAll("#river .dot");
  if (dots.length === now.logs.filter((x, n) => n >= reach && Number.isFinite(x)).length) [...dots].forEach((dot, n) => dot.setAttribute("r", n + now.logs.length - dots.length === t ? 8 : 4));
  else if (model.names.length > 80) paint();
  if (focus) document.querySelector(`[data-station="${t}"]`)?.focus({ preventScroll: true });
  card();
  remember();
}

function change() {
  now = touched() && model.carried ? sweep(model, what, begin) : real;
  for (const [id, on] of [["slopes", what.slopes], ["orthogonal", what.orthogonal], ["gates", what.gates]]) $(`if-${id}`).setAttribute("aria-pressed", String(on));
  $("again").checked = what.again;
  $("scale").value = what.scale;
  $("times").textContent = what.scale.toFixed(1);
  paint();
}
function chip() {
  const list = [begin < lastStation() && `the prediction after ‘${model.read[begin]}’`, what.slopes && "all slopes 1", what.orthogonal && "W orthogonal", what.gates && "gates open", what.scale !== 1 && `W × ${what.scale}`, model.forward && (what.orthogonal || what.scale !== 1) && (what.again ? "the net run again" : "this factor alone"), ...[...what.links].map(([k, x]) => `${model.names[k + 1]} to ${model.names[k]} ${x === "one" ? "→ 1" : x === 0 ? "→ 0" : `× ${x}`}`)].filter(Boolean);
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
  reach = t = Math.max(0, Math.min(begin, reach - by));
  paint();
  if (reach === 0) stop();
}
function send() {
  if (timer) return stop();
  upTo = Infinity;
  reach = t = begin;
  paint();
  if (calm()) { reach = t = 0; return paint(); }
  $("send").textContent = "❚❚ Pause";
  timer = setInterval(() => advance(1), Math.max(40, Math.min(450, 20000 / model.names.length)) / Number($("speed").value));
}
function forward() {
  stop();
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
  reach = 0;
  t = Math.min(t, lastStation());
  for (const [k, button] of [...$("models").children].entries()) button.setAttribute("aria-pressed", String(k === n));
  controls();
  what.links.clear();
  change();
}
function controls() {
  const kinds = new Set(model.links.flatMap((link) => (link.edges ?? []).map((edge) => edge.k)));
  for (const [id, p] of [["if-slopes", 0], ["if-orthogonal", 1], ["if-gates", 2]]) $(id).hidden = !kinds.has(p);
  $("scale").closest("label").hidden = !kinds.has(1);
  $("what-if").hidden = !model.carried;
  $("left-out").hidden = model.carried;
  $("every").hidden = !model.seeds;
  $("again").parentElement.hidden = !model.forward;
  what.again &&= Boolean(model.forward);
  if (!kinds.has(2)) what.gates = false;
}

// The state in the hash: a slide can link to a moment.
let remembered = "";
function remember() {
  const n = data.models.indexOf(model), links = [...what.links].map(([k, x]) => `${k}:${x}`).join(",");
  const state = { model: n || "", begin: begin === lastStation() ? "" : begin, t: t === middle() ? "" : t, what: [what.slopes && "slopes1", what.orthogonal && "orthogonal", what.gates && "open", what.again && "again"].filter(Boolean).join("+"), scale: what.scale === 1 ? "" : what.scale, links, axis: linear ? "linear" : "" };
  remembered = Object.entries(state).filter(([, x]) => x !== "").map(([key, x]) => `${key}=${x}`).join("&");
  if (location.hash.slice(1) !== remembered) try { history.replaceState(null, "", remembered ? `#${remembered}` : location.pathname + location.search); } catch { /* a file that may not */ }
}
function recall() {
  const state = new URLSearchParams(location.hash.slice(1)), n = Number(state.get("model") ?? 0), flags = (state.get("what") ?? "").split(/[+ ]/), scale = Number(state.get("scale") ?? 1);
  what = { slopes: flags.includes("slopes1"), orthogonal: flags.includes("orthogonal"), gates: flags.includes("open"), again: flags.includes("again"), scale: scale > 0 && scale < 1e6 ? scale : 1, links: new Map() };
  linear = state.get("axis") === "linear";
  model = data.models[n] ?? data.models[0];
  t = middle();
  choose(data.models.indexOf(model));
  for (const pair of (state.get("links") ?? "").split(",").filter(Boolean)) {
    const [k, x] = pair.split(":");
    if (Number(k) in model.links && (x === "one" && square(model.links[k]) || Number.isFinite(Number(x)))) what.links.set(Number(k), x === "one" ? x : Number(x));
  }
  if (Number(state.get("begin")) > 0 && model.seeds?.[Number(state.get("begin"))]) beginAt(Number(state.get("begin")));
  if (state.has("t") && Number(state.get("t")) in model.names) t = Number(state.get("t"));
  $("linear").setAttribute("aria-pressed", String(linear));
  change();
}

// The stage as a picture, 16 : 9, with the finding above it.
function save() {
  const stage = $("river").cloneNode(true), f = { wide: 1280, high: 720 }, box = $("river").viewBox.baseVal, zoom = Math.min(1240 / box.width, 590 / box.height);
  const rules = [...document.styleSheets[0].cssRules].map((rule) => rule.cssText).filter((text) => /^(#river|\.(slopes|weights|gates|rest) |:root|@media \(prefers-color-scheme)/.test(text)).join("\n");
  const words = (runs, y, size, weight) => draw("text", { x: 24, y, "font-size": size, "font-weight": weight, fill: "var(--ink)" }, runs.map(([text, kind]) => draw("tspan", kind ? { fill: `var(--${kind})` } : {}, text)));
  for (const [key, x] of [["x", 20], ["y", 110], ["width", box.width * zoom], ["height", box.height * zoom]]) stage.setAttribute(key, x);
  const whole = draw("svg", { viewBox: `0 0 ${f.wide} ${f.high}`, width: f.wide, height: f.high, "font-family": "system-ui,Segoe UI,Roboto,DejaVu Sans,Arial,sans-serif" }, draw("style", {}, rules),
    draw("rect", { width: f.wide, height: f.high, fill: "var(--page)" }), words(title(model, now), 50, Math.min(30, 1900 / told(title(model, now)).length), 650), words(below(model, now), 86, Math.min(20, 2100 / told(below(model, now)).length), 400), stage);
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
  $("graph-view").querySelector(".name").title = touched() ? "as it was run: what is replaced in the river is not replaced here" : "";
  $("to-river").textContent = touched() ? "← the river, with its what if" : "← the river";
  $("river-view").hidden = true;
  $("graph-view").hidden = false;
  dispatchEvent(new CustomEvent("opened", { detail: model === data.models[0] ? model.raw[t] : null }));
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("river-view").hidden || event.target.matches("input, select") && event.key !== "Escape") return;
  const does = { " ": send, ",": () => { stop(); advance(-1); }, ".": () => { stop(); advance(1); }, ArrowLeft: () => show(t - 1), ArrowRight: () => show(t + 1), Home: () => show(0), End: () => show(Infinity), Escape: reset, "<": () => from(begin - 1), ">": () => from(begin + 1) }[event.key];
  if (!does || event.key === " " && event.target.matches("button")) return;
  event.preventDefault();
  does();
}
function reset() { what = untouched(); beginAt(lastStation()); $("every").setAttribute("aria-pressed", "false"); showAll(); stop(); change(); }

const flip = (key) => () => { what[key] = !what[key]; change(); };
for (const [id, does] of [["send", send], ["forward", forward], ["if-slopes", flip("slopes")], ["if-orthogonal", flip("orthogonal")], ["if-gates", flip("gates")], ["chip", reset], ["save", save],
  ["every", () => { const on = $("every").ariaPressed !== "true"; if (on) $("every").setAttribute("aria-pressed", "true"); else reset(); }],
  ["tabled", () => { const on = $("rows").hidden; $("rows").hidden = !on; $("tabled").setAttribute("aria-expanded", String(on)); if (on) $("rows").scrollIntoView(); }],
  ["linear", () => { linear = !linear; $("linear").setAttribute("aria-pressed", String(linear)); paint(); }]]) $(id).addEventListener("click", does);
$("again").addEventListener("change", () => { what.again = $("again").checked; what.rerun = null; change(); });
$("scale").addEventListener("input", () => { what.scale = Number($("scale").value); change(); });
data.models.forEach(({ label }, n) => { if (data.models.length > 1) $("models").append(el("button", { type: "button", "aria-pressed": String(n === 0), onclick: () => choose(n) }, label)); });
document.addEventListener("keydown", keys);
addEventListener("resize", () => { if (!$("river-view").hidden) paint(); });
addEventListener("hashchange", () => { if (location.hash.slice(1) !== remembered) recall(); });
$("stage").replaceChildren(draw("svg", { id: "river", role: "group", "aria-label": "Size of the gradient at each station, from where it begins back to the source" }));
$("river").addEventListener("keydown", (event) => { if (event.key === "Enter") show(t); });
document.querySelector(".controls").hidden = false;
recall();
}
