// A finger that rests on something: what a mouse's other button, or a key, is to those who have one.

const REST = 500; // milliseconds
const STILL = 10; // pixels that a resting finger moves

/** Call `act` with what a finger rests on, within an element and where `isWanted` says so. The touch does nothing else. */
export function onLongPress(within, isWanted, act) {
  let timer = 0;
  let at = null; // where the finger rests, until it has rested long enough, moves or is lifted
  let target = null;
  let acted = false; // by the touch that goes on, or was the last one

  const end = () => {
    clearTimeout(timer);
    at = null;
  };
  const rested = () => {
    if (!at) return;
    end();
    acted = true;
    act(target);
  };

  within.addEventListener("pointerdown", (event) => {
    end();
    acted = false;
    if (event.pointerType !== "touch" || !event.isPrimary || !isWanted(event.target)) return;
    [at, target] = [[event.clientX, event.clientY], event.target];
    timer = setTimeout(rested, REST);
  });
  addEventListener("pointermove", (event) => {
    if (at && Math.hypot(event.clientX - at[0], event.clientY - at[1]) > STILL) end();
  }, { passive: true });
  for (const name of ["pointerup", "pointercancel", "scroll"]) addEventListener(name, end, { passive: true });
  // A browser offers its menu, or to drag the picture, for the same; some of them before that time is over.
  for (const name of ["contextmenu", "dragstart"]) {
    within.addEventListener(name, (event) => {
      if (!at && !acted) return;
      event.preventDefault();
      rested();
    });
  }
  within.addEventListener("click", (event) => { // of the finger that is lifted
    if (!acted) return;
    acted = false;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true });
}
