// Where did the gradient go, and where would it go if …?  The river, recomputed here from the engine's own maps.
//
// A link is a little graph. The gradient is pulled back through it with an account of what it met: for every edge ln(|c| / |g|),
// c = Jᵀ g; where branches meet, the mean of their accounts by signed shares, and what is left belongs to the meeting itself.
//
//   k  number of a station      p  of a part: slopes, weights, …      nats  of each part, of a link      log  ln of a size, relative to where the river begins
const data = window.packed, PARTS = Object.keys(data.parts), INK = Object.values(data.parts), KINDS = [...PARTS.keys()];
const [MERGE, REST] = ["merging branches", "rest"].map((part) => PARTS.indexOf(part)), none = () => PARTS.map(() => 0);
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

// What multiplies the state before, in the sum that is the new one: of an LSTM its forget gate, of a GRU z, not its r.
const summand = (link, i) => link.end.includes(i) || link.edges.some(({ c, p, m }) => p === i && Number(m?.x) === 1 && summand(link, c));
const keeps = (link, edge) => edge.k === 2 && link.start.includes(edge.p) && summand(link, edge.c);

// Jᵀ g of one edge of a link, with what is put in its place.
function pull(link, edge, g, what) {
  const { m } = edge, part = PARTS[edge.k], weight = part === "weights";
  if ((part === "slopes" && what.slopes || what.gates && keeps(link, edge)) && m.rows === m.columns) return Float64Array.from(g);
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
  if (base > -Infinity) nats[MERGE] += Math.log(norm(g)) - base - nats.reduce((a, b) => a + b);
  return { c: g, nats };
}

// One link, from the gradient at its end: the gradient at its start and the nats.
function through(link, g, what) {
  const base = Math.log(norm(g)), received = link.sizes.map(() => []), start = new Set(link.start);
  let at = 0;
  for (const i of link.end) {
    const c = g.subarray(at, at += link.sizes[i]);
    const less = Math.log(norm(c)) - base;
    received[i].push({ c, nats: KINDS.map((p) => (p === MERGE && Number.isFinite(less) ? less : 0)) });
  }
  const into = link.sizes.map(() => []), inner = link.sizes.map(() => null), gains = new Map();
  for (const edge of link.edges) into[edge.c].push(edge);
  for (let i = link.sizes.length - 1; i >= 0; i--) {
    if (!received[i].length) continue;
    const here = inner[i] = settle(received[i], base, false), size = norm(here.c);
    if (start.has(i)) continue;
    for (const edge of into[i]) {
      const c = pull(link, edge, here.c, what), gain = Math.log(norm(c) / size), nats = here.nats.slice();
      if (Number.isFinite(gain)) nats[edge.k] += gain;
      gains.set(edge, Math.exp(gain));
      received[edge.p].push({ c, nats });
    }
  }
  const parts = link.start.map((i) => inner[i] ?? { c: new Float64Array(link.sizes[i]), nats: none() });
  return { ...settle(parts, base, true), inner, gains };
}

// All of it, from station `begin` back: for each station the gradient, its size and log; for each link the nats. A link may be replaced by
// 1, 0, or a multiple.
function sweep(model, what, begin) {
  const last = model.names.length - 1, logs = Array(last + 1).fill(-Infinity), sizes = Array(last + 1).fill(0), nats = model.nats.map(none);
  const gradients = Array(last + 1).fill(null), inner = Array(last).fill(null), gains = Array(last).fill(null);
  const rerun = what.again ? again(model, what) : null;
  let g = blob(begin < last ? model.seeds[begin] : model.seed), far = 0;
  const first = Math.log(norm(g)), keep = (k) => { gradients[k] = g; sizes[k] = norm(g) * Math.exp(far); logs[k] = Math.log(norm(g)) + far - first; };
  keep(begin);
  for (let k = begin - 1; k >= 0; k--) {
    const link = what.links.get(k);
    if (link === "one") { nats[k] = none(); inner[k] = null; }
    else {
      const found = through(model.links[k], g, { ...what, rerun });
      [g, nats[k], inner[k], gains[k]] = [found.c, found.nats, found.inner, found.gains];
      if (link) { g = g.map((x) => x * link); nats[k][REST] += Math.log(Math.abs(link)); }
      else if (link === 0) { g = g.map(() => 0); nats[k] = none(); inner[k] = null; }
    }
    const size = norm(g);
    if (size && (size < 1e-150 || size > 1e150)) { g = g.map((x) => x / size); far += Math.log(size); }
    keep(k);
  }
  return { logs, sizes, nats, gradients, inner, gains, rerun };
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
