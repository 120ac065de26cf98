// The timeline: all photos in one page, of which only the rows on the screen exist.

import { letChoose, markOne, stepping } from "./choose.js";
import { api, dayName, load, make, onChange, onKey, root, toast } from "./app.js";
import { pack, ratio, rowAt, rowOf } from "./pack.js";

const OVERSCAN = 700; // pixels above and below the screen
const CHUNK = 120; // photos asked for at once
const KEPT_CHUNKS = 60;
const TALLEST = 12_000_000; // pixels; browsers know no element much taller
const PLACES = 2; // named beside a day
const CALM = 110; // milliseconds without scrolling, after which pictures are asked for
const FILTERS = ["folder", "camera", "person", "place", "rating"];

const place = document.getElementById("timeline");
const years = document.querySelector(".years");
const pill = document.getElementById("fresh");
const shown = new Map(); // row -> element
const chunks = new Map(); // first photo -> columns, or a promise of them
let library = null; // {revision, total, days, shapes}
let layout = null;
let headingHeight = 0; // pixels: as high as the text of a reader who has it larger needs it
let offset = 0; // what is at the top of the screen, in the layout
let lastScroll = 0;
let flies = false;
let calmed = 0;
let waiting = null; // a newer library, not shown yet
let seen = 0; // photos that there were when the first ones were looked at; what came since is new

const narrow = () => innerWidth <= 720;
const gap = () => (narrow() ? 3 : 6);
const target = () => (narrow() ? 118 : innerWidth > 1800 ? 230 : 196);
const screenTop = () => place.getBoundingClientRect().top + scrollY;
const stretch = () => Math.max(0, layout.total - innerHeight);
const travel = () => Math.max(1, place.offsetHeight - innerHeight);

/** What an address narrows the timeline to. */
function narrowedBy(url) {
  const asked = new URL(url, location.href).searchParams;
  return new URLSearchParams(FILTERS.filter((name) => asked.get(name)).map((name) => [name, asked.get(name)]));
}

/** The address of a part of a timeline, as narrowed, of the state that is known of it. */
const partOf = ({ filter, revision }, part) => `timeline/${part}?${new URLSearchParams([...filter, ["revision", revision]])}`;

/** Ask for the days and shapes of all photos; with `head`, for the first photos too, which are most likely shown. */
async function fetchLibrary(url = location.href, { signal, head = false } = {}) {
  const filter = narrowedBy(url);
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const found = { ...(await api(`timeline?${filter}`, { signal })), filter };
    const first = head && found.total ? api(partOf(found, `0-${Math.min(CHUNK, found.total)}`)) : null;
    first?.catch(() => {}); // whoever shows it hears of it
    const answer = await fetch(`${root}/api/v1/${partOf(found, "shapes")}`, { signal });
    if (answer.ok) return { ...found, first, shapes: new Uint8Array(await answer.arrayBuffer()) };
  }
  throw new Error("the timeline changes too fast");
}

function show(found, photo = null, within = 0) {
  library = { ...found, suffix: found.filter.size ? `?${found.filter}` : "" };
  chunks.clear();
  if (found.first) ask(0, found.first);
  relayout(photo, within);
}

function relayout(photo = null, within = 0) {
  const giveBack = holdFocus();
  headingHeight = heightOfHeading();
  layout = pack(library.shapes, library.days, place.clientWidth, target(), gap(), headingHeight);
  for (const element of shown.values()) element.remove();
  shown.clear();
  place.style.height = `${Math.min(layout.total, TALLEST)}px`;
  layoutYears();
  if (photo !== null) jumpTo(layout.top[rowOf(layout, photo)] - within);
  else sync();
  giveBack();
}

function heightOfHeading() {
  const tried = make("h2", { class: "dayname" }, "0");
  place.append(tried);
  const { offsetHeight } = tried;
  tried.remove();
  return offsetHeight;
}

/** What one looks at: the first photo on the screen, and how far below the top its row is. */
function lookedAt() {
  if (!library.total) return [null, 0];
  let row = rowAt(layout, offset);
  while (!layout.count[row]) row += 1; // behind each heading is a row of photos
  return [layout.first[row], layout.top[row] - offset];
}

/** The same by the photo's day and its number within that, which hold for another state of the library as well. */
function lookedAtByDay() {
  const [photo, within] = lookedAt();
  return photo === null ? null : byDay(photo, within);
}

function byDay(photo, within = 0) {
  let [at, number] = [0, photo]; // the day's place among all, the photo's number within it
  while (number >= library.days[at].photos) {
    number -= library.days[at].photos;
    at += 1;
  }
  return { day: library.days[at].day, number, within };
}

