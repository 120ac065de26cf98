// Two fingers enlarge a picture, and one moves it while it is enlarged. The wheel with Ctrl, which is what a trackpad
// sends for two fingers, enlarges it as well.

import { setZoomed, sharpen } from "./closely.js";

const MOST = 8; // times as large as the picture is shown at first
const LEAST = 1.02; // below it the picture is as it was

let scale = 1;
let [x, y] = [0, 0]; // of the picture's corner, in pixels of the canvas
let fingers = null; // where they were: their middle, and how far apart they are

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const canvasOf = (event) => event.target.closest?.("#canvas");

/** Show the picture at its scale, so that no edge of the canvas comes into sight. */
function place(canvas) {
  x = clamp(x, canvas.clientWidth * (1 - scale), 0);
  y = clamp(y, canvas.clientHeight * (1 - scale), 0);
  canvas.classList.toggle("enlarged", scale > 1);
  const picture = canvas.querySelector("img");
  for (const part of canvas.children) { // the picture, and marks that lie where it does
    part.style.transformOrigin = `${-picture.offsetLeft}px ${-picture.offsetTop}px`;
    part.style.transform = scale > 1 ? `translate(${x}px, ${y}px) scale(${scale})` : "";
  }
  sharpen(picture);
}

function enlarge(canvas, factor, atX, atY) {
  const wanted = clamp(scale * factor, 1, MOST);
  x = atX - ((atX - x) * wanted) / scale;
  y = atY - ((atY - y) * wanted) / scale;
  scale = wanted;
  place(canvas);
}

/** Have a canvas that took the place of another, or has another size now, show its picture as before. */
export function showAgain() {
  const canvas = document.getElementById("canvas");
  if (scale > 1 && canvas) place(canvas);
}

addEventListener("resize", showAgain);

/** Show the picture as it was; returns whether it was enlarged. */
export function reset() {
  const was = scale > 1;
  [scale, x, y] = [1, 0, 0];
  const canvas = document.getElementById("canvas");
  if (was && canvas) place(canvas);
  return was;
}

function placeOf(canvas, touches) {
  const edge = canvas.getBoundingClientRect();
  const [one, other] = [touches[0], touches[touches.length > 1 ? 1 : 0]];
  return {
    count: Math.min(touches.length, 2),
    x: (one.clientX + other.clientX) / 2 - edge.left,
    y: (one.clientY + other.clientY) / 2 - edge.top,
    apart: Math.max(Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY), 1),
  };
}

function follow(event) {
  const canvas = canvasOf(event);
  if (canvas && event.touches.length > 1) setZoomed(canvas, false);
  const isWanted = canvas && (event.touches.length > 1 || (event.touches.length === 1 && scale > 1));
  fingers = isWanted ? placeOf(canvas, event.touches) : null;
  if (!event.touches.length && scale < LEAST) reset();
}

for (const name of ["touchstart", "touchend", "touchcancel"]) addEventListener(name, follow, { passive: true });
addEventListener("touchmove", (event) => {
  const canvas = canvasOf(event);
  if (!fingers || !canvas) return;
  event.preventDefault(); // neither the page nor the browser's own zoom moves
  const now = placeOf(canvas, event.touches);
  if (now.count === fingers.count) {
    [x, y] = [x + now.x - fingers.x, y + now.y - fingers.y];
    enlarge(canvas, now.count > 1 ? now.apart / fingers.apart : 1, now.x, now.y);
  }
  fingers = now;
}, { passive: false });

addEventListener("wheel", (event) => {
  const canvas = canvasOf(event);
  if (!canvas || !event.ctrlKey) return;
  event.preventDefault();
  setZoomed(canvas, false);
  const edge = canvas.getBoundingClientRect();
  enlarge(canvas, 2 ** clamp(-event.deltaY / 120, -1, 1), event.clientX - edge.left, event.clientY - edge.top);
}, { passive: false });
