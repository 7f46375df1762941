// Where does everything stand, and what of it is in sight?  Boxes and arrows on the page; groups that fold; panning and zooming.
//
//   unit  a box, n3, or the summary of a folded group, f1      standing  [x, y, wide, high] of each unit as it is now
//
// Only what is in sight, and some way around it, is in the document; the rest is kept here, and is put back for printing.
// ── elements ───────────────────────────────────────────────────────────────────────────────────────────────────────

// A number to read, with all its digits for who asks.
const num = (x, attributes = {}) => el("data", { value: String(x), title: String(x), ...attributes }, short(x));

const svg = $("view").querySelector("svg");
const boxAt = boxes.map((_, i) => $(`n${i}`)), arrowAt = arrows.map((_, e) => $(`a${e}`)), frameAt = groups.map((_, k) => $(`g${k}`));
const titles = [boxAt, arrowAt].map((all) => all.map((g) => g.querySelector("title").textContent)); // as they were drawn
const layers = [0, 1, 2].map(() => draw("g", {})); // frames, arrows, boxes
svg.replaceChildren(svg.firstElementChild, ...layers);

// ── where things stand, and folding ────────────────────────────────────────────────────────────────────────────────

const groupOf = new Map();
groups.forEach((group, k) => { if (group.label) group.boxes.forEach((i) => groupOf.set(i, k)); });
const foldedGroups = new Set();
const summaries = new Map(); // group → its summary box, made when first folded
const frames = groups.map(({ boxes: members }) => {
  const at = members.map((i) => boxes[i].place);
  const left = Math.min(...at.map(([x, , w]) => x - w / 2)) - 14, right = Math.max(...at.map(([x, , w]) => x + w / 2)) + 14;
  return { left, right, band: boxes[members[0]].band, top: Math.min(...at.map(([, y, , h]) => y - h / 2)) - 28, bottom: Math.max(...at.map(([, y, , h]) => y + h / 2)) + 14 };
});
const scene = { wide: svg.viewBox.baseVal.width, high: svg.viewBox.baseVal.height };
const whole = { ...scene };
const unit = (i) => (foldedGroups.has(groupOf.get(i)) ? `f${groupOf.get(i)}` : `n${i}`);
const standing = new Map(); // unit → [x, y, wide, high] as it is now
const seen = (name) => (name[0] === "f" ? foldedGroups.has(Number(name.slice(1))) : !foldedGroups.has(groupOf.get(Number(name.slice(1)))));

// The last box of a group with an arrow out of it: its state. Shared weights have none, only aliases.
function stateOf(k) {
  const members = new Set(groups[k].boxes);
  return groups[k].boxes.filter((i) => drawnFrom[i].some((e) => !members.has(arrows[e].head))).at(-1) ?? null;
}
const lastOf = (k) => stateOf(k) ?? groups[k].boxes[0];

function summary(k) {
  if (!summaries.has(k)) {
    const last = lastOf(k), g = stateOf(k) === null ? null : now.g[real(last)], nodes = groups[k].boxes.reduce((sum, i) => sum + boxes[i].nodes, 0);
    const lines = [groups[k].label, `${nodes} node${nodes === 1 ? "" : "s"}`];
    if (before[real(last)] && stateOf(k) !== null) lines.push(g ? `|grad| ${small(norm(g))}` : "|grad| unknown");
    const wide = 20 + 11 * Math.max(...lines.map((line) => [...line].length)), high = 12 + 23 * lines.length;
    const fill = colour(heatOf(g));
    const element = draw("g", { id: `f${k}`, class: "box summary", tabindex: -1, role: "button" });
    const shape = { x: -wide / 2, y: -high / 2, width: wide, height: high, rx: 6, fill, stroke: looks.GREY };
    element.append(draw("title", {}), draw("rect", shape));
    element.append(draw("rect", { x: -wide / 2 - 3, y: -high / 2 - 3, width: wide + 6, height: high + 6, rx: 9, fill: "none", stroke: looks.GREY }));
    lines.forEach((line, n) => element.append(draw("text", {
      x: 0, y: 6 + 23 * (n - (lines.length - 1) / 2), fill: ink(fill), "font-size": 18, "text-anchor": "middle", class: n === 2 ? "gradient" : "",
    }, line)));
    summaries.set(k, { g: element, wide, high, last, lines });
    tellSummary(k);
  }
  return summaries.get(k);
}
function tellSummary(k) {
  const { g, last, lines } = summaries.get(k), known = lines.slice(0, pending(last) ? 2 : 3);
  g.classList.toggle("pending", pending(last));
  g.firstElementChild.textContent = `${known.join("\n")}\nclick to unfold: what lies in it can be replaced only then`;
  g.setAttribute("aria-label", `${known.join(", ")}, folded; Enter unfolds`);
}

