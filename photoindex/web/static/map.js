// The map: land from a file of the gallery's own, drawn on a canvas, and over it links to the photos of each place.
// Degrees are drawn as they are (equirectangular), narrower by the cosine of the latitude in the middle.

import { api, make, onChange, root, toast } from "./app.js";

const map = document.getElementById("map");
const canvas = document.getElementById("land");
const spots = document.getElementById("spots");
const here = document.getElementById("here");
const CELL = 84; // pixels to a cluster
const CLOSEST = 400_000; // pixels to a degree
const STEP = 80; // pixels of an arrow key
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let land = null; // a Path2D in degrees, north negative
const view = { longitude: 0, latitude: 20, scale: 1 }; // the middle, and pixels to a degree of latitude
let found = [];
let asking = null;
let timer = 0;

const across = () => Math.max(0.25, Math.cos((view.latitude * Math.PI) / 180)) * view.scale; // pixels to a degree of longitude
const least = () => Math.min(map.clientWidth / 360, map.clientHeight / 150);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const at = (longitude, latitude) => [
  (longitude - view.longitude) * across() + map.clientWidth / 2, (view.latitude - latitude) * view.scale + map.clientHeight / 2,
];

function box() {
  const wide = map.clientWidth / 2 / across();
  const tall = map.clientHeight / 2 / view.scale;
  return [
    clamp(view.longitude - wide, -180, 180), clamp(view.latitude - tall, -90, 90),
    clamp(view.longitude + wide, -180, 180), clamp(view.latitude + tall, -90, 90),
  ];
}

const boxText = (degrees) => degrees.map((each) => each.toFixed(5)).join(",");
const placeOf = (degrees) => `${root}/search?q=${encodeURIComponent(`bbox:${boxText(degrees)}`)}&sort=newest`;

/** Show another part, so that what is at a point of the map stays there when it is zoomed. */
function show(longitude, latitude, scale, ask = true) {
  view.scale = clamp(scale, least(), CLOSEST);
  view.latitude = clamp(latitude, -85, 85);
  view.longitude = clamp(longitude, -180, 180);
  draw();
  if (!ask) return;
  clearTimeout(timer);
  timer = setTimeout(fetchSpots, 90);
  history.replaceState(null, "", `#${view.longitude.toFixed(5)},${view.latitude.toFixed(5)},${view.scale.toFixed(3)}`);
  here.href = placeOf(box());
}

function draw() {
  const context = canvas.getContext("2d");
  const ratio = devicePixelRatio;
  const [wide, tall] = [map.clientWidth, map.clientHeight];
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(tall * ratio)) {
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
  }
  const colours = getComputedStyle(map);
  const [x, y] = at(0, 0);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(across() * ratio, 0, 0, view.scale * ratio, x * ratio, y * ratio);
  context.lineWidth = 1 / view.scale;
  context.strokeStyle = colours.getPropertyValue("--line");
  context.beginPath();
  const step = [30, 10, 5, 1, 0.5, 0.1, 0.05, 0.01].find((each) => each * view.scale < 260) ?? 0.005;
  const [west, south, east, north] = box();
  for (let line = Math.floor(west / step) * step; line <= east; line += step) { context.moveTo(line, -north); context.lineTo(line, -south); }
  for (let line = Math.floor(south / step) * step; line <= north; line += step) { context.moveTo(west, -line); context.lineTo(east, -line); }
  context.stroke();
  if (land) {
    context.save();
    context.beginPath();
    context.rect(-180, -90, 360, 180); // a coast that crosses the date line goes on beyond it
    context.clip();
    context.fillStyle = colours.getPropertyValue("--land");
    context.strokeStyle = colours.getPropertyValue("--line-strong");
    context.fill(land);
    context.stroke(land);
    context.restore();
  }
  for (const spot of found) {
    const [left, top] = at(spot.longitude, spot.latitude);
    spot.element.style.transform = `translate(${left}px, ${top}px) translate(-50%, -50%)`;
  }
}

async function fetchSpots() {
  asking?.abort();
  asking = new AbortController();
  try {
    const cells = clamp(Math.round(map.clientWidth / CELL), 2, 64);
    const { items, photos } = await api(`map?box=${boxText(box())}&across=${cells}`, { signal: asking.signal });
    const focused = document.activeElement?.dataset?.spot;
    found = items.map((item) => ({ ...item, element: spotOf(item) }));
    spots.replaceChildren(...found.map(({ element }) => element));
    if (focused) ([...spots.children].find((each) => each.dataset.spot === focused) ?? map).focus({ preventScroll: true });
    here.textContent = `Show the ${photos.toLocaleString()} of this view`;
    here.hidden = !photos;
    draw();
    map.dataset.ready = "yes";
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { bad: true });
  }
}

