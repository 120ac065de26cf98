// The photo's own pixels, for who looks closely: they take the place of those for a screen when a picture is shown larger
// than it is there.

import { toast } from "./app.js";

const ENOUGH = 1.02; // pixels of the screen for one of the picture

/** Show a picture at 100 %, in a part that keys can move, or as it fits; its button says which. */
export function setZoomed(canvas, zoomed) {
  canvas.classList.toggle("zoomed", zoomed);
  canvas.tabIndex = zoomed ? 0 : -1;
  document.getElementById("zoom").setAttribute("aria-pressed", zoomed);
}

/** Have a picture show the photo's own pixels, if it is shown so large that it needs them. */
export function sharpen(picture) {
  const { full } = picture.dataset;
  const shown = picture.getBoundingClientRect().width * devicePixelRatio;
  if (!full || picture.dataset.sharp || shown <= picture.naturalWidth * ENOUGH) return;
  picture.dataset.sharp = "asked";
  const canvas = picture.parentElement;
  canvas.setAttribute("aria-busy", "true");
  const loaded = new Image();
  loaded.src = full;
  loaded.decode().then(() => {
    picture.src = full; // which the browser has: nothing is seen of the change
    picture.dataset.sharp = "yes";
  }).catch(() => {
    delete picture.dataset.sharp; // the next zoom asks again
    if (picture.isConnected) toast("The photo’s own pixels could not be had: this is a smaller picture", { bad: true });
  }).finally(() => canvas.removeAttribute("aria-busy"));
}
