// Choosing some of the photos of a list, by x, the box on each or a long press, or as a range with Shift or a finger, and
// acting on them together.

import { api, edit, intoAlbum, make, onChange, onKey, readOnly, toast } from "./app.js";
import { onLongPress } from "./press.js";

const chosen = new Set(); // ids, also of photos that are not on the screen
const hiddenOnes = new Set(); // ids of photos that were hidden when a list showed them, or when they were chosen
let from = null; // the id of the photo that a range begins at: the last one that was chosen by itself
let end = null; // the id of the photo that the last range goes to
let ranged = new Set(); // those that the last range added: the next one from the same photo takes their place
let asked = 0; // ranges that were asked for: of two that are on their way the later one counts
let list = null;

const count = () => (chosen.size === 1 ? "1 photo" : `${chosen.size.toLocaleString()} photos`);
const field = () => bar.elements.word;
const said = make("output", {});
const bar = make("form", { class: "choosing", "aria-label": "Chosen photos", hidden: true, submit: act },
  said,
  make("label", { class: "hidden", for: "choosing-word" }, "Tag or album"),
  make("input", { id: "choosing-word", name: "word", maxlength: "200", placeholder: "Tag or album", autocomplete: "off", dir: "auto" }),
  make("button", { class: "button", value: "tag" }, "Tag"),
  make("button", { class: "button", value: "album" }, "Add to album"),
  make("button", { class: "button", value: "favourite" }, "Favourite"),
  make("button", { class: "button", value: "hide" }, "Hide"),
  make("button", { class: "button", type: "button", click: clear }, "Clear"));

let acts = false; // what was asked for is on its way

async function act(event) {
  event.preventDefault();
  if (acts) return;
  acts = true;
  try {
    await actBy(event);
  } finally {
    acts = false;
  }
}

async function actBy(event) {
  const ids = [...chosen];
  const word = field().value.trim();
  const what = event.submitter?.value ?? "tag";
  if (!word && (what === "tag" || what === "album")) {
    field().focus();
    return;
  }
  const text = count();
  // They stay chosen, and the word stays written, until the server has it.
  if (what === "tag") await edit({ ids, tags: [word] }, `Tagged ${text} “${word}”`, list.reload, { stored: clear });
  if (what === "favourite") await edit({ ids, favourite: true }, `${text}: favourite`, list.reload, { stored: clear });
  if (what === "hide") await edit({ ids, hidden: true }, `${text} hidden`, list.reload, { stored: clear });
  if (what === "album") await addToAlbum(word, ids);
}

async function addToAlbum(name, ids) {
  try {
    await intoAlbum(name, { ids }, list.reload);
    clear();
  } catch (error) {
    toast(error.message, { bad: true });
  }
}

function show() {
  bar.hidden = !chosen.size;
  said.textContent = `${count()} chosen`;
  document.body.classList.toggle("chooses", chosen.size > 0);
}

function clear() {
  const first = bar.contains(document.activeElement) && list.items().find((item) => chosen.has(idOf(item)));
  chosen.clear();
  [from, end] = [null, null];
  asked += 1;
  field().value = "";
  if (first) list.linkOf(first).focus(); // the bar, which had it, is hidden
  else if (first !== false) document.getElementById("main").focus({ preventScroll: true });
  mark();
}

const idOf = (item) => Number(item.dataset.id);

/** Give each photo of the list its box, checked where the photo is chosen. */
export function mark() {
  if (readOnly || !list) return;
  for (const item of list.items()) markOne(item);
  show();
}

/** Give one photo of the list its box. */
export function markOne(item) {
  if (readOnly || !list) return;
  let box = item.querySelector(".choose");
  if (!box) {
    const name = item.querySelector("img")?.alt || "a photo without a caption";
    box = make("input", { type: "checkbox", class: "choose", "aria-label": `Choose ${name}` });
    item.prepend(box);
  }
  box.checked = chosen.has(idOf(item));
  if (box.checked) return;
  if ("hidden" in item.dataset) hiddenOnes.add(idOf(item));
  else hiddenOnes.delete(idOf(item));
}

/** Let photos go that are removed, hidden or shown again by now, by another page or program. */
async function letGo() {
  const had = [...chosen];
  if (!had.length) return;
  const { items, hidden } = await api("photos/present", { method: "POST", body: { ids: had } });
  const isHidden = new Set(hidden);
  const stays = new Set(items.filter((id) => isHidden.has(id) === hiddenOnes.has(id)));
  const gone = had.filter((id) => !stays.has(id) && chosen.delete(id));
  for (const id of gone) ranged.delete(id);
  if (!chosen.size) clear();
  else if (gone.length) mark();
}

/** Let ranges begin at a photo. */
function begin(id) {
  asked += 1; // a range that is on its way came before
  [from, end] = [id, id];
  ranged = new Set();
  list.note(id);
  mark();
}

function toggle(item) {
  if (!item || readOnly) return;
  const id = idOf(item);
  if (!chosen.delete(id)) chosen.add(id);
  begin(id);
}