// The words on an arrow into a group from outside, unless it runs on a lane; they stand left of the summary.
const wordsInto = groups.map((_, k) => Math.max(0, ...arrows.flatMap(({ tail, head, lines, square }) => (
  groupOf.get(head) === k && groupOf.get(tail) !== k && !square ? lines.map((line) => 8 + 10.5 * [...line].length) : []))));

// A folded group is squeezed to the width of its summary and these words; what is right of it in the same band moves left by the difference.
function squeezed(x, band) {
  let moved = 0;
  for (const k of [...foldedGroups].filter((k) => frames[k].band === band).sort((a, b) => frames[a].left - frames[b].left)) {
    const { left, right } = frames[k], room = summary(k).wide + wordsInto[k] + 30;
    if (x <= left) break;
    moved += (Math.min(1, (x - left) / (right - left))) * (right - left - room);
  }
  return x - moved;
}

function curve(way) {
  let path = `M${way[0]},${way[1]}`;
  for (let n = 2; n < way.length; n += 2) {
    const [x, y, X, Y] = way.slice(n - 2, n + 2), middle = (x + X) / 2;
    path += y === Y ? ` L${X},${Y}` : ` C${middle},${y} ${middle},${Y} ${X},${Y}`;
  }
  return path;
}

// Straight from point to point, with round corners: the lane of a loop.
function rounded(way) {
  const at = (n) => [way[2 * n], way[2 * n + 1]];
  const towards = ([x, y], [X, Y]) => { const long = Math.hypot(X - x, Y - y) || 1, part = Math.min(8, long / 2) / long; return [x + part * (X - x), y + part * (Y - y)]; };
  let path = `M${at(0)}`;
  for (let n = 1; n < way.length / 2 - 1; n++) path += ` L${towards(at(n), at(n - 1))} Q${at(n)} ${towards(at(n), at(n + 1))}`;
  return `${path} L${at(way.length / 2 - 1)}`;
}

// The points of an arrow now: those of its first half move with its tail. Inside a folded group it runs straight to the summary.
function wayOf({ tail, head, way, square }) {
  const [x, y, w] = standing.get(unit(tail)), [X, Y, W] = standing.get(unit(head)), start = x + w / 2, end = X - W / 2 - 9;
  const cut = [tail, head].filter((i) => unit(i)[0] === "f").map((i) => frames[groupOf.get(i)]);
  const points = [];
  for (let n = 0; n < way.length; n += 2) {
    const band = boxes[2 * n < way.length - 1 ? tail : head].band;
    if (square || !cut.some(({ left, right }) => left <= way[n] && way[n] <= right)) points.push(squeezed(way[n], band), way[n + 1]);
  }
  if (square && unit(head)[0] === "f") points.splice(-6, 6, end - 12, points.at(-5), end - 12, Y); // the lane is left and entered before the summary
  if (square && unit(tail)[0] === "f") points.splice(0, 6, start + 12, y, start + 12, points[5]);
  return [...(unit(tail)[0] === "f" ? [start, y, start + 12, y] : []), ...points, ...(unit(head)[0] === "f" ? [end - 4, Y, end, Y] : [])];
}

