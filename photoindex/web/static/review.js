// Review by keyboard: y right, w wrong, 1 2 3 another caption, e write one, t tag, l later, k go on without a word.

import { edit, keepUp, leave, load, onKey, readOnly, root, toast } from "./app.js";

const place = () => document.getElementById("review");

if (place()) {
  const id = Number(place().dataset.id);
  const find = (selector) => place().querySelector(selector);

  const address = (photo) => {
    const { queue, query } = place().dataset;
    const url = new URL(`${root}/review`, location.href);
    url.searchParams.set("queue", queue);
    if (query) url.searchParams.set("q", query);
    if (photo) url.searchParams.set("id", photo);
    return url;
  };

  const goOn = () => leave(address(place().dataset.next), { instead: true });

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

  const correct = () => {
    const isOpen = !find("#editor").hidden; // with what is half written
    if (!isOpen) find("#words").value = find("#caption").textContent;
    open("#editor", "#words");
    if (!isOpen) find("#words").select();
  };

  const acts = {
    right: () => say({ lock: true }, "Kept"),
    edit: correct,
    tag: () => open("#tagger", "#tag"),
    wrong: () => say({ review: "wrong" }, "Called wrong"),
    later: () => say({ review: "later" }, "Put off"),
    skip: goOn,
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#review button");
    if (button?.dataset.do) acts[button.dataset.do]();
    else if (button?.dataset.caption) say({ caption: button.dataset.caption }, "Caption changed");
  });
  document.addEventListener("submit", (event) => {
    if (!place().contains(event.target)) return;
    event.preventDefault();
    const [words, tag] = [find("#words").value.trim(), find("#tag").value.trim()];
    if (event.target.id === "editor" && words) say({ caption: words }, "Caption changed");
    if (event.target.id === "tagger" && tag) edit({ ids: [id], tags: [tag] }, `Tagged “${tag}”`, null, {
      stored: () => { find("#tag").value = ""; find("[data-do=tag]").focus(); find("#tagger").hidden = true; },
    });
  });
  document.addEventListener("keydown", (event) => {
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
      const caption = place().querySelectorAll(".candidates button")[Number(number) - 1]?.dataset.caption;
      if (caption) say({ caption }, "Caption changed");
    });
  }

  // What is shown is what a verdict is of: it keeps up with what others say of the photo.

  let isReviewed = false; // by others, which was said

  const keepPicture = () => {
    const picture = find("img");
    return () => {
      const fresh = find("img");
      picture.alt = fresh.alt;
      fresh.replaceWith(picture);
    };
  };

  /** Whether a state of the page shows another photo, as this one was reviewed elsewhere: nobody is led away from it. */
  const isAnother = (page) => {
    const fresh = page.getElementById("review");
    if (Number(fresh?.dataset.id) === id) return false;
    if (!isReviewed) toast("This photo was reviewed elsewhere, or is gone: skip it");
    isReviewed = true;
    return true;
  };

  const arrange = () => { place().dataset.ready = "yes"; };
  const isShown = (page) => said || isAnother(page);
  keepUp(place, () => load(address(id), ["review"], { again: true, arrange, keep: keepPicture, isShown }).catch(() => {}));
  arrange();
}
