"use strict";
// A click on a picture plays its sound; one sound at a time.
let current = null;
for (const card of document.querySelectorAll(".sound")) {
  const audio = card.querySelector("audio");
  if (!audio) { continue; }
  card.querySelector("button").addEventListener("click", () => {
    if (audio.paused) { audio.currentTime = 0; audio.play(); } else { audio.pause(); }
  });
  audio.addEventListener("play", () => {
    if (current && current !== audio) { current.pause(); }
    current = audio;
    card.classList.add("playing");
  });
  for (const event of ["pause", "ended"]) {
    audio.addEventListener(event, () => card.classList.remove("playing"));
  }
}
