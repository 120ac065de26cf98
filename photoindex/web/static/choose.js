// Choosing some of the photos of a list, by x or the box on each, and acting on them together.

import { api, edit, intoAlbum, make, onKey, readOnly, toast } from "./app.js";

const chosen = new Set(); // ids, also of photos that are not on the screen
let reload = () => {};

const count = () => (chosen.size === 1 ? "1 photo" : `${chosen.size.toLocaleString()} photos`);
const field = () => bar.elements.word;
const said = make("output", {});
const bar = make("form", { class: "choosing", "aria-label": "Chosen photos", hidden: true, submit: act },
  said,
  make("label", { class: "hidden", for: "choosing-word" }, "Tag or album"),
  make("input", { id: "choosing-word", name: "word", maxlength: "200", placeholder: "Tag or album", autocomplete: "off" }),
  make("button", { class: "button", value: "tag" }, "Tag"),
  make("button", { class: "button", value: "album" }, "Add to album"),
  make("button", { class: "button", value: "favourite" }, "Favourite"),
  make("button", { class: "button", value: "hide" }, "Hide"),
  make("button", { class: "button", type: "button", click: clear }, "Clear"));

async function act(event) {
  event.preventDefault();
  const ids = [...chosen];
  const word = field().value.trim();
  const what = event.submitter?.value ?? "tag";
  if (!word && (what === "tag" || what === "album")) {
    field().focus();
    return;
  }
  const text = count();
  // They stay chosen, and the word stays written, until the server has it.
  if (what === "tag") await edit({ ids, tags: [word] }, `Tagged ${text} “${word}”`, reload, { stored: clear });
  if (what === "favourite") await edit({ ids, favourite: true }, `${text}: favourite`, reload, { stored: clear });
  if (what === "hide") await edit({ ids, hidden: true }, `${text} hidden`, reload, { stored: clear });
  if (what === "album") await addToAlbum(word, ids);
}

async function addToAlbum(name, ids) {
  try {
    await intoAlbum(name, { ids }, reload);
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
  const first = bar.contains(document.activeElement) && document.querySelector(".hit:has(.choose:checked) .picture");
  chosen.clear();
  field().value = "";
  if (first) first.focus(); // the bar, which had it, is hidden
  mark();
}

/** Give each photo of the list its box, checked where the photo is chosen. */
export function mark() {
  if (readOnly) return;
  for (const hit of document.querySelectorAll(".hit")) {
    let box = hit.querySelector(".choose");
    if (!box) {
      const name = hit.querySelector("img")?.alt || "a photo without a caption";
      box = make("input", { type: "checkbox", class: "choose", "aria-label": `Choose ${name}` });
      hit.prepend(box);
    }
    box.checked = chosen.has(Number(hit.dataset.id));
  }
  show();
}

function toggle(hit) {
  if (!hit || readOnly) return;
  const id = Number(hit.dataset.id);
  if (!chosen.delete(id)) chosen.add(id);
  mark();
}

/** Let photos be chosen on this page; `shownAgain` loads its list again. */
export function letChoose(shownAgain) {
  if (readOnly) return;
  reload = shownAgain;
  document.getElementById("main").append(bar);
  document.addEventListener("change", (event) => { if (event.target.matches(".choose")) toggle(event.target.closest(".hit")); });
  onKey("x", () => toggle(document.activeElement?.closest(".hit")));
  mark();
}