/** What was looked at, by day, as `lookedAt` has it, in another state of the library. */
function placeIn(fresh, looked) {
  if (!looked || !fresh.total) return [null, 0];
  const { day, number, within } = looked;
  let first = 0;
  for (const each of fresh.days) {
    if (each.day === day) return [first + Math.min(number, each.photos - 1), within];
    if (day !== null && (each.day === null || each.day < day)) break; // that day has no photos any more
    first += each.photos;
  }
  return [Math.min(first, fresh.total - 1), within];
}

/** The link of the photo that an element belongs to. */
const linkIn = (element) => (place.contains(element) ? element.closest("li")?.querySelector("a[data-photo]") : null);

const linkOf = (photo) => place.querySelector(`a[data-photo="${photo}"]`);

/** Focus what `find` returns, once it does. */
function focusOnce(find, tries = 20) {
  const link = find();
  if (link) link.focus({ preventScroll: true });
  else if (tries) setTimeout(() => { if (document.activeElement === document.body) focusOnce(find, tries - 1); }, 50);
}

/** Remember which photo has the focus; what is returned gives it to the same one, or the one in its place. */
function holdFocus() {
  const had = linkIn(document.activeElement);
  if (!had) return () => {};
  const photo = Number(had.dataset.photo);
  const same = () => [...place.querySelectorAll("a[data-photo]")].find((link) => link.pathname === had.pathname);
  const isFilled = () => [...shown.values()].every((row) => row.dataset.filled || !row.matches(".row"));
  const near = () => isFilled() && (linkOf(Math.min(photo, library.total - 1)) ?? document.getElementById("main"));
  return () => focusOnce(() => same() ?? near());
}

// ---- scrolling

function jumpTo(height) {
  // Below the last row is some room, into which one scrolls as well.
  const room = Math.max(0, document.documentElement.scrollHeight - innerHeight - screenTop());
  offset = Math.min(Math.max(height, 0), layout.total > TALLEST ? stretch() : room);
  const wanted = screenTop() + (layout.total > TALLEST ? (offset / stretch()) * travel() : offset);
  scrollTo(0, wanted < screenTop() + 1 && offset === 0 ? 0 : wanted);
  lastScroll = scrollY;
  render();
}

function sync() {
  const scrolled = scrollY - screenTop();
  if (layout.total <= TALLEST) offset = scrolled;
  else {
    const moved = scrollY - lastScroll;
    // A small step moves as far as on any page; a large one is a jump to a share of the whole.
    if (Math.abs(moved) < 3 * innerHeight && scrolled > 0 && scrolled < travel()) offset += moved;
    else offset = (Math.min(Math.max(scrolled, 0), travel()) / travel()) * stretch();
    offset = Math.min(Math.max(offset, 0), stretch());
  }
  lastScroll = scrollY;
  render();
}

addEventListener("scroll", () => {
  if (!layout) return;
  flies = Math.abs(scrollY - lastScroll) > 1.5 * innerHeight;
  years?.classList.add("moving");
  clearTimeout(calmed);
  calmed = setTimeout(() => {
    flies = false;
    years?.classList.remove("moving");
    render();
  }, CALM);
  sync();
}, { passive: true });

let width = 0;
new ResizeObserver(() => {
  if (!layout || place.clientWidth === width) return;
  width = place.clientWidth;
  relayout(...(offset > 0 ? lookedAt() : []));
}).observe(place);

// ---- drawing

function render() {
  const from = rowAt(layout, offset - OVERSCAN);
  const shift = layout.total > TALLEST ? scrollY - screenTop() - offset : 0;
  const end = offset + innerHeight + OVERSCAN;
  const wanted = new Set();
  for (let row = from; row < layout.rows && layout.top[row] < end; row += 1) wanted.add(row);
  for (const [row, element] of shown) {
    if (!wanted.has(row) && !element.contains(document.activeElement)) {
      element.remove();
      shown.delete(row);
    }
  }
  let before = null;
  for (const row of wanted) {
    let element = shown.get(row);
    if (!element) {
      element = layout.count[row] ? photoRow(row) : heading(row);
      shown.set(row, element);
      if (before) before.after(element);
      else place.prepend(element);
    }
    element.style.transform = `translateY(${layout.top[row] + shift}px)`;
    if (!flies && layout.count[row]) fill(row, element);
    else if (!layout.count[row]) namePlaces(row, element);
    before = element;
  }
  moveThumb();
}

function heading(row) {
  const { day } = library.days[layout.first[row]];
  return make("h2", { class: "dayname" }, make("time", day ? { datetime: day } : {}, dayName(day)));
}

