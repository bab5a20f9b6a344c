// Formulas, live explorers, and small helps for keyboards. No page asks another server for anything.
"use strict";

function drawFormulas() {
  for (const element of document.querySelectorAll(".math")) {
    const displayMode = element.classList.contains("display");
    katex.render(element.textContent, element, { displayMode, throwOnError: false, strict: false });
  }
}

// An explorer is loaded when it comes near the view. On a touch screen a finger first scrolls past it: a tap begins.
function load(place) {
  const frame = document.createElement("iframe");
  frame.src = place.dataset.page;
  frame.title = place.dataset.title;
  frame.setAttribute("sandbox", "allow-scripts");
  place.prepend(frame);
  if (matchMedia("(pointer: coarse)").matches) cover(place);
}

function cover(place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "begin";
  button.innerHTML = "<span></span>";
  button.firstChild.textContent = place.dataset.begin;
  button.addEventListener("click", () => (button.hidden = true));
  place.prepend(button);
  new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) button.hidden = false;
  }).observe(place);
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

// On a phone a wide picture would become too small to read: it keeps half of its width, and scrolls.
function keepPicturesReadable() {
  for (const picture of document.querySelectorAll("img.output")) {
    picture.style.minWidth = `${picture.getAttribute("width") / 2}px`;
  }
}

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
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

document.addEventListener("DOMContentLoaded", () => {
  drawFormulas();
  watchExplorers();
  keepPicturesReadable();
  openToKeys();
  openFold();
  document.addEventListener("toggle", openToKeys, true);
  addEventListener("resize", openToKeys);
  addEventListener("hashchange", openFold);
  document.documentElement.dataset.ready = "";
});