// Arrows between the same two units are drawn as one, "× n".
function placeArrows() {
  const merged = new Map();
  arrows.forEach((arrow, e) => {
    const a = unit(arrow.tail), b = unit(arrow.head), free = a[0] === "n" && b[0] === "n";
    const key = free ? `e${e}` : `${a} ${b}`;
    const inside = !free && (a === b || arrow.loop);
    arrowAt[e].classList.toggle("gone", inside || merged.has(key));
    if (inside) return;
    if (merged.has(key)) merged.get(key).push(e);
    else merged.set(key, [e]);
  });
  bundles.fill(null);
  for (const members of merged.values()) for (const e of members) bundles[e] = members;
  for (const members of merged.values()) placeArrow(members);
}
const bundles = arrows.map(() => null); // of each arrow those that are drawn as one with it; null inside a folded group
const ways = [];

// The head is at the end of the child; once the arrow has carried the gradient back, at that of the parent.
function placeArrow(members) {
  const [e] = members, free = [arrows[e].tail, arrows[e].head].every((i) => unit(i)[0] === "n"), back = members.some(passed);
  const arrow = arrows[e], g = arrowAt[e], [path, point, words] = [1, 2, 3].map((k) => g.children[k]);
  const count = members.reduce((sum, k) => sum + arrows[k].count, 0);
  g.dataset.count = count;
  words.querySelector(".many")?.remove();
  for (const text of words.children) text.classList.toggle("gone", !free && members.length > 1);
  if (!free && members.length > 1) words.append(draw("text", { class: "many", x: 0, y: 8, "font-size": 18, "text-anchor": "middle" }, `× ${count}`));
  const way = ways[e] = wayOf(arrow);
  if (back) { way[0] += 9; way[way.length - 2] += 9; }
  const [end, level] = back ? way : way.slice(-2), [x, y] = labelOf(arrow, way);
  g.classList.toggle("back", back);
  path.setAttribute("d", arrow.square ? rounded(way) : curve(way));
  point.setAttribute("points", `${end},${level - 4.5} ${end + (back ? -9 : 9)},${level} ${end},${level + 4.5}`);
  words.setAttribute("transform", `translate(${x},${y})`);
}

// The middle of the words on an arrow; into a folded group, before its summary.
function labelOf({ tail, head, label: [x, y], lines, square }, way) {
  if (square || unit(head)[0] === "n") return [squeezed(x, boxes[tail].band), y];
  return [way.at(-2) - wordsInto[groupOf.get(head)] / 2 - 4, way.at(-1) - 4 - 10 * Math.max(1, lines.length)];
}

function placeAll() {
  boxes.forEach(({ place: [x, y, w, h], band }, i) => {
    const hidden = foldedGroups.has(groupOf.get(i));
    boxAt[i].classList.toggle("gone", hidden);
    if (hidden) return;
    standing.set(`n${i}`, [squeezed(x, band), y, w, h]);
    boxAt[i].setAttribute("transform", `translate(${squeezed(x, band)},${y})`);
  });
  groups.forEach((group, k) => {
    const frame = frames[k], folded = foldedGroups.has(k), [rect, text] = frameAt[k].children;
    const left = squeezed(frame.left, frame.band), right = squeezed(frame.right, frame.band);
    if (folded) {
      const { g, wide, high, last } = summary(k), x = right - 15 - wide / 2, y = boxes[last].place[1];
      standing.set(`f${k}`, [x, y, wide, high]);
      g.setAttribute("transform", `translate(${x},${y})`);
    }
    summaries.get(k)?.g.classList.toggle("gone", !folded);
    rect.setAttribute("x", left);
    rect.setAttribute("width", right - left);
    rect.classList.toggle("gone", folded);
    text.setAttribute("x", (left + right) / 2);
    text.classList.toggle("gone", folded);
    frameAt[k].setAttribute("aria-expanded", String(!folded));
  });
  placeArrows();
  scene.wide = foldedGroups.size ? 34 + Math.max(...[...standing].filter(([name]) => seen(name)).map(([, [x, , w]]) => x + w / 2)) : whole.wide;
  $("fold").textContent = foldedGroups.size ? "Unfold all" : "Fold all";
  ground = null;
  drawMap();
}

function fold(k, folded = !foldedGroups.has(k)) {
  const anchor = standing.get(unit(groups[k].boxes[0]));
  foldedGroups[folded ? "add" : "delete"](k);
  placeAll();
  view.x += standing.get(unit(groups[k].boxes[0]))[0] - anchor[0];
  look();
  untold();
  if (current !== null) focusable(groupOf.get(current) === k ? lastOf(k) : current);
}

