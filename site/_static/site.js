// Formulas, live explorers, and small helps for keyboards. No page asks another server for anything.
"use strict";

function drawFormulas() {
  for (const element of document.querySelectorAll(".math")) {
    katex.render(element.textContent, element, { displayMode: element.classList.contains("display") });
  }
}

// An explorer is loaded when it comes near the view.
function load(place) {
  const frame = document.createElement("iframe");
  frame.src = place.dataset.page;
  frame.title = place.dataset.title;
  frame.setAttribute("sandbox", "allow-scripts");
  place.prepend(frame);
}

function watchExplorers() {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      load(entry.target);
    }
  }, { rootMargin: "300px" });
  document.querySelectorAll(".explorer").forEach((place) => seen.observe(place));
}

// The page of an explorer says how high it is; it grows with its frame, so only a real need makes the frame higher.
addEventListener("message", (event) => {
  const height = event.data && event.data.explorerHeight;
  const frame = [...document.querySelectorAll(".explorer iframe")].find((one) => one.contentWindow === event.source);
  if (frame && Number.isFinite(height) && height > frame.clientHeight) frame.style.height = `${Math.ceil(height) + 2}px`;
});

// Who has no mouse must be able to scroll what is too wide.
function openToKeys() {
  for (const element of document.querySelectorAll("pre, .table-wrapper, .math.display")) {
    if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
  }
}

// A link to a place within a fold opens the fold.
function openFold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = target && target.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
  if (target) target.scrollIntoView();
}

// From a USB stick a browser reads no other file, so the search shows titles without excerpts.
if (location.protocol === "file:" && window.DOCUMENTATION_OPTIONS) DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

document.addEventListener("DOMContentLoaded", () => {
  drawFormulas();
  watchExplorers();
  openToKeys();
  openFold();
  document.addEventListener("toggle", openToKeys, true);
  addEventListener("resize", openToKeys);
  addEventListener("hashchange", openFold);
  document.documentElement.dataset.ready = "";
});