/** Choose all from the photo that was chosen last to this one, instead of what the last range from there had. */
async function chooseTo(id) {
  if (from === null) {
    chosen.add(id);
    begin(id);
    return;
  }
  asked += 1;
  end = id;
  const mine = asked;
  try {
    const ids = await list.between(from, id);
    if (mine !== asked) return;
    for (const each of ranged) chosen.delete(each);
    ranged = new Set(ids.filter((each) => !chosen.has(each)));
    for (const each of ids) chosen.add(each);
  } catch (error) {
    toast(error.message, { bad: true });
  }
  mark(); // also a box that was clicked
}

/** Have a key go on by `step`, which returns the id of the photo it went to; with Shift it chooses what it passes. */
export const stepping = (step) => async (event) => {
  const item = event.shiftKey && !readOnly ? list.itemOf(document.activeElement) : null;
  if (item && idOf(item) !== end) { // the range from elsewhere does not go on here
    chosen.add(idOf(item));
    begin(idOf(item));
  }
  const next = await step();
  if (item && next) await chooseTo(next);
};

let pressed = null; // the id of the photo that a finger rested on
let passed = null; // the id of the one that it came to since

/** Choose a photo that a finger rests on: where one was chosen before, all up to there. */
function press(target) {
  pressed = idOf(list.itemOf(target));
  passed = pressed;
  if (chosen.has(from) && !chosen.has(pressed)) {
    chooseTo(pressed);
    return;
  }
  chosen.add(pressed);
  begin(pressed);
}

/** Choose what a finger passes that rested on a photo, and goes on from there. */
function pass(target) {
  const item = list.itemOf(target);
  if (!item || idOf(item) === passed) return;
  if (from !== pressed) { // it was to be all from there, and not up to there
    for (const each of ranged) chosen.delete(each);
    chosen.add(pressed);
    begin(pressed);
  }
  passed = idOf(item);
  chooseTo(passed);
}

/** Whether something is what opens a photo. */
function isPicture(target) {
  const item = list.itemOf(target);
  return Boolean(item && list.linkOf(item)?.contains(target));
}

function clicked(event) {
  const item = list.itemOf(event.target);
  if (!item || event.button || event.ctrlKey || event.metaKey || event.altKey) return;
  const isBox = event.target.matches(".choose");
  if (event.shiftKey && (isBox || chosen.size)) {
    if (!isBox) event.preventDefault(); // of a link: another window
    event.stopPropagation();
    chooseTo(idOf(item));
  } else if (isBox) toggle(item);
  else if (event.pointerType === "touch" && chosen.size && isPicture(event.target)) {
    event.preventDefault(); // who has begun to choose by finger goes on so
    event.stopPropagation();
    toggle(item);
  }
}

/**
 * Let photos be chosen on this page. Its list: `items` are the elements of the photos that are there, each `within` such
 * a one, with its id in `data-id` and a link; `between` gives the ids from one photo to another, both included, and may
 * ask for them; `note` is told where ranges begin; `reload` loads the list again.
 */
export function letChoose({ reload, within = ".hit", link = ".picture", between = betweenHits, note = () => {} }) {
  const items = () => [...document.querySelectorAll(within)];
  const itemOf = (element) => element?.closest?.(within) ?? null;
  list = { items, itemOf, linkOf: (item) => item.querySelector(link), between, note, reload };
  if (readOnly) return;
  const main = document.getElementById("main");
  main.append(bar);
  main.classList.add("choosable");
  onLongPress(main, isPicture, press, pass); // before a click is heard of: the one that ends it is none
  main.addEventListener("click", clicked, { capture: true });
  onChange(() => letGo().catch(() => {}));
  // Shift and a click would mark text.
  main.addEventListener("mousedown", (event) => { if (event.shiftKey && itemOf(event.target)) event.preventDefault(); });
  onKey("x", () => toggle(itemOf(document.activeElement)));
  onKey("X", () => {
    const item = itemOf(document.activeElement);
    if (item) chooseTo(idOf(item));
  });
  onKey("Escape", () => { if (chosen.size) clear(); });
  mark();
}

// ---- lists of results

function betweenHits(one, other) {
  const ids = list.items().map(idOf);
  const ends = [ids.indexOf(one), ids.indexOf(other)].sort((a, b) => a - b);
  return ends[0] < 0 ? [other] : ids.slice(ends[0], ends[1] + 1); // the first one is on another page of results
}

/** Let the arrows, j and k go from photo to photo of a list of results. */
export function letWalk() {
  const go = (by) => () => {
    const all = list.items();
    const to = all[Math.min(Math.max(all.indexOf(list.itemOf(document.activeElement)) + by, 0), all.length - 1)];
    if (!to) return null;
    list.linkOf(to).focus();
    return idOf(to);
  };
  for (const [key, by] of [["j", 1], ["k", -1], ["ArrowRight", 1], ["ArrowLeft", -1]]) onKey(key, stepping(go(by)));
}
