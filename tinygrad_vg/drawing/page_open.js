// The river's data and script lie packed in the page: a line of JSON, and the bytes of all arrays.
unpacked($("packed").textContent).arrayBuffer().then((found) => {
  const bytes = new Uint8Array(found), data = JSON.parse(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(10))));
  let at = bytes.indexOf(10) + 1;
  data.blobs = data.blobs.map((n) => bytes.subarray(at, at += n));
  window.packed = data;
  document.body.append(el("script", {}, data.river));
});