function foldAll() {
  const folded = foldedGroups.size === 0;
  groups.forEach((group, k) => group.label && foldedGroups[folded ? "add" : "delete"](k));
  placeAll();
  untold();
  [view.moved, view.whole] = [false, true];
  settle();
}

// A box that is folded now is no longer in the panel.
function untold() {
  if (told !== null && unit(told)[0] === "f") select(null);
}

// ── looking ────────────────────────────────────────────────────────────────────────────────────────────────────────

const view = { x: 0, y: 0, scale: 1, moved: false, whole: false }; // the corner shown, in the picture's units, and pixels per unit; by the reader; all of it
const SMALLEST = 0.05, FAR = 0.2, OVERVIEW = 0.48, LEGIBLE = 0.78; // below FAR words would be under 4 px, and are left out; then 9 and 14
const OPENS = boxes.length <= 12 ? OVERVIEW : LEGIBLE; // of few boxes all is worth more than large words
const stage = () => ({ w: Math.max(1, $("view").clientWidth), h: Math.max(1, $("view").clientHeight) });

// While it stays on its ground, the picture is moved as it is painted; beyond, the ground is laid anew around what is in sight.
let ground = null; // left, top, right and bottom of what is in the document
const AROUND = 150; // the half of the longest words on an arrow, and some more
function look() {
  const { w, h } = stage(), wide = w / view.scale, high = h / view.scale, { x, y, scale } = view;
  const on = ground && ground.scale === scale && ground.w === w && ground.h === h && x >= ground.left && y >= ground.top && x + wide <= ground.right && y + high <= ground.bottom;
  if (!on) {
    ground = { x, y, scale, w, h, left: x - wide / 2, top: y - high / 2, right: x + wide * 1.5, bottom: y + high * 1.5 };
    svg.setAttribute("viewBox", `${x} ${y} ${wide} ${high}`);
    svg.classList.toggle("far", scale < FAR);
    lay();
  }
  svg.style.transform = x === ground.x && y === ground.y ? "" : `translate(${(ground.x - x) * scale}px,${(ground.y - y) * scale}px)`;
  drawMap(false);
}

// Into the document comes what touches the ground, or all of it; and the box that the Tab key reaches.
function lay(all = false) {
  const { left, top, right, bottom } = ground, touches = (l, t, r, b) => all || (l < right + AROUND && r > left - AROUND && t < bottom + AROUND && b > top - AROUND);
  const there = (name) => { const [x, y, w, h] = standing.get(name); return touches(x - w / 2, y - h / 2, x + w / 2, y + h / 2); };
  const near = (way) => way.some((X, n) => {
    const [x, y, Y] = [way[n - 2], way[n - 1], way[n + 1]];
    return n > 1 && n % 2 === 0 && touches(Math.min(x, X), Math.min(y, Y), Math.max(x, X), Math.max(y, Y));
  });
  const framed = ({ left, right, band, top, bottom }) => touches(squeezed(left, band), top, squeezed(right, band), bottom);
  const folded = [...foldedGroups].filter((k) => summary(k).g === reachable || there(`f${k}`)).map((k) => summary(k).g);
  put(layers[0], frameAt.filter((_, k) => !foldedGroups.has(k) && framed(frames[k])));
  put(layers[1], arrowAt.filter((_, e) => bundles[e]?.[0] === e && near(ways[e])));
  put(layers[2], [...boxAt.filter((g, i) => unit(i)[0] === "n" && (g === reachable || there(`n${i}`))), ...folded]);
}

// Those elements in that order, and none that stays is moved: it may have the focus.
function put(layer, elements) {
  const wanted = new Set(elements);
  for (const g of [...layer.children]) if (!wanted.has(g)) g.remove();
  let next = layer.firstChild;
  for (const g of elements) if (g === next) next = next.nextSibling; else layer.insertBefore(g, next);
}