/** Name the places of a day beside it, most photos first, by those of its photos that are known. */
function namePlaces(row, element) {
  const { photos } = library.days[layout.first[row]];
  const first = layout.first[row + 1];
  const chunk = chunks.get(first - (first % CHUNK));
  if (element.dataset.named || !chunk || chunk instanceof Promise) return;
  element.dataset.named = "yes";
  const counts = new Map();
  for (const name of chunk.place.slice(first % CHUNK, (first % CHUNK) + photos)) {
    if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const names = [...counts].sort((one, other) => other[1] - one[1]).slice(0, PLACES).map(([name]) => name);
  if (names.length) element.append(make("span", { class: "soft", dir: "auto" }, names.join(" · ")));
}

function photoRow(row) {
  const made = make("ul", { class: "row" });
  made.style.height = `${layout.height[row]}px`;
  let left = 0;
  for (let number = 0; number < layout.count[row]; number += 1) {
    const wide = ratio(library.shapes[layout.first[row] + number]) * layout.height[row];
    const item = make("li");
    item.style.left = `${left}px`;
    item.style.width = `${wide}px`;
    left += wide + gap();
    made.append(item);
  }
  return made;
}

function fill(row, element) {
  if (element.dataset.filled) return;
  const first = layout.first[row];
  const columns = new Map();
  for (let photo = first; photo < first + layout.count[row]; photo += 1) {
    const start = photo - (photo % CHUNK);
    const chunk = chunks.get(start);
    if (!chunk) ask(start);
    if (!chunk || chunk instanceof Promise) return;
    columns.set(photo, chunk);
  }
  element.dataset.filled = "yes";
  for (let number = 0; number < element.children.length; number += 1) {
    const photo = first + number;
    const chunk = columns.get(photo);
    const at = photo % CHUNK;
    const size = layout.height[row] * devicePixelRatio > 300 ? 480 : 240;
    const item = element.children[number];
    item.dataset.id = chunk.ids[at];
    item.replaceChildren(
      ...(chunk.favourite[at] ? [make("span", { class: "loved", role: "img", "aria-label": "favourite" }, "♥")] : []),
      make("a", { href: `${root}/photo/${chunk.ids[at]}${library.suffix}`, "data-photo": photo },
        make("img", { src: `${root}/api/v1/t/${chunk.hash[at]}-${size}.jpg`, alt: chunk.alt[at], decoding: "async",
          error: retry })));
    markOne(item);
  }
}

/** A picture that the server had no time for is asked for once more. */
function retry(event) {
  const picture = event.target;
  if (picture.dataset.again) return;
  picture.dataset.again = "yes";
  setTimeout(() => { if (picture.isConnected) picture.src = `${picture.src}?again`; }, 1500);
}

function ask(start, given = null) {
  const asked = library;
  const answer = (given ?? api(partOf(asked, `${start}-${Math.min(CHUNK, asked.total - start)}`)))
    .then((found) => {
      if (library !== asked) return;
      chunks.set(start, found);
      while (chunks.size > KEPT_CHUNKS) chunks.delete(chunks.keys().next().value);
      render();
    })
    .catch((error) => {
      if (library !== asked) return;
      chunks.delete(start);
      if (error.status === 409) refresh({ wanted: true }).catch(() => {});
    });
  chunks.set(start, answer);
}

// ---- years

const thumb = make("span", { class: "thumb", "data-label": "" });

function layoutYears() {
  if (!years) return;
  years.classList.add("live");
  years.append(thumb);
  const tall = years.clientHeight;
  const line = Math.max(22, 1.7 * parseFloat(getComputedStyle(years).fontSize)); // pixels to a year
  let last = -100;
  for (const link of years.querySelectorAll("a")) {
    const photo = Math.min(Number(link.dataset.row), library.total - 1);
    const top = (layout.top[rowOf(layout, photo)] / Math.max(1, layout.total)) * tall;
    link.parentElement.style.top = `${Math.max(12, top)}px`;
    link.parentElement.hidden = top - last < line;
    if (top - last >= line) last = top;
  }
}

function dayAt(height) {
  let row = rowAt(layout, height);
  while (row > 0 && layout.count[row]) row -= 1;
  return library.days[layout.first[row]]?.day ?? null;
}

function moveThumb() {
  if (!years) return;
  thumb.style.top = `${(offset / Math.max(1, stretch())) * 100}%`;
  const day = dayAt(offset + headingHeight);
  thumb.dataset.label = day
    ? new Date(`${day}T12:00:00`).toLocaleDateString(undefined, { month: "long", year: "numeric" }) : "Without a date";
}

function drag(event) {
  const box = years.getBoundingClientRect();
  flies = true;
  jumpTo(((event.clientY - box.top) / box.height) * layout.total);
}

years?.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || !layout) return;
  event.preventDefault();
  jumpTo(layout.top[rowOf(layout, Math.min(Number(link.dataset.row), library.total - 1))] - headingHeight);
});
years?.addEventListener("pointerdown", (event) => {
  if (!layout || event.target.closest("a")) return;
  years.setPointerCapture(event.pointerId);
  years.classList.add("dragging");
  drag(event);
});
years?.addEventListener("pointermove", (event) => {
  if (years.classList.contains("dragging")) drag(event);
});
for (const name of ["pointerup", "pointercancel"]) {
  years?.addEventListener(name, () => {
    years.classList.remove("dragging");
    flies = false;
    if (layout) render();
  });
}