function spotOf(item) {
  const text = item.photos === 1 ? "1 photo" : `${item.photos.toLocaleString()} photos`;
  const where = `${item.latitude.toFixed(2)}, ${item.longitude.toFixed(2)}`;
  return make("a", {
    class: "spot", href: item.photos === 1 ? `${root}/photo/${item.id}` : placeOf(item.box), "data-spot": String(item.id),
    "aria-label": `${text} at ${where}`, click: (event) => follow(event, item),
  }, make("img", { src: item.thumb, alt: "", decoding: "async" }), make("span", {}, item.photos.toLocaleString()));
}

/** A group that is spread out is looked at from nearer; one that is not, or a single photo, is opened. */
function follow(event, item) {
  const [west, south, east, north] = item.box;
  const spread = Math.max((east - west) * across(), (north - south) * view.scale);
  if (dragged) event.preventDefault();
  if (dragged || item.photos === 1 || spread < 4 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const closer = Math.min((0.6 * map.clientWidth) / Math.max(east - west, 1e-5), (0.6 * map.clientHeight) / Math.max(north - south, 1e-5));
  show((west + east) / 2, (south + north) / 2, clamp(closer, view.scale * 2, view.scale * 16));
  map.focus({ preventScroll: true });
}

function zoom(factor, x = map.clientWidth / 2, y = map.clientHeight / 2) {
  const longitude = view.longitude + (x - map.clientWidth / 2) / across();
  const latitude = view.latitude - (y - map.clientHeight / 2) / view.scale;
  const scale = clamp(view.scale * factor, least(), CLOSEST);
  const by = view.scale / scale;
  show(longitude - (longitude - view.longitude) * by, latitude - (latitude - view.latitude) * by, scale);
}

const world = () => show(0, 20, least());
const move = (x, y) => show(view.longitude + x / across(), view.latitude - y / view.scale, view.scale);

// ---- pointers: one drags, two zoom

const pointers = new Map();
let dragged = false;

map.addEventListener("pointerdown", (event) => {
  if (event.target.closest(".mapbuttons")) return;
  if (!pointers.size) dragged = false;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
});
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const [x, y] = [event.clientX - before[0], event.clientY - before[1]];
  if (!dragged && Math.hypot(x, y) < 5) return;
  if (!dragged) map.setPointerCapture(event.pointerId);
  dragged = true;
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (other) {
    const edge = map.getBoundingClientRect();
    const [was, is] = [Math.hypot(before[0] - other[0], before[1] - other[1]), Math.hypot(event.clientX - other[0], event.clientY - other[1])];
    zoom(is / Math.max(was, 1), (event.clientX + other[0]) / 2 - edge.left, (event.clientY + other[1]) / 2 - edge.top);
  } else move(-x, -y);
});
for (const name of ["pointerup", "pointercancel"]) {
  addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) setTimeout(() => { dragged = false; });
  });
}
map.addEventListener("dragstart", (event) => event.preventDefault());
map.addEventListener("wheel", (event) => {
  event.preventDefault();
  const edge = map.getBoundingClientRect();
  zoom(2 ** clamp(-event.deltaY / 240, -1, 1), event.clientX - edge.left, event.clientY - edge.top);
}, { passive: false });
map.addEventListener("dblclick", (event) => {
  if (event.target.closest(".mapbuttons")) return;
  const edge = map.getBoundingClientRect();
  zoom(2, event.clientX - edge.left, event.clientY - edge.top);
});
map.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-zoom]");
  if (!button) return;
  if (Number(button.dataset.zoom)) zoom(Number(button.dataset.zoom));
  else world();
});
map.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    ArrowLeft: () => move(-STEP, 0), ArrowRight: () => move(STEP, 0), ArrowUp: () => move(0, -STEP), ArrowDown: () => move(0, STEP),
    "+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(0.5), 0: world,
  };
  if (!(event.key in acts)) return;
  event.preventDefault();
  acts[event.key]();
});

// ---- beginning

async function loadLand() {
  const { scale, rings } = await (await fetch(map.dataset.land)).json();
  land = new Path2D();
  for (const ring of rings) {
    let [x, y] = [0, 0];
    for (let place = 0; place < ring.length; place += 2) {
      x += ring[place];
      y += ring[place + 1];
      if (place) land.lineTo(x / scale, -y / scale);
      else land.moveTo(x / scale, -y / scale);
    }
    land.closePath();
  }
  draw();
}

map.hidden = false;
if (calm.matches) map.classList.add("calm");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
new ResizeObserver(() => show(view.longitude, view.latitude, view.scale)).observe(map);
const [longitude, latitude, scale] = location.hash.slice(1).split(",").map(Number);
if (scale > 0) show(longitude, latitude, scale);
else world();
loadLand().catch(() => {}); // there are photos without it
onChange(({ opened }) => {
  if (opened && !land) loadLand().catch(() => {});
  clearTimeout(timer);
  timer = setTimeout(fetchSpots, 90);
});
