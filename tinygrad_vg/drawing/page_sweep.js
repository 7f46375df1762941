// What is the gradient?  Computed here from the maps in the page, the engine's own: a contribution is Jᵀ g of one arrow, a
// gradient the sum of them. Replace a map, and everything upstream follows.
//
//   i, k  number of a box      e  number of an arrow      g  gradients by box      c  contributions by arrow
//   real  the box an alias stands for                     way  the points of an arrow: x, y, x, y, …
const data = JSON.parse($("data").textContent);
const { boxes, arrows, groups, looks } = data, blob = reader(data.blobs ?? window.packed.blobs); // after a river, with its arrays

// ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────────

// A number or an array of the data as Float64Array; null if there is none, or it was left out.
function entries(x) {
  if (x === null) return null;
  if (typeof x !== "object") return Float64Array.of(Number(x));
  return x.blob === undefined ? null : blob(x.blob);
}

// Numbers as pictures have them, 10⁻⁵ and −: four digits in the panel, two on boxes and arrows; nothing but zero reads 0.
function short(x, digits = 4) {
  if (x === 0 || !Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x === 0 ? "0" : x > 0 ? "inf" : "−inf";
  const [mantissa, power] = x.toExponential(digits - 1).split("e");
  if (power >= -4 && power < digits) return minus(Number(x.toPrecision(digits)));
  return powered(mantissa, power);
}
function small(x) {
  if (x === 0 || !Number.isFinite(x)) return short(x);
  const [mantissa, power] = x.toExponential(1).split("e");
  if (power > -4 && power < 4) return minus(power < 2 ? Number(x.toPrecision(2)) : x.toFixed(0));
  return powered(mantissa, power);
}
const minus = (x) => String(x).replace("-", "−");
const powered = (mantissa, power) => `${{ 1: "", "-1": "−" }[Number(mantissa)] ?? `${minus(Number(mantissa))}·`}10${superscript(Number(power))}`;
const signed = (x) => (x === -Infinity ? "−inf" : Number.isNaN(x) ? "nan" : (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2));

// ── the graph ──────────────────────────────────────────────────────────────────────────────────────────────────────

const real = (i) => boxes[i].of ?? i;
const into = boxes.map(() => []), outOf = boxes.map(() => []), drawnFrom = boxes.map(() => []); // arrows by head; real tail; tail
arrows.forEach((arrow, e) => { into[arrow.head].push(e); outOf[real(arrow.tail)].push(e); drawnFrom[arrow.tail].push(e); });
const aliases = boxes.map(() => []);
boxes.forEach((box, i) => { if (box.of !== null) aliases[box.of].push(i); });
const usedIn = boxes.map(() => []); // the folded boxes that use a weight, by arrows that are not drawn
boxes.forEach((box, i) => { for (const k of box.uses) usedIn[k].push(i); });
const output = boxes.findIndex((box) => box.kind === "output");
const computed = boxes.flatMap((box, i) => (["node", "output", "folded"].includes(box.kind) ? [i] : []));
const values = boxes.map((box) => entries(box.value));
const given = boxes.map((box) => entries(box.gradient)); // the engine's
const hasGradients = output >= 0 && boxes[output].gradient !== null;
const scalar = boxes.every((box) => box.shape.length === 0 && box.kind !== "folded");
const loops = arrows.some((arrow) => arrow.loop);

// ── the sweep ──────────────────────────────────────────────────────────────────────────────────────────────────────

// Jᵀ g of one arrow.
function pull(map, g) {
  const index = map.kind === "sparse" ? blob(map.index, Int32Array) : null;
  return pulled(map, g, map.kind === "scale" ? Number(map.x) : blob(map.d), index);
}

// What an arrow contributes when its map may be replaced: by the identity, by zero, or by itself times a number.
function contribution(e, g, replaced) {
  const map = arrows[e].map, what = replaced.get(e);
  if (!map || !g) return null;
  if (!what) return pull(map, g);
  if (what.to === "one") return Float64Array.from(g);
  if (what.to === "zero") return new Float64Array(map.columns);
  return pull(map, g).map((x) => x * what.times);
}

// Youngest first: a box passes its gradient on when it is complete. Only the boxes in `touched` are computed, the others have what is
// known of them. null: unknown, for a map on the way is not in the page, or in a folded box.
function sweep(replaced, touched, known) {
  const g = known.map((x, i) => (touched.has(i) && i !== output ? null : x)), c = arrows.map(() => null);
  const unknown = new Set([...touched].filter((i) => usedIn[i].length));
  for (let i = boxes.length - 1; i >= 0; i--) {
    if (unknown.has(i)) g[i] = null;
    for (const e of into[i]) {
      const tail = real(arrows[e].tail), { kind } = boxes[tail];
      if (kind === "constant") continue;
      c[e] = contribution(e, g[i], replaced);
      if (!touched.has(tail) || kind === "folded") continue;
      if (c[e] === null) unknown.add(tail);
      else if (g[tail] === null) g[tail] = Float64Array.from(c[e]);
      else for (let j = 0; j < c[e].length; j++) g[tail][j] += c[e][j];
    }
  }
  for (const i of unknown) g[i] = null;
  return { g, c, touched };
}

const base = sweep(new Map(), new Set(boxes.keys()), given); // all of it computed here
const before = given.map((g, i) => g ?? base.g[i]); // shown when nothing is replaced
const engine = sweep(new Map(), new Set(), before);
const replaced = new Map();
let now = engine;

// Every box that a replaced arrow's gradient reaches.
function upstream(edges) {
  const found = new Set(), todo = Array.from(edges, (e) => real(arrows[e].tail));
  while (todo.length) {
    const i = todo.pop();
    if (found.has(i) || boxes[i].kind === "constant") continue;
    found.add(i);
    todo.push(...boxes[i].uses, ...into[i].map((e) => real(arrows[e].tail)));
  }
  return found;
}

// The gradients with these replacements. What they leave as the page's own sweep has it without them, keeps the engine's number.
function sweepWith(replaced) {
  const touched = upstream(replaced.keys()), after = sweep(replaced, touched, before), plain = sweep(new Map(), touched, before);
  const same = (a, b) => a && b && a.every((x, k) => Object.is(x, b[k]));
  const kept = (name) => after[name].map((v, k) => (same(v, plain[name][k]) ? engine[name][k] : v));
  return { g: kept("g"), c: kept("c"), touched };
}
const unchanged = (i) => !now.touched.has(i) || (now.g[i] !== null && now.g[i] === before[i]);

// ── products ───────────────────────────────────────────────────────────────────────────────────────────────────────

// Boxes that every path from s to the output passes: those no arrow jumps over, among the boxes on such paths, oldest first.
function stations(s) {
  const seen = new Set([s]), todo = [s];
  while (todo.length) for (const e of outOf[todo.pop()]) {
    const head = arrows[e].head;
    if (!seen.has(head)) { seen.add(head); todo.push(head); }
  }
  let reach = s;
  const found = [];
  for (const k of [...seen].sort((a, b) => a - b)) {
    if (reach <= k) found.push(k);
    for (const e of outOf[k]) reach = Math.max(reach, arrows[e].head);
  }
  return found;
}

const slope = (e) => {
  const what = replaced.get(e), x = Number(arrows[e].map?.x ?? NaN);
  return !what ? x : what.to === "one" ? 1 : what.to === "zero" ? 0 : x * what.times;
};

// ── colours, as in colours.py ──────────────────────────────────────────────────────────────────────────────────────

const channels = (colour) => [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
function colour(heat, span = looks.DECADES, middle = looks.WHITE) {
  if (heat === null || (heat === -Infinity && middle === looks.GREY)) return middle;
  if (!Number.isFinite(heat)) return looks.SPECIAL[Number.isNaN(heat) ? "nan" : heat > 0 ? "inf" : "zero"];
  if (middle === looks.WHITE && Math.abs(heat) > span + 1e-9) return heat < 0 ? looks.NAVY : looks.MAROON;
  const [less, more] = middle === looks.GREY ? [looks.FALL, looks.RISE] : [looks.BLUE, looks.RED];
  const share = Math.max(-1, Math.min(1, heat / span)), a = channels(middle), b = channels(share > 0 ? more : less);
  return "#" + a.map((x, k) => Math.round(x + Math.abs(share) * (b[k] - x)).toString(16).padStart(2, "0")).join("");
}
function ink(fill) {
  const [r, g, b] = channels(fill).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? looks.DARK : looks.PALE;
}
// Relative to the gradient that the backward pass starts with, if that is a size at all.
const begun = output >= 0 && before[output] ? Math.log10(norm(before[output])) : 0;
const heatOf = (g) => (g ? Math.log10(norm(g)) - (Number.isFinite(begun) ? begun : 0) : null);
