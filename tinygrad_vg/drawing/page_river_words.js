// Where do words stand?  Measured, broken into lines, and placed where no line and no other word is; as beside.py does it.
//
//   run  [words, their ink]      box  [left, top, right, bottom]

const pen = document.createElement("canvas").getContext("2d"), measured = new Map();
function room(words, size, weight = 400) {
  const key = `${weight} ${size} ${words}`;
  if (!measured.has(key)) { pen.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`; measured.set(key, pen.measureText(words).width); }
  return measured.get(key);
}

// Runs in lines no wider than this, rather after a sentence than within one, as <text>; the first stands at y.
function written(runs, y, size, weight, wide) {
  const cut = runs.findIndex(([words]) => words.endsWith(". ")) + 1;
  if (cut && cut < runs.length && size > 20 && room(told(runs), size, weight) > wide) return [...written(runs.slice(0, cut), y, size, weight, wide), ...written(runs.slice(cut), y + size * 1.25, size, weight, wide)];
  const lines = [[]];
  let used = 0;
  for (const [word, ink] of runs.flatMap(([words, ink]) => (words.match(/\s*\S+|\s+$/g) ?? []).map((word) => [word, ink]))) {
    const long = room(word, size, weight);
    if (used + long > wide && word[0] === " ") { lines.push([]); used = 0; }
    lines.at(-1).push([used ? word : word.trimStart(), ink]);
    used += long;
  }
  return lines.map((line, n) => draw("text", { x: 24, y: y + n * size * 1.25, "font-size": size, "font-weight": weight, fill: "var(--ink)" }, line.map(([word, ink]) => draw("tspan", ink ? { fill: `var(--${ink})` } : {}, word))));
}

function heightAt(points, x) {
  const k = points.findIndex(([X]) => X >= x);
  if (k <= 0) return points.at(k)[1];
  const [[a, A], [b, B]] = points.slice(k - 1, k + 1);
  return A + (B - A) * (x - a) / (b - a);
}
// The place of words: on no line and on nothing taken, as near as may be to a point.
function freePlace([X, Y], lines, wide, [left, top, right, foot], taken) {
  let best = [Infinity];
  for (let x = left + 8; x <= Math.max(left + 8, right - wide); x += 12) {
    const [a, b] = [x - 4, x + wide + 4];
    const spans = lines.map((points) => [heightAt(points, a), heightAt(points, b), ...points.filter(([at]) => at > a && at < b).map(([, y]) => y)]).map((all) => [Math.min(...all), Math.max(...all)]);
    for (let y = top + 14; y < foot - 4; y += 2) {
      const met = spans.filter(([high, low]) => high < y + 8 && low > y - 18).length + taken.filter(([l, t, r, f]) => l < b && a < r && t < y + 4 && y - 14 < f).length;
      const cost = 1000 * met + Math.abs(y - 5 - Y) + 0.1 * Math.abs(x - X);
      if (cost < best[0]) best = [cost, x, y];
    }
  }
  taken.push([best[1], best[2] - 14, best[1] + wide, best[2] + 4]);
  return best.slice(1);
}
