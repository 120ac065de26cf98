// Similar photos: some of them can be chosen.

import { letChoose, letWalk, mark } from "./choose.js";
import { keepUp, load, localise, onKey, toast } from "./app.js";

function reload() {
  return load(location.href, ["live"], { again: true, arrange }).catch((error) => toast(error.message, { bad: true }));
}

function arrange() {
  localise(document.getElementById("live"));
  mark();
}

onKey("reload", reload);
keepUp(() => document.getElementById("live"), () => {
  if (scrollY < 200) return load(location.href, ["live"], { again: true, arrange }).catch(() => {});
  return null;
});
letWalk();
letChoose({ reload });
