// Rows of photos: every photo keeps its shape, every full row has the width of the page. One pass over typed arrays,
// so that a million photos take some tens of milliseconds.

const HEADING = 48; // pixels, where nothing else is said
const SQUARE = 128;
const STEPS = 48;

const RATIOS = Float32Array.from({ length: 256 }, (_, shape) => 2 ** ((shape - SQUARE) / STEPS));

/** Width to height of a shape, kept within what a row can show. */
export function ratio(shape) {
  return Math.min(Math.max(RATIOS[shape], 0.4), 3.2);
}

/**
 * Lay out photos, given by the bytes of their shapes and by days: [{day, photos}], each with so high a heading.
 * Gives rows by columns: top, height, first photo, number of photos (0: the heading of day `first`).
 */
export function pack(shapes, days, width, target, gap, heading = HEADING) {
  let size = Math.max(64, Math.ceil(shapes.length / 2) + 2 * days.length + 1);
  const layout = {
    top: new Float64Array(size), height: new Float32Array(size), first: new Int32Array(size), count: new Int32Array(size),
    rows: 0, total: 0,
  };
  let top = 0;
  let photo = 0;
  const add = (height, first, count) => {
    if (layout.rows === size) {
      size *= 2;
      for (const name of ["top", "height", "first", "count"]) {
        const larger = new layout[name].constructor(size);
        larger.set(layout[name]);
        layout[name] = larger;
      }
    }
    layout.top[layout.rows] = top;
    layout.height[layout.rows] = height;
    layout.first[layout.rows] = first;
    layout.count[layout.rows] = count;
    layout.rows += 1;
    top += height + (count ? gap : 0);
  };
  for (let day = 0; day < days.length; day += 1) {
    add(heading, day, 0);
    const end = photo + days[day].photos;
    let before = target; // a last row that is not full is no taller than the one above it
    while (photo < end) {
      let sum = 0;
      let next = photo;
      while (next < end) {
        sum += ratio(shapes[next]);
        next += 1;
        if (sum * target + gap * (next - photo - 1) >= width) break;
      }
      const full = sum * target + gap * (next - photo - 1) >= width;
      const height = full ? (width - gap * (next - photo - 1)) / sum : Math.min(target, before);
      before = height;
      add(height, photo, next - photo);
      photo = next;
    }
    top += 10;
  }
  layout.total = top;
  return layout;
}

/** The last row that begins at or above a height. */
export function rowAt(layout, height) {
  let low = 0;
  let high = layout.rows - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (layout.top[middle] <= height) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The row that a photo is in. */
export function rowOf(layout, photo) {
  let low = 0;
  let high = layout.rows - 1;
  // Headings stand between rows of photos; their `first` is a day, so the search looks at the next row of photos.
  while (low < high) {
    const middle = (low + high) >> 1;
    let probe = middle;
    while (probe < layout.rows && layout.count[probe] === 0) probe += 1;
    if (probe >= layout.rows || layout.first[probe] + layout.count[probe] > photo) high = middle;
    else low = probe + 1;
  }
  while (low < layout.rows - 1 && layout.count[low] === 0) low += 1;
  return low;
}
