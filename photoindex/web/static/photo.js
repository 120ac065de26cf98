// One photo: correcting it in place, with undo, and the keys.

import { api, edit, intoAlbum, inTurn, keepUp, leave, load, localise, ofEdit, onKey, readOnly, remember, toast, undo } from "./app.js";
import { setZoomed, sharpen } from "./closely.js";
import { reset as shrink, showAgain } from "./pinch.js";

const GONE = 404; // the status of the page of a photo that is not there any more
const stage = () => document.getElementById("photo");
const id = () => Number(stage().dataset.id);
const find = (selector) => stage().querySelector(selector);

let loading = null; // how the newest load is ended
let shown = Promise.resolve(); // when what the newest load brings is shown
let came = null; // what the last one brought

/** What a state of the page says; a search's own name for what it found is another each time. */
const said = (part) => part.innerHTML.replace(/\bset=[\w-]+/g, "");

/** Show this page again. Of several loads the newest counts, and those before it are done when it is. */
function show({ quiet = false } = {}) {
  loading?.abort();
  const mine = new AbortController();
  loading = mine;
  const isShown = (page) => {
    const fresh = page.getElementById("photo"), text = said(fresh);
    const isSame = quiet && text === came;
    came = text;
    if (isSame) stage().dataset.revision = fresh.dataset.revision;
    return isSame;
  };
  shown = load(location.href.split("#")[0], ["photo"], { signal: mine.signal, again: true, arrange, keep: keepLook, isShown })
    .catch((error) => (error.name === "AbortError" ? shown : failed(error, quiet)));
  return shown;
}

let isGone = false; // from the library, which was said

function failed({ status, message }, quiet) {
  if (quiet && (isGone || status !== GONE)) return; // what nobody asked for may come later
  isGone = quiet;
  toast(message, { bad: true });
}

const reload = () => show();

/** Remember how the picture is looked at; what is returned has the next state of the page show it so. */
function keepLook() {
  const picture = find("#picture"), { scrollLeft, scrollTop } = find("#canvas");
  const isZoomed = find("#canvas").matches(".zoomed");
  return () => {
    const canvas = find("#canvas"), fresh = find("#picture");
    picture.alt = fresh.alt;
    fresh.replaceWith(picture); // as large and as sharp as it is
    setZoomed(canvas, isZoomed);
    canvas.scrollTo(scrollLeft, scrollTop);
    showAgain();
  };
}

function arrange() {
  localise(stage());
  markFound();
  find("#zoom").hidden = false;
  if (readOnly) return;
  for (const button of stage().querySelectorAll("button:disabled")) button.disabled = false;
  for (const part of ["#edit", "#tagger", "#albumadder"]) find(part).hidden = false;
}

// The marks around lines of text lie where the picture is, however large it is shown.
function markFound() {
  const marks = find("#found"), picture = find("#picture");
  if (!marks) return;
  const place = () => {
    for (const [side, value] of [["left", "offsetLeft"], ["top", "offsetTop"], ["width", "offsetWidth"], ["height", "offsetHeight"]])
      marks.style[side] = `${picture[value]}px`;
  };
  new ResizeObserver(place).observe(picture);
  new ResizeObserver(place).observe(picture.parentElement);
}

function openEditor() {
  if (readOnly) return;
  const editor = find("#editor");
  const words = find("#words");
  if (!editor.hidden) { // with what is half written
    words.focus();
    return;
  }
  editor.hidden = false;
  words.value = find("#caption").textContent === "No caption yet" ? "" : find("#caption").textContent;
  words.focus();
  words.select();
}

function closeEditor() {
  const editor = find("#editor");
  const wrote = editor.contains(document.activeElement);
  editor.hidden = true;
  editor.reset();
  find("#unsaved").textContent = "";
  if (wrote) find("#edit")?.focus();
}

function say(caption) {
  if (caption && !readOnly) edit({ ids: [id()], caption }, "Caption changed", reload);
}

