// What do both views need to read the engine's numbers?  The first part of each of their scripts.
"use strict";

// The numbers of a blob: the first bytes of all of them, then the second bytes, …
function numbersOf(blob, Kind) {
  const text = atob(blob), bytes = new Uint8Array(text.length), wide = Kind.BYTES_PER_ELEMENT, n = text.length / wide;
  for (let b = 0, at = 0; b < wide; b++) for (let j = 0; j < n; j++, at++) bytes[j * wide + b] = text.charCodeAt(at);
  return new Kind(bytes.buffer);
}
function norm(v) {
  let top = 0, sum = 0;
  for (const x of v) { if (Number.isNaN(x)) return NaN; top = Math.max(top, Math.abs(x)); }
  if (top === 0 || top === Infinity) return top;
  for (const x of v) sum += (x / top) ** 2;
  return top * Math.sqrt(sum);
}
