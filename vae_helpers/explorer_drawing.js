// From strokes to an image that is centred and scaled as those of MNIST were.
// The paper is finer than the image: { width, height, ink }, ink from 0 to 1 in each cell, row after row.

const FINE = 5; // cells of the paper along one pixel of the image
const BOX = 20 / 28; // MNIST scales a digit so that its longer side fills so much of the image
const MIDDLE = 0.5; // pixels by which MNIST's centre of mass lies right of the image's middle, and below it

const emptyPaper = (width, height) => ({
  width: width * FINE,
  height: height * FINE,
  ink: new Float32Array(width * height * FINE * FINE),
});

// A line of a round pen, or of a rubber. Places and radius are counted in cells.
function drawLine(paper, [x0, y0], [x1, y1], radius, rubbing) {
  const left = Math.max(0, Math.floor(Math.min(x0, x1) - radius - 1));
  const right = Math.min(paper.width - 1, Math.ceil(Math.max(x0, x1) + radius + 1));
  const top = Math.max(0, Math.floor(Math.min(y0, y1) - radius - 1));
  const bottom = Math.min(paper.height - 1, Math.ceil(Math.max(y0, y1) + radius + 1));
  const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  for (let y = top; y <= bottom; y++)
    for (let x = left; x <= right; x++) {
      const dx = x + 0.5 - x0, dy = y + 0.5 - y0;
      const along = length ? Math.min(Math.max((dx * (x1 - x0) + dy * (y1 - y0)) / length, 0), 1) : 0;
      const distance = Math.hypot(dx - along * (x1 - x0), dy - along * (y1 - y0));
      const cover = Math.min(Math.max(radius + 0.5 - distance, 0), 1); // the pen's edge is soft
      const cell = y * paper.width + x;
      paper.ink[cell] = rubbing ? Math.min(paper.ink[cell], 1 - cover) : Math.max(paper.ink[cell], cover);
    }
}

// A picture of the image's size, laid onto the paper.
function layImage(paper, image) {
  const width = paper.width / FINE;
  paper.ink.forEach((_, cell) => {
    const x = Math.floor((cell % paper.width) / FINE), y = Math.floor(cell / paper.width / FINE);
    paper.ink[cell] = image[y * width + x];
  });
}

// The rectangle of cells that holds all ink, and its centre of mass; null for empty paper.
function findInk(paper) {
  const found = { left: Infinity, right: -1, top: Infinity, bottom: -1 };
  let sum = 0, sumX = 0, sumY = 0;
  paper.ink.forEach((ink, cell) => {
    if (ink < 0.05) return;
    const x = cell % paper.width, y = Math.floor(cell / paper.width);
    found.left = Math.min(found.left, x);
    found.right = Math.max(found.right, x + 1);
    found.top = Math.min(found.top, y);
    found.bottom = Math.max(found.bottom, y + 1);
    sum += ink;
    sumX += ink * (x + 0.5);
    sumY += ink * (y + 0.5);
  });
  return sum ? { ...found, center: [sumX / sum, sumY / sum] } : null;
}

// The image where one pixel is `size` cells wide, and its upper left corner lies at (left, top) of the paper. Each pixel
// is the mean of the ink under it: first along the rows, then along the columns.
function seeThrough(paper, [left, top], size, width, height) {
  const across = weightsOfCells(left, size, width, paper.width), down = weightsOfCells(top, size, height, paper.height);
  const rows = new Float32Array(paper.height * width), image = new Float32Array(height * width);
  for (let y = 0; y < paper.height; y++)
    across.forEach((cells, x) => {
      for (const [cell, weight] of cells) rows[y * width + x] += weight * paper.ink[y * paper.width + cell];
    });
  down.forEach((cells, y) => {
    for (const [cell, weight] of cells)
      for (let x = 0; x < width; x++) image[y * width + x] += weight * rows[cell * width + x];
  });
  return image;
}

// For each of `count` pixels the cells that it covers, with the part that each has in it.
function weightsOfCells(start, size, count, cells) {
  return Array.from({ length: count }, (_, k) => {
    const from = start + k * size, to = from + size, pairs = [];
    for (let cell = Math.max(0, Math.floor(from)); cell < Math.min(cells, to); cell++)
      pairs.push([cell, (Math.min(cell + 1, to) - Math.max(cell, from)) / size]);
    return pairs;
  });
}

// The image as it lies on the paper.
const imageInPlace = (paper, width, height) => seeThrough(paper, [0, 0], FINE, width, height);

// The image as MNIST's makers prepared theirs: the digit scaled into a box, and its centre of mass moved to the middle.
function imageFitted(paper, width, height) {
  const found = findInk(paper);
  if (!found) return new Float32Array(width * height);
  const side = Math.max(found.right - found.left, found.bottom - found.top);
  const size = side / (BOX * Math.min(width, height));
  // The middle may move as far as the ink stays in the image.
  const corner = (center, low, high, count) =>
    Math.min(Math.max(center - size * (count / 2 + MIDDLE), high - size * count), low);
  const left = corner(found.center[0], found.left, found.right, width);
  const top = corner(found.center[1], found.top, found.bottom, height);
  return seeThrough(paper, [left, top], size, width, height);
}