function printed() {
  ground = { left: 0, top: 0, right: 0, bottom: 0 };
  lay(true);
  svg.classList.remove("far");
  svg.style.transform = "";
  svg.setAttribute("viewBox", `0 0 ${scene.wide} ${scene.high}`);
}

// All of it, if it can be read so; if not, with words of 14 px, what leads to the output, where the backward pass starts.
function start() {
  const { w, h } = stage(), [X, Y] = output >= 0 ? standing.get(unit(output)) : [scene.wide, 0];
  const all = Math.min(1.5, w / scene.wide, h / scene.high);
  view.whole = all >= OPENS;
  view.scale = view.whole ? all : Math.max(LEGIBLE, Math.min(1.2, h / scene.high));
  const high = h / view.scale, wide = w / view.scale;
  view.x = wide > scene.wide ? (scene.wide - wide) / 2 : Math.max(0, Math.min(scene.wide - wide, X - 0.85 * wide));
  view.y = high > scene.high ? (scene.high - high) / 2 : Math.max(0, Math.min(scene.high - high, Y - high / 2));
  look();
}

// In another room, beside the panel or in another window, until somebody moves it: all of it still, or all of it if it can be read then.
function settle() {
  const { w, h } = stage(), all = Math.min(w / scene.wide, h / scene.high);
  if (!view.moved && view.whole && all >= OVERVIEW) fit(); else if (!view.moved && all >= OPENS) start(); else look();
}

function fit() {
  [view.moved, view.whole] = [false, true];
  const { w, h } = stage();
  view.scale = Math.max(SMALLEST, Math.min(1.5, w / scene.wide, h / scene.high));
  view.x = (scene.wide - w / view.scale) / 2;
  view.y = (scene.high - h / view.scale) / 2;
  look();
}

function zoom(factor, px = stage().w / 2, py = stage().h / 2) {
  const scale = Math.max(SMALLEST, Math.min(6, view.scale * factor));
  view.x += px / view.scale - px / scale;
  view.y += py / view.scale - py / scale;
  view.scale = scale;
  view.moved = true;
  look();
}

// Bring a box into sight, if it is not.
function show(i) {
  const [x, y, w, h] = standing.get(unit(i)), { w: W, h: H } = stage(), wide = W / view.scale, high = H / view.scale, margin = 30;
  const outside = x - w / 2 - margin < view.x || x + w / 2 + margin > view.x + wide || y - h / 2 - margin < view.y || y + h / 2 + margin > view.y + high;
  if (!outside) return;
  view.x = x - wide / 2;
  view.y = high > scene.high ? view.y : y - high / 2;
  look();
}

// A box with those that its arrows come from and lead to, as many as can be read; and no empty place while there is more to see.
function around(i) {
  const { w, h } = stage(), near = [i, ...into[i].map((e) => arrows[e].tail), ...drawnFrom[i].map((e) => arrows[e].head)].map((k) => standing.get(unit(k)));
  const ends = (at) => [Math.min(...near.map((place) => place[at] - place[at + 2] / 2)) - 30, Math.max(...near.map((place) => place[at] + place[at + 2] / 2)) + 30];
  const all = [ends(0), ends(1)], fits = Math.min(w / (all[0][1] - all[0][0]), h / (all[1][1] - all[1][0]));
  view.scale = Math.max(OVERVIEW, Math.min(LEGIBLE, fits));
  for (const [at, axis, room, size] of [[0, "x", w, scene.wide], [1, "y", h, scene.high]]) {
    const shown = room / view.scale, middle = fits >= OVERVIEW ? (all[at][0] + all[at][1]) / 2 : standing.get(unit(i))[at];
    view[axis] = shown > size ? (size - shown) / 2 : Math.max(0, Math.min(size - shown, middle - shown / 2));
  }
  look();
}

