// A finger that rests on something: what a mouse's other button, or a key, is to those who have one.

const REST = 500; // milliseconds
const STILL = 10; // pixels that a resting finger moves
const EDGE = 90; // pixels from what lies over the page's upper and lower end, within which the page is moved
const SPEED = 0.25; // pixels a frame for each of them

/**
 * Call `act` with what a finger rests on, within an element and where `isWanted` says so. The touch does nothing else; when
 * the finger goes on, `pass` is called with what it comes to, and the page moves where it comes near an end.
 */
export function onLongPress(within, isWanted, act, pass) {
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

  let finger = null; // where it is, while it goes on
  let frame = 0;

  const follow = () => {
    pass(document.elementFromPoint(...finger));
    const { top, bottom } = free();
    const [above, below] = [finger[1] - top, bottom - finger[1]];
    const by = above < EDGE ? above - EDGE : below < EDGE ? EDGE - below : 0;
    if (!by) return;
    const before = scrollY;
    scrollBy(0, by * SPEED);
    if (scrollY !== before) frame = requestAnimationFrame(follow);
  };
  const stop = () => {
    cancelAnimationFrame(frame);
    finger = null;
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
  within.addEventListener("touchmove", (event) => {
    if (!acted || event.touches.length > 1) return;
    event.preventDefault(); // the page does not move with the finger
    finger = [event.touches[0].clientX, event.touches[0].clientY];
    cancelAnimationFrame(frame);
    follow();
  }, { passive: false });
  for (const name of ["touchend", "touchcancel"]) addEventListener(name, stop, { passive: true });
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

/** The part of the window, from top to bottom, where nothing lies over the page. */
function free() {
  const { scrollPaddingTop, scrollPaddingBottom } = getComputedStyle(document.documentElement);
  return { top: parseFloat(scrollPaddingTop), bottom: innerHeight - parseFloat(scrollPaddingBottom) };
}
