// What do both views need?  Elements, the engine's arrays, and the two operations on them: a length, and Jᵀ g.
//
// The first part of each of their scripts. A page with a river reads it twice, so there is nothing but functions in it.
"use strict";

function $(id) { return document.getElementById(id); }
function make(space, tag, attributes, children) {
  const element = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [key, x] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), x);
    else if (x === true) element.setAttribute(key, "");
    else if (x !== false && x !== null && x !== undefined) element.setAttribute(key, x);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
function el(tag, attributes = {}, ...children) { return make("", tag, attributes, children); }
function draw(tag, attributes = {}, ...children) { return make("http://www.w3.org/2000/svg", tag, attributes, children); }
function superscript(n) { return String(n).replace(/[-\d]/g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻"); }
// What lies packed in the page, as the response of a server would be: base 64 of a gzip.
function unpacked(text) { return new Response(new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"))); }
function bytesOf(text) { return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); }
// Whether the reader wants nothing to move.
function calm() { return matchMedia("(prefers-reduced-motion: reduce)").matches; }

// The arrays of a page by number, each decoded once: the first bytes of all its numbers, then the second bytes, …
function reader(blobs) {
  const decoded = new Map();
  return (k, Kind = Float64Array) => {
    if (!decoded.has(k)) {
      const from = typeof blobs[k] === "string" ? bytesOf(blobs[k]) : blobs[k], bytes = new Uint8Array(from.length), wide = Kind.BYTES_PER_ELEMENT, n = from.length / wide;
      for (let b = 0, at = 0; b < wide; b++) for (let j = 0; j < n; j++, at++) bytes[j * wide + b] = from[at];
      decoded.set(k, new Kind(bytes.buffer));
    }
    return decoded.get(k);
  };
}
function norm(v) {
  let top = 0, sum = 0;
  for (const x of v) { if (Number.isNaN(x)) return NaN; top = Math.max(top, Math.abs(x)); }
  if (top === 0 || top === Infinity) return top;
  for (const x of v) sum += (x / top) ** 2;
  return top * Math.sqrt(sum);
}

// Jᵀ g of a map with these entries: the factor of a scale, a diagonal, or a matrix, of a sparse one those at `index`. The weight of a
// layer, `out` rows high, meets g piece by piece.
function pulled({ kind, rows, columns, out = rows }, g, entries, index) {
  const part = new Float64Array(columns);
  if (kind === "scale") for (let j = 0; j < columns; j++) part[j] = g[j] * entries;
  else if (kind === "diagonal") for (let j = 0; j < columns; j++) part[j] = g[j] * entries[j];
  else if (kind === "sparse") for (let n = 0; n < index.length; n++) part[index[n] % columns] += entries[n] * g[Math.floor(index[n] / columns)];
  else {
    const pieces = rows / out, wide = columns / pieces;
    for (let piece = 0; piece < pieces; piece++) for (let i = 0, at = 0; i < out; i++) {
      for (let j = 0; j < wide; j++, at++) part[piece * wide + j] += entries[at] * g[piece * out + i];
    }
  }
  return part;
}