// ---- keys: the arrows go from photo to photo

place.addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const from = linkIn(event.target);
  if (!from || !(event.key in steps || event.key === "ArrowDown" || event.key === "ArrowUp")) return;
  event.preventDefault();
  const photo = Number(from.dataset.photo);
  let to = photo + (steps[event.key] ?? 0);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const row = rowOf(layout, photo);
    to = event.key === "ArrowDown" ? layout.first[row] + layout.count[row] : layout.first[row] - 1;
  }
  if (to >= 0 && to < library.total) stepping(() => goTo(to))(event);
});

/** Give a photo the focus; returns its id, if it is known. */
function goTo(photo) {
  const row = rowOf(layout, photo);
  if (layout.top[row] < offset + 80) jumpTo(layout.top[row] - 120);
  else if (layout.top[row] + layout.height[row] > offset + innerHeight - 100) {
    jumpTo(layout.top[row] + layout.height[row] - innerHeight + 160);
  }
  focusOnce(() => linkOf(photo));
  return chunkOf(photo)?.ids[photo % CHUNK];
}

// ---- choosing photos

const ASKED = 500; // photos of a range, at once
const NEAR = 100; // photos before and behind the place where one is looked for
let begun = null; // where ranges begin: a photo's day, and its number within it

/** What is known of the photos around one. */
function chunkOf(photo) {
  const chunk = chunks.get(photo - (photo % CHUNK));
  return chunk instanceof Promise ? undefined : chunk;
}

/** The place of a photo among those that are known. */
function knownPlace(id) {
  for (const [start, chunk] of chunks) {
    const at = chunk instanceof Promise ? -1 : chunk.ids.indexOf(id);
    if (at >= 0) return start + at;
  }
  return null;
}

async function idsOf(first, count) {
  const ids = [];
  for (let start = first; start < first + count; start += ASKED) {
    const part = await api(partOf(library, `${start}-${Math.min(ASKED, first + count - start)}`));
    for (const id of part.ids) ids.push(id);
  }
  return ids;
}

/** The place of a photo that was on a day: others may have come before it. */
async function placeOfNoted(id, day) {
  const known = knownPlace(id);
  if (known !== null || !day) return known;
  const first = Math.max(0, placeIn(library, day)[0] - NEAR);
  const at = (await idsOf(first, Math.min(2 * NEAR, library.total - first))).indexOf(id);
  return at < 0 ? null : first + at;
}

const noted = (id) => {
  const at = knownPlace(id);
  return at === null ? null : byDay(at);
};

async function between(one, other, otherDay = noted(other), again = true) {
  const narrowed = String(library.filter);
  try {
    const ends = [await placeOfNoted(one, begun), await placeOfNoted(other, otherDay)];
    if (ends.includes(null)) return [other];
    const first = Math.min(...ends);
    return await idsOf(first, Math.max(...ends) - first + 1);
  } catch (error) {
    if (error.status !== 409 || !again) throw error;
    await refresh({ wanted: true }); // photos came or went meanwhile
    return String(library.filter) === narrowed ? between(one, other, otherDay, false) : [other];
  }
}

function note(id) {
  begun = noted(id);
}

// ---- keeping up

// What the page says beside the photos: what it can be narrowed to, and the years.
const beside = (url, options) => load(url, ["narrowing", "yearlist"], options);

/**
 * Take over what the library is now. Where the first photos are looked at, it is shown at once; elsewhere what is new is
 * counted, and shown when someone asks for it, or when photos are `wanted` that only the new state has.
 */
