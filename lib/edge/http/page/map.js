// Draws the map. Two canvases: `base` (land, lines of degrees, fences) changes with the view alone, `points` with clients.
// A frame is drawn when something changed, and none while nothing does.

const CELLS_ABOVE = 1000; // clients in view: counts in cells rather than points
const SHAPES_MOST = 1500; // of more a path would be too slow: they are drawn pixel by pixel
const LABELS_MOST = 40;
const CELL_PX = 64; // at least

const LAND = new Path2D(`/* land.svgpath */`); // tenths of a degree

const colours = {};
const drawn = { frames: 0, points: 0, cells: 0, inView: 0, ms: 0 }; // by the last frame; tests read it
const map = { fences: [], circle: null, useCells: true, hits: [], hover: null };

const base = $("base").getContext("2d");
const front = $("points").getContext("2d");
let baseDue = true, frameDue = false;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["back", "sea", "land", "grid", "halo", "ink", "muted", "panel", "line", "accent", "ok", "warn", "bad",
    "age-0", "age-1", "age-2", "age-3"])
    colours[name] = style.getPropertyValue(`--${name}`).trim();
}

/* Asks for a frame. */
function redraw(withBase = false) {
  baseDue ||= withBase;
  if (frameDue) return;
  frameDue = true;
  requestAnimationFrame(drawFrame);
}

function drawFrame(now) {
  const began = performance.now();
  frameDue = false;
  if (baseDue) drawBase();
  baseDue = false;
  drawFront(now);
  drawn.frames++;
  drawn.ms = performance.now() - began;
  if (now < model.gliding && !still.matches) redraw();
}