// The strip below: every box in its colour, painted when that has changed, and a window on what is in sight.
const painted = document.createElement("canvas");
let mapWaits = false, mapStale = true;
function drawMap(stale = true) {
  mapStale ||= stale;
  if (mapWaits) return;
  mapWaits = true;
  requestAnimationFrame(() => {
    mapWaits = false;
    const canvas = $("map"), ratio = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight, sx = w / scene.wide, sy = (h - 4) / scene.high, { w: W, h: H } = stage();
    if (mapStale || painted.width !== Math.round(w * ratio)) { [painted.width, painted.height] = [w * ratio, h * ratio].map(Math.round); paintMap(painted.getContext("2d"), ratio, sx, sy); }
    mapStale = false;
    [canvas.width, canvas.height] = [painted.width, painted.height];
    const pen = canvas.getContext("2d");
    if (painted.width && painted.height) pen.drawImage(painted, 0, 0);
    pen.scale(ratio, ratio);
    pen.strokeStyle = getComputedStyle(document.body).getPropertyValue("--accent");
    pen.lineWidth = 1.5;
    pen.strokeRect(view.x * sx, 1 + view.y * sy, W / view.scale * sx, Math.min(h - 2, H / view.scale * sy));
  });
}
function paintMap(pen, ratio, sx, sy) {
  pen.scale(ratio, ratio);
  for (const [name, [x, y, wide, high]] of standing) {
    if (!seen(name)) continue;
    const number = Number(name.slice(1)), i = name[0] === "n" ? number : lastOf(number), g = now.g[real(i)];
    const plain = g ? null : boxAt[i].querySelector("rect").getAttribute("fill");
    pen.fillStyle = boxAt[i].classList.contains("pending") ? "#8884" : plain ?? colour(heatOf(g));
    pen.fillRect((x - wide / 2) * sx, 2 + (y - high / 2) * sy, Math.max(1.5, wide * sx), Math.max(1.5, high * sy));
  }
}

function watchPointer() {
  const place = $("view");
  const fingers = new Map(); // pointer → where it is; one drags, two pinch
  let moved = false;
  const middle = () => { const all = [...fingers.values()], [a, b] = [all[0], all.at(-1)]; return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.hypot(a.x - b.x, a.y - b.y) }; };
  place.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (!fingers.size) moved = false;
    else if (moved) place.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  place.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger || (!moved && fingers.size === 1 && Math.hypot(event.clientX - finger.x, event.clientY - finger.y) < 4)) return;
    if (!moved) for (const id of fingers.keys()) place.setPointerCapture(id);
    moved = true;
    place.classList.add("dragging");
    const from = middle();
    [finger.x, finger.y] = [event.clientX, event.clientY];
    const to = middle(), { left, top } = place.getBoundingClientRect();
    view.moved = true;
    view.x -= (to.x - from.x) / view.scale;
    view.y -= (to.y - from.y) / view.scale;
    if (from.apart && to.apart) zoom(to.apart / from.apart, to.x - left, to.y - top); else look();
  });
  const end = ({ pointerId }) => { fingers.delete(pointerId); if (!fingers.size) place.classList.remove("dragging"); };
  place.addEventListener("pointerup", end);
  place.addEventListener("pointercancel", end);
  place.addEventListener("pointerleave", end);
  place.addEventListener("focusin", ({ target }) => { // by the Tab key: it may be out of sight
    if (target.matches(".box:focus-visible") && current !== null) show(current);
  });
  place.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { left, top } = place.getBoundingClientRect();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { view.x += (event.deltaX || event.deltaY) / view.scale; view.moved = true; look(); }
    else zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - left, event.clientY - top);
  }, { passive: false });
  place.addEventListener("click", (event) => {
    const box = event.target.closest(".box"), frame = event.target.closest(".frame.toggle > text");
    if (box?.id[0] === "f") fold(Number(box.id.slice(1)));
    else if (box) select(Number(box.id.slice(1)));
    else if (frame) fold(Number(frame.parentNode.id.slice(1)));
  });
  const jump = (event) => {
    if (!event.buttons) return;
    const { left, top, width, height } = $("map").getBoundingClientRect(), { w, h } = stage();
    view.moved = true;
    view.x = (event.clientX - left) / width * scene.wide - w / view.scale / 2;
    if (scene.high > h / view.scale) view.y = (event.clientY - top) / height * scene.high - h / view.scale / 2;
    look();
  };
  $("map").addEventListener("pointerdown", (event) => { $("map").setPointerCapture(event.pointerId); jump(event); });
  $("map").addEventListener("pointermove", jump);
}
