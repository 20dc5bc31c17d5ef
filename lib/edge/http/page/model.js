// What is known of clients, by their path: {id, href, lat, lon, time, server, diff, and where it is drawn}.

const CLIENTS_MAX = 100000; // more than that are not held; the page then watches what is in view alone
const GLIDE_MS = 500;

/* Ages have a colour and a shape each; `below` in seconds. */
const AGES = [
  { below: 60, word: "under a minute" },
  { below: 900, word: "under 15 minutes" },
  { below: 21600, word: "under 6 hours" },
  { below: Infinity, word: "older" },
];

const clients = new Map();
const model = {
  whole: false, // a snapshot is complete
  overflow: false, // there are more than CLIENTS_MAX
  gliding: 0, // until when something moves on the map, by performance.now
  selected: null, // path of a client,
  reported: false, // and whether it has reported since its trace was asked for
  stale: null, // during a snapshot: paths that it has not named yet
};

function ageOf(client) {
  return serverNow() - client.time;
}

function ageIndex(client, now = serverNow()) {
  const age = now - client.time;
  return AGES.findIndex(one => age < one.below);
}

/* Takes a Feature. One that moves is drawn on its way from where it was. */
function takeFeature(feature) {
  const [lon, lat] = feature.geometry.coordinates;
  const { href, time, server, diff } = feature.properties;
  const now = performance.now();
  let client = clients.get(href);
  model.stale?.delete(href);
  if (!client) {
    if (clients.size >= CLIENTS_MAX) {
      model.overflow = true;
      return;
    }
    client = { id: feature.id, href, name: shown(feature.id), fromLat: lat, fromLon: lon };
    clients.set(href, client);
  } else if (client.lat !== lat || client.lon !== lon) {
    const was = whereDrawn(client, now);
    client.fromLat = was.lat;
    // The short way, also across 180 degrees.
    client.fromLon = was.lon + 360 * Math.round((lon - was.lon) / 360);
    model.gliding = now + GLIDE_MS;
  }
  if (client.time !== Number(time) && href === model.selected) model.reported = true;
  client.movedAt = now;
  client.lat = lat;
  client.lon = lon;
  client.time = Number(time);
  client.server = server;
  client.diff = diff;
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

/* Where a client is drawn at this moment; the object is the same each time. */
const drawnAt = { lat: 0, lon: 0 };
function whereDrawn(client, now) {
  const passed = (now - client.movedAt) / GLIDE_MS;
  const part = passed >= 1 || still.matches ? 1 : passed * (2 - passed);
  drawnAt.lat = client.fromLat + (client.lat - client.fromLat) * part;
  drawnAt.lon = client.fromLon + (client.lon - client.fromLon) * part;
  return drawnAt;
}

/* An event of the stream. */
function takeEvent(name, value) {
  if (name === "snapshot") {
    if (value.first) {
      model.stale = new Set(clients.keys());
      model.whole = model.overflow = false;
    }
    value.features.forEach(takeFeature);
    if (value.last) {
      for (const href of model.stale ?? []) clients.delete(href);
      model.stale = null;
      model.whole = true;
    }
  } else if (name === "at") {
    value.features.forEach(takeFeature);
  } else if (name === "leave") {
    for (const href of value.hrefs) clients.delete(href);
  }
}