/* Canvases have the pixels that the screen has. */
function resizeMap() {
  const { width, height } = $("map").getBoundingClientRect();
  const ratio = Math.min(devicePixelRatio || 1, 3), first = view.width === 1;
  view.width = Math.max(1, width);
  view.height = Math.max(1, height);
  for (const context of [base, front]) {
    context.canvas.width = Math.round(width * ratio);
    context.canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
  if (first) wholeWorld();
  keepView();
  redraw(true);
}

// ---- what does not move ----

function drawBase() {
  base.fillStyle = colours.sea;
  base.fillRect(0, 0, view.width, view.height);
  drawGrid(Math.max(0, toY(90)), Math.min(view.height, toY(-90)));
  drawLand();
  map.fences.forEach(drawFence);
  base.fillStyle = colours.back; // beyond the poles
  base.fillRect(0, 0, view.width, toY(90));
  base.fillRect(0, toY(-90), view.width, view.height - toY(-90));
  drawScale();
}

/* Three times side by side: the world has no edge to the west and east. */
function drawLand() {
  const ky = view.scale / 10, kx = ky * squeeze();
  const path = new Path2D();
  for (const turn of [-360, 0, 360]) {
    // Some of the land reaches beyond 180 degrees, which the next copy has on its other side.
    path.addPath(LAND, new DOMMatrix([kx, 0, 0, ky, view.width / 2 + (turn - view.lon) * 10 * kx, view.height / 2 + view.lat * ky * 10]));
  }
  base.fillStyle = base.strokeStyle = colours.land;
  base.lineWidth = 1;
  base.fill(path);
  base.stroke(path); // closes the seam at 180 degrees
}

function gridStep() {
  const steps = [45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
  return steps.findLast(step => step * view.scale >= 90) ?? steps[0];
}

/* `top`, `bottom`: where the poles are, or the rim of the map. */
function drawGrid(top, bottom) {
  const step = gridStep(), digits = step < 1 ? Math.ceil(-Math.log10(step)) : 0;
  const north = toLat(top), south = toLat(bottom);
  const half = view.width / 2 / (view.scale * squeeze());
  base.strokeStyle = colours.grid;
  base.fillStyle = colours.muted;
  base.font = "11px system-ui, sans-serif";
  base.lineWidth = 1;
  base.beginPath();
  for (let lat = Math.ceil(south / step) * step; lat <= north; lat += step) {
    const y = Math.round(toY(lat)) + 0.5;
    base.moveTo(0, y);
    base.lineTo(view.width, y);
    base.fillText(`${Math.abs(lat).toFixed(digits)}°${lat < 0 ? "S" : lat > 0 ? "N" : ""}`, 4, y - 3);
  }
  for (let lon = Math.ceil((view.lon - half) / step) * step; lon <= view.lon + half; lon += step) {
    const x = Math.round(view.width / 2 + (lon - view.lon) * view.scale * squeeze()) + 0.5;
    base.moveTo(x, top);
    base.lineTo(x, bottom);
  }
  base.stroke();
}

/* A circle on the ground: of points at one distance all around. One with a pole in it is cut off there. */
function circlePath(lat, lon, metres) {
  const rad = Math.PI / 180, angle = Math.min(Math.PI, metres / 6371008.8), ring = [];
  for (let turn = 0; turn < 360; turn += 3) {
    const sin = Math.sin(lat * rad) * Math.cos(angle) + Math.cos(lat * rad) * Math.sin(angle) * Math.cos(turn * rad);
    const east = Math.atan2(Math.sin(turn * rad) * Math.sin(angle) * Math.cos(lat * rad), Math.cos(angle) - Math.sin(lat * rad) * sin);
    ring.push([lon + east / rad, Math.asin(Math.max(-1, Math.min(1, sin))) / rad]);
  }
  const degrees = angle / rad, north = lat + degrees > 90, south = lat - degrees < -90;
  if (north !== south) return polePath(ring, north ? 90 : -90);
  const path = new Path2D();
  ringPath(path, ring);
  return path;
}

/* A ring around a pole: once around the world, and back along the rim of the map. */
function polePath(ring, pole) {
  const path = new Path2D();
  ring.sort((a, b) => a[0] - b[0]);
  ring.push([ring[0][0] + 360, ring[0][1]], [ring[0][0] + 360, pole], [ring[0][0], pole]);
  for (const turns of [-360, 0, 360]) {
    ring.forEach(([lon, lat], i) => {
      const x = view.width / 2 + (lon + turns - view.lon) * view.scale * squeeze();
      if (i === 0) path.moveTo(x, toY(lat));
      else path.lineTo(x, toY(lat));
    });
    path.closePath();
  }
  return path;
}

/* Lines between points run the short way, also across 180 degrees. */
function ringPath(path, ring) {
  let lon = view.lon;
  ring.forEach(([nextLon, lat], i) => {
    lon += lonDifference(nextLon, lon);
    const x = view.width / 2 + (lon - view.lon) * view.scale * squeeze();
    if (i === 0) path.moveTo(x, toY(lat));
    else path.lineTo(x, toY(lat));
  });
  path.closePath();
}

function fencePath(fence) {
  const { geometry, properties } = fence;
  if (geometry.type === "Point") return circlePath(geometry.coordinates[1], geometry.coordinates[0], Number(properties?.radius));
  const path = new Path2D();
  const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  for (const ring of polygons.flat()) ringPath(path, ring);
  return path;
}

function drawFence(fence) {
  const path = fencePath(fence);
  base.globalAlpha = 0.12;
  base.fillStyle = base.strokeStyle = colours.accent;
  base.fill(path, "evenodd");
  base.globalAlpha = 1;
  base.lineWidth = 1.5;
  base.setLineDash([6, 4]);
  base.stroke(path);
  base.setLineDash([]);
  const [lon, lat] = fence.geometry.coordinates.flat(3); // of its middle, or its first corner
  drawText(base, shown(String(fence.properties?.name ?? fence.id ?? ""), 30), toX(lon) + 6, toY(lat) - 6, colours.accent);
}

/* The bar that says how far things are apart. */
function drawScale() {
  const metresPerPixel = (111195 * Math.cos((view.lat * Math.PI) / 180)) / (view.scale * squeeze());
  const most = 120 * metresPerPixel;
  const power = 10 ** Math.floor(Math.log10(most));
  const metres = power * [5, 2, 1].find(times => times * power <= most);
  $("scale").firstElementChild.style.width = `${(metres / metresPerPixel).toFixed(0)}px`;
  setText($("scale-word"), metresText(metres));
}

// ---- clients ----

/* Fills map.hits with the clients in view: [x, y, client, age] each. */
function findInView(now) {
  const kx = view.scale * squeeze(), ky = view.scale, wall = serverNow();
  map.hits.length = 0;
  for (const client of clients.values()) {
    const { lat, lon } = whereDrawn(client, now);
    const x = view.width / 2 + lonDifference(lon, view.lon) * kx, y = view.height / 2 - (lat - view.lat) * ky;
    if (x > -8 && x < view.width + 8 && y > -8 && y < view.height + 8)
      map.hits.push({ x, y, client, age: ageIndex(client, wall), count: 1 });
  }
  drawn.inView = map.hits.length;
}

function drawFront(now) {
  findInView(now);
  if (map.useCells && map.hits.length > CELLS_ABOVE) map.hits = gatherCells(map.hits);
  const points = map.hits.filter(hit => hit.count === 1), cells = map.hits.filter(hit => hit.count > 1);
  if (points.length > SHAPES_MOST) drawPixels(points);
  else front.clearRect(0, 0, view.width, view.height);
  drawCircle();
  if (points.length <= SHAPES_MOST) drawShapes(points);
  cells.forEach(drawCell);
  drawn.points = points.length;
  drawn.cells = cells.length;
  if (points.length <= LABELS_MOST) drawLabels(points);
  drawMarked(now);
}

const SHAPES = [
  (path, x, y, r) => { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI); },
  (path, x, y, r) => polygon(path, x, y, [0, -1.25 * r, 1.25 * r, 0, 0, 1.25 * r, -1.25 * r, 0]),
  (path, x, y, r) => polygon(path, x, y, [0, -1.2 * r, 1.15 * r, 0.85 * r, -1.15 * r, 0.85 * r]),
  (path, x, y, r) => polygon(path, x, y, [-0.9 * r, -0.9 * r, 0.9 * r, -0.9 * r, 0.9 * r, 0.9 * r, -0.9 * r, 0.9 * r]),
];

function polygon(path, x, y, corners) {
  path.moveTo(x + corners[0], y + corners[1]);
  for (let i = 2; i < corners.length; i += 2) path.lineTo(x + corners[i], y + corners[i + 1]);
  path.closePath();
}

/* The oldest first, so that the newest lie on top; a path for all of an age. The oldest are hollow. */
function drawShapes(points) {
  const r = points.length > 300 ? 4.5 : 6;
  for (let age = AGES.length - 1; age >= 0; age--) {
    const path = new Path2D();
    for (const hit of points) if (hit.age === age) SHAPES[age](path, hit.x, hit.y, r);
    const colour = colours[`age-${age}`], hollow = age === AGES.length - 1;
    front.lineWidth = hollow ? 4.5 : 2.5;
    front.strokeStyle = colours.halo;
    front.stroke(path);
    front.fillStyle = hollow ? colours.halo : colour;
    front.fill(path);
    front.lineWidth = 2;
    front.strokeStyle = colour;
    if (hollow) front.stroke(path);
  }
}

let image = null; // of the canvas `points`, for drawPixels

/* A colour as the word that a pixel of it is in memory, in this machine's order of bytes. */
function pixelOf(colour) {
  const [red, green, blue] = colour.match(/\w\w/g).map(part => parseInt(part, 16));
  return new Uint32Array(new Uint8Array([red, green, blue, 255]).buffer)[0];
}

/* The same four shapes of a few pixels: square, cross, bar, dot. They go into memory, and to the canvas in one piece, in place
 * of all that was there: nothing else is as fast. */
function drawPixels(points) {
  const { width, height } = front.canvas, ratio = width / view.width;
  if (image?.width !== width || image.height !== height) image = front.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  const fill = (x, y, wide, high, word) => {
    const left = Math.max(0, Math.round(x * ratio)), right = Math.min(width, Math.round((x + wide) * ratio));
    const bottom = Math.min(height, Math.round((y + high) * ratio));
    for (let row = Math.max(0, Math.round(y * ratio)); row < bottom; row++)
      if (left < right) words.fill(word, row * width + left, row * width + right);
  };
  words.fill(0);
  for (let age = AGES.length - 1; age >= 0; age--) {
    const word = pixelOf(colours[`age-${age}`]);
    for (const { x, y, age: its } of points) {
      if (its !== age) continue;
      if (age === 0) fill(x - 2, y - 2, 4, 4, word);
      else if (age === 2) fill(x - 3, y - 1, 6, 3, word);
      else if (age === 3) fill(x - 1, y - 1, 2, 2, word);
      else {
        fill(x - 3, y - 1, 6, 2, word);
        fill(x - 1, y - 3, 2, 6, word);
      }
    }
  }
  front.putImageData(image, 0, 0);
}

/* Cells lie fast on the ground, so that they do not swim while the map moves. Fewer than four in one stay points. */
function gatherCells(hits) {
  const size = 2 ** Math.ceil(Math.log2(CELL_PX / view.scale));
  const wide = 2 ** Math.ceil(Math.log2(CELL_PX / (view.scale * squeeze())));
  const ky = view.scale, kx = view.scale * squeeze(), cells = new Map();
  const top = (view.lat + view.height / 2 / ky) / size, left = (view.lon - view.width / 2 / kx) / wide;
  for (const hit of hits) {
    const key = Math.floor(top - hit.y / (ky * size)) * 65536 + Math.floor(left + hit.x / (kx * wide));
    const cell = cells.get(key);
    if (cell) cell.push(hit);
    else cells.set(key, [hit]);
  }
  return [...cells.values()].flatMap(cell => (cell.length < 4 ? cell : cellOf(cell)));
}

function cellOf(hits) {
  const ages = AGES.map(() => 0);
  let x = 0, y = 0;
  for (const hit of hits) {
    x += hit.x;
    y += hit.y;
    ages[hit.age]++;
  }
  return { x: x / hits.length, y: y / hits.length, count: hits.length, ages, r: 13 + 3.2 * Math.log2(hits.length / 4 + 1) };
}

/* A disc with the count; its rim says how many are of which age. */
function drawCell(cell) {
  front.beginPath();
  front.arc(cell.x, cell.y, cell.r, 0, 2 * Math.PI);
  front.fillStyle = colours.panel;
  front.fill();
  let from = -Math.PI / 2;
  front.lineWidth = 4;
  cell.ages.forEach((count, age) => {
    if (!count) return;
    const to = from + (2 * Math.PI * count) / cell.count;
    front.beginPath();
    front.arc(cell.x, cell.y, cell.r, from, to);
    front.strokeStyle = colours[`age-${age}`];
    front.stroke();
    from = to;
  });
  front.fillStyle = colours.ink;
  front.font = "600 12px system-ui, sans-serif";
  front.textAlign = "center";
  front.textBaseline = "middle";
  front.fillText(cell.count < 10000 ? String(cell.count) : `${Math.round(cell.count / 1000)}k`, cell.x, cell.y + 0.5);
  front.textAlign = "start";
  front.textBaseline = "alphabetic";
}

function drawText(context, text, x, y, colour) {
  context.font = "12px system-ui, sans-serif";
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = colours.halo;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

/* Names beside points; one that would lie on another is left out. */
function drawLabels(points) {
  const taken = [];
  for (const { x, y, client } of points) {
    if (client.href === model.selected || client === map.hover?.client) continue; // drawn above all
    const width = 6.5 * Math.min(client.name.length, 32) + 14;
    if (taken.some(box => Math.abs(box.y - y) < 15 && x < box.x + box.width && box.x < x + width)) continue;
    taken.push({ x, y, width });
    drawText(front, shown(client.name, 32), x + 10, y + 4, colours.ink);
  }
}

/* The client under the pointer, and the one that is selected. */
function drawMarked(now) {
  const selected = clients.get(model.selected);
  if (selected) {
    const { lat, lon } = whereDrawn(selected, now);
    ring(toX(lon), toY(lat), 13, colours.accent);
    drawText(front, shown(selected.name, 32), toX(lon) + 17, toY(lat) + 4, colours.accent);
  }
  if (map.hover?.count === 1 && map.hover.client !== selected) {
    ring(map.hover.x, map.hover.y, 10, colours.ink);
    drawText(front, shown(map.hover.client.name, 32), map.hover.x + 10, map.hover.y + 4, colours.ink);
  }
}

function ring(x, y, r, colour) {
  front.beginPath();
  front.arc(x, y, r, 0, 2 * Math.PI);
  front.lineWidth = 5;
  front.strokeStyle = colours.halo;
  front.stroke();
  front.lineWidth = 2.5;
  front.strokeStyle = colour;
  front.stroke();
}

function drawCircle() {
  if (!map.circle) return;
  const path = circlePath(map.circle.lat, map.circle.lon, map.circle.metres);
  front.globalAlpha = 0.15;
  front.fillStyle = front.strokeStyle = colours.accent;
  front.fill(path);
  front.globalAlpha = 1;
  front.lineWidth = 2;
  front.stroke(path);
}

/* What is drawn at this point, or null. */
function hitAt(x, y) {
  let best = null, least = 15;
  for (const hit of map.hits) {
    const distance = Math.hypot(hit.x - x, hit.y - y) - (hit.r ?? 0);
    if (distance < least) {
      least = distance;
      best = hit;
    }
  }
  return best;
}
