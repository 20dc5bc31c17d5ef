// The map by mouse, touch and keys. One pointer drags (or draws the circle), two pinch, the wheel zooms at the pointer.

const CLICK_PX = 5; // a pointer that moved less has clicked
const pointers = new Map(); // by id: where they are
let gesture = null; // of the first pointer: where it began, and what it does

function atOf(event) {
  const box = $("map").getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function metresBetween(a, b) {
  const rad = Math.PI / 180, lat = (b.lat - a.lat) * rad, lon = lonDifference(b.lon, a.lon) * rad;
  const h = Math.sin(lat / 2) ** 2 + Math.cos(a.lat * rad) * Math.cos(b.lat * rad) * Math.sin(lon / 2) ** 2;
  return 2 * 6371008.8 * Math.asin(Math.min(1, Math.sqrt(h)));
}

function onPointerDown(event) {
  if (event.button > 0) return;
  $("map").setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, atOf(event));
  const at = atOf(event);
  if (pointers.size === 1) gesture = { began: at, moved: false, circle: circleTool.on };
  else gesture = { ...gesture, moved: true, circle: false };
}

function onPointerMove(event) {
  const was = pointers.get(event.pointerId), at = atOf(event);
  if (!was) return hoverAt(at);
  if (pointers.size === 2) pinch(event.pointerId, was, at);
  pointers.set(event.pointerId, at);
  if (!gesture.moved && Math.hypot(at.x - gesture.began.x, at.y - gesture.began.y) < CLICK_PX) return;
  gesture.moved = true;
  if (gesture.circle) return circleTool.draw(gesture.began, at);
  if (pointers.size !== 1) return;
  $("map").classList.add("dragged");
  panBy(at.x - was.x, at.y - was.y);
  viewChanged();
}

/* The two points of the ground stay under the two fingers. */
function pinch(id, was, at) {
  const other = [...pointers].find(([key]) => key !== id)[1];
  const before = Math.hypot(was.x - other.x, was.y - other.y), after = Math.hypot(at.x - other.x, at.y - other.y);
  panBy((at.x - was.x) / 2, (at.y - was.y) / 2);
  zoomAt((at.x + other.x) / 2, (at.y + other.y) / 2, after / Math.max(10, before));
  viewChanged();
}

function onPointerUp(event) {
  if (!pointers.delete(event.pointerId) || pointers.size > 0) return;
  $("map").classList.remove("dragged");
  if (event.type !== "pointerup") return;
  if (gesture.circle && gesture.moved) circleTool.ask();
  else if (!gesture.moved) clickAt(gesture.began);
}

function hoverAt(at) {
  const hit = hitAt(at.x, at.y);
  $("map").classList.toggle("pointing", hit !== null);
  if (hit?.client === map.hover?.client && hit?.x === map.hover?.x) return;
  map.hover = hit;
  redraw();
}

function clickAt(at) {
  const hit = hitAt(at.x, at.y);
  if (hit?.count > 1) {
    zoomAt(hit.x, hit.y, 3);
    viewChanged();
  } else {
    select(hit ? hit.client.href : null);
  }
}

function onWheel(event) {
  event.preventDefault();
  const at = atOf(event);
  const pixels = event.deltaMode === 1 ? 30 * event.deltaY : event.deltaY;
  zoomAt(at.x, at.y, Math.exp(-Math.max(-300, Math.min(300, pixels)) / 400));
  viewChanged();
}

const STEP_PX = 80;
const KEYS = {
  ArrowLeft: () => panBy(STEP_PX, 0),
  ArrowRight: () => panBy(-STEP_PX, 0),
  ArrowUp: () => panBy(0, STEP_PX),
  ArrowDown: () => panBy(0, -STEP_PX),
  "+": () => zoomAt(view.width / 2, view.height / 2, 1.5),
  "=": () => zoomAt(view.width / 2, view.height / 2, 1.5),
  "-": () => zoomAt(view.width / 2, view.height / 2, 1 / 1.5),
  0: wholeWorld,
  Home: fitClients,
  Escape: () => select(null),
};

function onKey(event) {
  const act = event.ctrlKey || event.metaKey || event.altKey ? null : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
  viewChanged();
}

function listenToMap() {
  const element = $("map");
  element.addEventListener("pointerdown", onPointerDown);
  element.addEventListener("pointermove", onPointerMove);
  element.addEventListener("pointerup", onPointerUp);
  element.addEventListener("pointercancel", onPointerUp);
  element.addEventListener("pointerleave", () => { map.hover = null; redraw(); });
  element.addEventListener("wheel", onWheel, { passive: false });
  element.addEventListener("keydown", onKey);
  const buttons = { "zoom-in": "+", "zoom-out": "-", whole: "Home" };
  for (const id in buttons)
    $(id).addEventListener("click", () => { KEYS[buttons[id]](); viewChanged(); });
  $("cells").addEventListener("click", () => {
    map.useCells = !map.useCells;
    $("cells").setAttribute("aria-pressed", map.useCells);
    redraw();
  });
}
