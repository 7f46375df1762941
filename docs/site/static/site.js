// What a keyboard and a screen reader need, and a link beside each session that hands what was typed on the page so far to the lab.
const here = document.currentScript;
for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.ariaLevel = "2";
for (const block of document.querySelectorAll("pre, div.math, .table-wrapper")) block.tabIndex = 0;
for (const [place, words] of [[".sidebar-drawer", "Contents"], [".toc-drawer", "On this page"], [".content-icon-container", "This page"]]) {
  const part = document.querySelector(place);
  if (part?.tagName !== "ASIDE") part?.setAttribute("role", "region");
  part?.setAttribute("aria-label", words);
}
for (const head of document.querySelectorAll("th")) if (!head.textContent.trim()) head.replaceWith(document.createElement("td"));

const typed = [];
for (const block of document.querySelectorAll(".highlight-pycon")) {
  if (!here.dataset.lab || block.closest("dd")) continue; // docstrings are not one session
  const lines = block.textContent.split("\n").filter((line) => /^(>>>|\.\.\.)( |$)/.test(line)).map((line) => line.slice(4));
  typed.push(lines.join("\n"));
  const link = document.createElement("a");
  Object.assign(link, { className: "run", textContent: "▶ Run", target: "_blank" });
  link.href = `${document.documentElement.dataset.content_root}lab/index.html#${new URLSearchParams({ code: `${typed.join("\n\n")}\n` })}`;
  block.append(link);
}
