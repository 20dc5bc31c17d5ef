// Which part of the world is seen: equirectangular. A degree of longitude gets narrower towards the poles the nearer one
// looks, as it does on the ground, so that streets keep their angles.

const SCALE_MAX = 400000; // pixels a degree: about a quarter of a metre each

const view = { lat: 15, lon: 5, scale: 3, width: 1, height: 1 }; // middle; CSS pixels a degree of latitude

function squeeze() {
  const span = view.height / view.scale;
  const near = Math.min(1, Math.max(0, (60 - span) / 30)); // 0: the world; 1: 30 degrees or less are seen
  return 1 - near * (1 - Math.max(0.05, Math.cos((view.lat * Math.PI) / 180)));
}

/* Of two meridians the short way, in degrees. */
function lonDifference(lon, from) {
  const difference = (lon - from) % 360;
  return difference > 180 ? difference - 360 : difference < -180 ? difference + 360 : difference;
}

const toX = lon => view.width / 2 + lonDifference(lon, view.lon) * view.scale * squeeze();
const toY = lat => view.height / 2 - (lat - view.lat) * view.scale;
const toLat = y => view.lat - (y - view.height / 2) / view.scale;
const toLon = x => lonDifference(view.lon + (x - view.width / 2) / (view.scale * squeeze()), 0);

/* The world can be seen as a whole; beyond the poles only where the map is higher than it. */
function keepView() {
  const least = Math.min(view.height / 180, view.width / 360);
  view.scale = Math.min(SCALE_MAX, Math.max(least, view.scale));
  const most = Math.max(0, 90 - view.height / 2 / view.scale);
  view.lat = Math.min(most, Math.max(-most, view.lat));
  view.lon = lonDifference(view.lon, 0);
}

function panBy(dx, dy) {
  view.lon -= dx / (view.scale * squeeze());
  view.lat += dy / view.scale;
  keepView();
}

/* What is at this point stays there. */
function zoomAt(x, y, factor) {
  const lat = toLat(y), lon = toLon(x);
  view.scale *= factor;
  keepView();
  view.lat = lat + (y - view.height / 2) / view.scale;
  keepView();
  view.lon = lon - (x - view.width / 2) / (view.scale * squeeze());
  keepView();
}

function wholeWorld() {
  Object.assign(view, { lat: 15, lon: 5, scale: Math.max(view.height / 180, view.width / 360) });
  keepView();
}

function centerOn(lat, lon, scale = view.scale) {
  Object.assign(view, { lat, lon, scale });
  keepView();
}

/* Shows all clients there are, with room around them: across 180 degrees if that is where the gap is not. */
function fitClients() {
  const all = [...clients.values()];
  if (all.length === 0) return wholeWorld();
  const lats = all.map(client => client.lat), lons = all.map(client => client.lon).sort((a, b) => a - b);
  let gap = lons[0] + 360 - lons[lons.length - 1], east = lons[lons.length - 1];
  for (let i = 1; i < lons.length; i++)
    if (lons[i] - lons[i - 1] > gap) {
      gap = lons[i] - lons[i - 1];
      east = lons[i - 1];
    }
  const south = lats.reduce((a, b) => Math.min(a, b)), north = lats.reduce((a, b) => Math.max(a, b));
  const width = 360 - gap;
  view.lat = (south + north) / 2;
  view.lon = east - width / 2;
  view.scale = Math.min(60, (0.75 * view.height) / Math.max(north - south, 0.01), (0.75 * view.width) / Math.max(width, 0.01));
  keepView();
}

/* west,south,east,north of what is seen and a quarter more on each side. */
function viewBox() {
  const lat = (0.75 * view.height) / view.scale, lon = (0.75 * view.width) / (view.scale * squeeze());
  const south = Math.max(-90, view.lat - lat), north = Math.min(90, view.lat + lat);
  const [west, east] = lon >= 180 ? [-180, 180] : [lonDifference(view.lon - lon, 0), lonDifference(view.lon + lon, 0)];
  return [west, south, east, north].map(side => side.toFixed(4)).join(",");
}

function inView(lat, lon) {
  const x = toX(lon), y = toY(lat);
  return x >= 0 && x <= view.width && y >= 0 && y <= view.height;
}
