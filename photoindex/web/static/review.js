// Review by keyboard: y right, w wrong, 1 2 3 another caption, e write one, t tag, l later, k go on without a word.

import { edit, leave, onKey, readOnly, root } from "./app.js";

const place = document.getElementById("review");

if (place) {
  const id = Number(place.dataset.id);
  const find = (selector) => place.querySelector(selector);

  const goOn = () => {
    const next = new URL(`${root}/review`, location.href);
    next.searchParams.set("queue", place.dataset.queue);
    if (place.dataset.query) next.searchParams.set("q", place.dataset.query);
    if (place.dataset.next) next.searchParams.set("id", place.dataset.next);
    leave(next, { instead: true });
  };

  let said = false; // one verdict a photo: what comes before the next one is shown is meant for none

  const say = async (change, text) => {
    if (readOnly || said) return;
    said = true;
    const made = await edit({ ids: [id], ...change }, text);
    if (made) goOn();
    else said = false;
  };

  const open = (form, field) => {
    if (readOnly) return;
    find(form).hidden = false;
    find(field).focus();
  };

  const acts = {
    right: () => say({ lock: true }, "Kept"),
    edit: () => { find("#words").value = find("#caption").textContent; open("#editor", "#words"); find("#words").select(); },
    tag: () => open("#tagger", "#tag"),
    wrong: () => say({ review: "wrong" }, "Called wrong"),
    later: () => say({ review: "later" }, "Put off"),
    skip: goOn,
  };

  place.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.do) acts[button.dataset.do]();
    else if (button?.dataset.caption) say({ caption: button.dataset.caption }, "Caption changed");
  });
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    const [words, tag] = [find("#words").value.trim(), find("#tag").value.trim()];
    if (event.target.id === "editor" && words) say({ caption: words }, "Caption changed");
    if (event.target.id === "tagger" && tag) edit({ ids: [id], tags: [tag] }, `Tagged “${tag}”`, null, {
      stored: () => { find("#tag").value = ""; find("[data-do=tag]").focus(); find("#tagger").hidden = true; },
    });
  });
  place.addEventListener("keydown", (event) => {
    if (event.target.id === "words" && event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });

  onKey("y", acts.right);
  onKey("e", (event) => { event.preventDefault(); acts.edit(); });
  onKey("t", (event) => { event.preventDefault(); acts.tag(); });
  onKey("w", acts.wrong);
  onKey("l", acts.later);
  onKey("k", goOn);
  for (const number of ["1", "2", "3"]) {
    onKey(number, () => {
      const caption = place.querySelectorAll(".candidates button")[Number(number) - 1]?.dataset.caption;
      if (caption) say({ caption }, "Caption changed");
    });
  }
  place.dataset.ready = "yes";
}
