// The slider moves through the frames; the button plays them, from the first if it stands at the last.
"use strict";
const [at, play, stage] = ["at", "play", "stage"].map((id) => document.getElementById(id));
let timer = 0;
function go(k) { at.value = k; [...stage.children].forEach((still, j) => { still.hidden = j !== k; }); }
function pause() { timer = clearInterval(timer); play.textContent = "▶ Train"; }
function next() { if (at.value === at.max) pause(); else go(Number(at.value) + 1); }
function start() { if (at.value === at.max) go(0); timer = setInterval(next, 150); play.textContent = "❚❚ Pause"; }
at.addEventListener("input", () => { pause(); go(Number(at.value)); });
play.addEventListener("click", () => (timer ? pause() : start()));