let saving = false;

/** Save what is written. The editor stays open until the server has it, and keeps what was written since. */
async function save() {
  const caption = find("#words").value.trim();
  if (!caption || saving || readOnly) return;
  saving = true;
  const stored = () => { if (find("#words").value.trim() === caption) closeEditor(); };
  const refused = (error) => { find("#unsaved").textContent = `Not saved: ${error.message}`; };
  await edit({ ids: [id()], caption }, "Caption changed", reload, { stored, refused });
  saving = false;
}

/** Take away what was typed into a field and is stored, unless something else is there by now. */
function taken(field, text) {
  if (find(field).value.trim() === text) find(field).value = "";
}

const one = () => ({ ids: [id()] });
const stars = () => Number(find("#marks").dataset.rating);
const isOn = (selector) => find(selector).getAttribute("aria-pressed") === "true";

// These go by what is shown, and so wait for one another: keys are pressed faster than the page is shown again.

function rate(to) {
  return inTurn(() => {
    const rating = to();
    if (readOnly || rating < -1 || rating > 5) return null;
    return edit({ ...one(), rating }, rating > 0 ? "★".repeat(rating) : rating < 0 ? "Rejected" : "No stars", reload);
  });
}

function toggle(name, button, [turnedOn, turnedOff]) {
  if (readOnly) return null;
  return inTurn(() => edit({ ...one(), [name]: !isOn(button) }, isOn(button) ? turnedOff : turnedOn, reload));
}

const favourite = () => toggle("favourite", "#favourite", ["Favourite", "No longer a favourite"]);
const hide = () => toggle("hidden", "#hide", ["Hidden from timeline and searches", "Shown again"]);

function undoable(text, undoing) {
  remember(undoing);
  toast(text, { undo: () => undo(undoing, reload) });
}

async function putIntoAlbum(name) {
  try {
    await intoAlbum(name, one(), reload);
    taken("#albumname", name);
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await reload();
}

async function takeFromAlbum(album, name) {
  try {
    const { changed } = await api(`albums/${album}`, { method: "POST", body: one() });
    if (changed) undoable(`Taken out of “${name}”`, { path: "albums/fill", body: { name, ...one() } });
    else toast(`It is not in “${name}” any more`);
  } catch (error) {
    toast(error.message, { bad: true });
  }
  await reload();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !stage().contains(button)) {
    if (event.target.closest("#canvas")) zoom(event);
    return;
  }
  const { caption, untag, undo: name } = button.dataset;
  if (button.id === "edit") openEditor();
  else if (button.id === "cancel") closeEditor();
  else if (caption) say(caption);
  else if (untag) edit({ ids: [id()], untags: [untag] }, `Took away “${untag}”`, reload);
  else if (name) undo(ofEdit(name), reload);
  else if (button.id === "zoom") zoom();
  else if (button.id === "favourite") favourite();
  else if (button.id === "hide") hide();
  else if (button.dataset.album) takeFromAlbum(button.dataset.album, button.dataset.name);
  else if (button.dataset.rating) {
    const rating = Number(button.dataset.rating);
    rate(() => rating);
  }
});

document.addEventListener("submit", (event) => {
  if (!stage().contains(event.target)) return;
  event.preventDefault();
  if (event.target.id === "editor") save();
  if (event.target.id === "albumadder") {
    const name = find("#albumname").value.trim();
    if (name) putIntoAlbum(name);
  }
  if (event.target.id === "tagger") {
    const tag = find("#tag").value.trim();
    if (tag) edit({ ids: [id()], tags: [tag] }, `Tagged “${tag}”`, reload, { stored: () => taken("#tag", tag) });
  }
});

stage().parentElement.addEventListener("keydown", (event) => {
  if (event.target.id === "words" && event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    save();
  }
  if (event.target.id === "words" && event.key === "Escape") closeEditor();
});

