// The slider moves through the frames; the button plays them, from the first if it stands at the last.
"use strict";
const [at, play, stage] = ["at", "play", "stage"].map((id) => document.getElementById(id));
let timer = 0;
function go(k) { at.value = k; [...stage.children].forEach((still, j) => { still.hidden = j !== k; }); }
function next() { if (at.value === at.max) run(false); else go(Number(at.value) + 1); }
function run(on) { clearInterval(timer); timer = on && setInterval(next, 150); play.textContent = on ? "❚❚ Pause" : "▶ Train"; }
at.addEventListener("input", () => { run(false); go(Number(at.value)); });
play.addEventListener("click", () => { if (!timer && at.value === at.max) go(0); run(!timer); });
