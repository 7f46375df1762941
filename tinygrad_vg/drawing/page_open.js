// The river's data and script lie packed in the page.
unpacked($("packed").textContent).json().then((data) => {
  window.packed = data;
  document.body.append(el("script", {}, data.river));
});