async function refresh({ wanted = false } = {}) {
  const fresh = await fetchLibrary();
  const isOther = () => String(fresh.filter) !== String(narrowedBy(location.href)); // it was narrowed meanwhile
  if (isOther() || fresh.revision === library.revision) return;
  const isFirst = offset < innerHeight / 2;
  if (isFirst || fresh.total < seen) seen = fresh.total;
  pill.textContent = `${(fresh.total - seen).toLocaleString()} new`;
  pill.hidden = fresh.total === seen;
  if (!wanted && !pill.hidden) {
    waiting = fresh;
    return;
  }
  await beside(location.href, { again: true }).catch(() => {});
  if (isOther()) return;
  waiting = null;
  show(fresh, ...(isFirst ? [] : placeIn(fresh, lookedAtByDay())));
}

pill?.addEventListener("click", async () => {
  if (document.activeElement === pill) document.getElementById("main").focus({ preventScroll: true });
  pill.hidden = true;
  const fresh = waiting ?? library;
  waiting = null;
  seen = fresh.total;
  await beside(location.href, { again: true }).catch(() => {});
  show(fresh);
  jumpTo(0);
});

/** Ask once more for what the server did not give while it was away. */
function askAgain() {
  for (const picture of place.querySelectorAll("img")) {
    if (!picture.complete || picture.naturalWidth) continue;
    const { src } = picture;
    picture.src = src;
  }
  render();
}

onChange(({ revision, opened }) => {
  if (!library) return;
  if (revision !== (waiting ?? library).revision) refresh().catch(() => {});
  if (opened) askAgain();
});

// ---- where one was, by address: a page that is loaded again, or gone back to, begins there

let address = location.href; // of what is shown

const nameOf = (url) => `timeline ${new URL(url, location.href).search}`;

function keepPlace() {
  if (!layout) return;
  if (offset > 0) sessionStorage.setItem(nameOf(address), JSON.stringify(lookedAtByDay()));
  else sessionStorage.removeItem(nameOf(address));
}

const keptPlace = (url) => JSON.parse(sessionStorage.getItem(nameOf(url)));

addEventListener("pagehide", keepPlace);
addEventListener("visibilitychange", keepPlace); // of a page in the background not even its end may be told

// ---- narrowing

let narrowing = null;

async function narrowTo(url, { push = true } = {}) {
  narrowing?.abort();
  const mine = new AbortController();
  narrowing = mine;
  delete place.dataset.ready;
  keepPlace();
  if (push) history.pushState(null, "", url);
  try {
    const [fresh] = await Promise.all([fetchLibrary(url, { signal: mine.signal, head: true }), beside(url, { signal: mine.signal })]);
    waiting = null;
    seen = fresh.total;
    pill.hidden = true;
    address = new URL(url, location.href).href;
    const [photo, within] = push ? [null, 0] : placeIn(fresh, keptPlace(address));
    show(fresh, photo, within);
    if (photo === null) jumpTo(0);
    place.dataset.ready = "yes";
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { bad: true });
  }
}

function narrowByForm() {
  const form = document.getElementById("narrow");
  const filter = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  narrowTo(filter.size ? `${root}/?${filter}` : `${root}/`);
}

document.addEventListener("change", (event) => { if (event.target.form?.id === "narrow") narrowByForm(); });
document.addEventListener("submit", (event) => {
  if (event.target.id !== "narrow") return;
  event.preventDefault();
  document.getElementById("filters").open = false;
  document.querySelector("#filters summary").focus();
  narrowByForm();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("#narrowing a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  narrowTo(link.href).then(() => document.querySelector("#filters summary").focus());
});
addEventListener("popstate", () => {
  // Also said of a link within the page, such as the one to its content.
  if (place.dataset.ready && String(narrowedBy(location.href)) === String(library.filter)) return;
  narrowTo(location.href, { push: false });
});
onKey("f", (event) => {
  event.preventDefault();
  document.getElementById("filters").open = true;
  document.querySelector("#narrow select, #narrow button").focus();
});

// ---- beginning

const reload = () => refresh({ wanted: true });
onKey("reload", reload);
letChoose({ reload, within: "#timeline li[data-id]", link: "a", between, note });

history.scrollRestoration = "manual";
const came = performance.getEntriesByType("navigation")[0]?.type;
const kept = ["reload", "back_forward"].includes(came) ? keptPlace(location.href) : null;
const asked = Number(place.dataset.first);
const found = await fetchLibrary(location.href, { head: !asked && !kept });
document.querySelector(".pager").remove();
place.replaceChildren();
place.classList.add("live");
width = place.clientWidth;
seen = found.total;
show(found, ...placeIn(found, kept));
if (asked && !kept) jumpTo(layout.top[rowOf(layout, Math.min(asked, found.total - 1))] - headingHeight);
place.dataset.ready = "yes";