/** How wide the picture is with a pixel of the photo to one of the screen. */
function ownWidth() {
  const picture = find("#picture");
  return Number(picture.getAttribute("width") ?? picture.naturalWidth) / devicePixelRatio;
}

/** Show the picture at 100 %, around where the event was, or else as it fits; no smaller than that. */
function zoom(event) {
  if (shrink()) return;
  const canvas = find("#canvas"), picture = find("#picture");
  const fits = picture.getBoundingClientRect().width;
  const zoomed = !canvas.matches(".zoomed");
  setZoomed(canvas, zoomed);
  picture.style.width = zoomed ? `${Math.max(ownWidth(), fits)}px` : "";
  if (!zoomed) return;
  sharpen(picture);
  const box = canvas.getBoundingClientRect();
  const isPlace = event?.clientX !== undefined; // keys and the button mean the middle
  const [across, down] = isPlace ? [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height] : [0.5, 0.5];
  canvas.scrollLeft = across * (canvas.scrollWidth - box.width);
  canvas.scrollTop = down * (canvas.scrollHeight - box.height);
}

// A finger that goes to the left or right over the whole picture goes to the photo after or before.

const SWIPE = 60; // pixels
let began = null;

document.addEventListener("touchstart", (event) => {
  const [finger] = event.touches;
  const canvas = event.target.closest("#canvas");
  const zoomed = canvas?.matches(".zoomed, .enlarged") || (window.visualViewport?.scale ?? 1) > 1;
  began = canvas && !zoomed && event.touches.length === 1 ? [finger.clientX, finger.clientY] : null;
}, { passive: true });
document.addEventListener("touchend", (event) => {
  const [finger] = event.changedTouches;
  if (!began || event.touches.length) return;
  const [x, y] = [finger.clientX - began[0], finger.clientY - began[1]];
  began = null;
  if (Math.abs(x) < SWIPE || Math.abs(x) < 2 * Math.abs(y)) return;
  step(find(x < 0 ? ".next" : ".prev"));
}, { passive: true });

// From photo to photo no page is left behind: Back leads to the list that the first one was opened from.
const step = (link) => { if (link.href) leave(link.href, { instead: true }); };

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.step");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  step(link);
});

function goBack() {
  // Where the browser cannot tell, the page before may be another site's.
  if (window.navigation?.canGoBack ?? history.length > 1) history.back();
  else leave(stage().dataset.list);
}

onKey("e", (event) => { event.preventDefault(); openEditor(); });
onKey("z", () => zoom());
onKey("f", (event) => { if (!event.repeat) favourite(); });
onKey("h", (event) => { if (!event.repeat) hide(); });
onKey("+", () => rate(() => stars() + 1));
onKey("-", () => rate(() => stars() - 1));
onKey("s", () => leave(find("#similar").href));

// The arrows move a picture at 100 %, of which the screen shows a part.
const MOVE = 0.25; // of what is shown
for (const [key, x, y, link] of [["ArrowLeft", -1, 0, ".prev"], ["ArrowRight", 1, 0, ".next"], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]]) {
  onKey(key, (event) => {
    const canvas = find("#canvas");
    if (canvas.matches(".zoomed")) {
      event.preventDefault();
      canvas.scrollBy(x * MOVE * canvas.clientWidth, y * MOVE * canvas.clientHeight);
    } else if (link) step(find(link));
  });
}
onKey("Escape", () => { if (find("#canvas").matches(".zoomed, .enlarged")) zoom(); else goBack(); });
onKey("reload", reload);
for (const number of ["1", "2", "3"]) {
  onKey(number, () => say(stage().querySelectorAll(".candidates button")[Number(number) - 1]?.dataset.caption));
}

keepUp(stage, () => show({ quiet: true }));
arrange();
if (location.hash === "#edit") openEditor();
// The next picture is there when it is wanted.
const next = find(".next")?.href;
if (next) {
  const hint = document.createElement("link");
  hint.rel = "prefetch";
  hint.href = next;
  document.head.append(hint);
}
