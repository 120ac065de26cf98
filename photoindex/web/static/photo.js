// One photo: correcting it in place, with undo, and the keys.

import { edit, load, localise, onKey, readOnly, toast, undo } from "./app.js";

const stage = () => document.getElementById("photo");
const id = () => Number(stage().dataset.id);
const find = (selector) => stage().querySelector(selector);

function reload() {
  return load(location.href.split("#")[0], ["photo"]).then(arrange).catch((error) => toast(error.message, { bad: true }));
}

function arrange() {
  localise(stage());
  if (readOnly) return;
  for (const button of stage().querySelectorAll("button:disabled")) button.disabled = false;
  for (const part of ["#edit", "#tagger"]) find(part).hidden = false;
}

function openEditor() {
  if (readOnly) return;
  const editor = find("#editor");
  editor.hidden = false;
  const words = find("#words");
  words.value = find("#caption").textContent === "No caption yet" ? "" : find("#caption").textContent;
  words.focus();
  words.select();
}

function closeEditor() {
  find("#editor").hidden = true;
  find("#edit")?.focus();
}

function say(caption) {
  if (!caption || readOnly) return;
  find("#caption").textContent = caption; // before it is stored; what the server says comes behind
  find("#editor").hidden = true;
  edit({ ids: [id()], caption }, "Caption changed", reload);
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
  else if (name) undo(name, reload);
});

document.addEventListener("submit", (event) => {
  if (!stage().contains(event.target)) return;
  event.preventDefault();
  if (event.target.id === "editor") say(find("#words").value.trim());
  if (event.target.id === "tagger") {
    const tag = find("#tag").value.trim();
    if (tag) edit({ ids: [id()], tags: [tag] }, `Tagged “${tag}”`, reload).then(() => find("#tag").focus());
  }
});

stage().parentElement.addEventListener("keydown", (event) => {
  if (event.target.id === "words" && event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    say(event.target.value.trim());
  }
  if (event.target.id === "words" && event.key === "Escape") closeEditor();
});

function zoom(event) {
  const canvas = find("#canvas");
  const zoomed = canvas.classList.toggle("zoomed");
  if (zoomed && event?.clientX !== undefined) {
    const box = canvas.getBoundingClientRect();
    canvas.scrollLeft = ((event.clientX - box.left) / box.width) * (canvas.scrollWidth - box.width);
    canvas.scrollTop = ((event.clientY - box.top) / box.height) * (canvas.scrollHeight - box.height);
  }
}

const follow = (selector) => () => { const link = find(selector); if (link?.href) location.href = link.href; };
onKey("e", (event) => { event.preventDefault(); openEditor(); });
onKey("z", () => zoom());
onKey("s", follow("#similar"));
onKey("ArrowLeft", follow(".prev"));
onKey("ArrowRight", follow(".next"));
onKey("Escape", () => { if (find("#canvas").classList.contains("zoomed")) zoom(); else history.back(); });
onKey("reload", reload);
for (const number of ["1", "2", "3"]) {
  onKey(number, () => say(stage().querySelectorAll(".candidates button")[Number(number) - 1]?.dataset.caption));
}

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
