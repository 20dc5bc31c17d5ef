// Puts the parts together: what comes from the server, when it is asked, and what is drawn then.

const FENCES_MS = 10000;
const SETTLE_MS = 400;

// ---- the stream of clients ----

let fitted = false; // the first time the map goes where the clients are; later nobody but the user moves it

const stream = new EventStream({
  message(name, value) {
    takeEvent(name, value);
    if (!fitted && model.whole && clients.size > 0) {
      fitted = true;
      fitClients();
      viewChanged();
    }
    redraw();
  },
  state(word, status) {
    $("live").className = word === "live" ? "ok" : "bad";
    setText($("live-word"), word === "live" ? "live" : status === 404 ? "no clients here" : word === "refused" ? "not allowed" : "not live");
    if (status === 401) askForToken(token ? "The server does not know this token." : "");
  },
});

/* With more clients than the page can hold it watches what is in view. */
let settled = 0;
function viewChanged() {
  redraw(true);
  clearTimeout(settled);
  settled = setTimeout(() => {
    showTable();
    const box = stream.path.includes("bbox");
    if (model.overflow || box) stream.open(`/v1/events?bbox=${viewBox()}`);
  }, SETTLE_MS);
}

// ---- looks at the server ----

let fencesAt = 0;

async function look() {
  try {
    await lookOnce();
    herd.reachable = true;
    herd.since = Date.now();
  } catch (error) {
    if (error instanceof Refused && error.status < 500) {
      herd.reachable = true;
    } else {
      if (herd.reachable) herd.since = Date.now();
      herd.reachable = false;
    }
  }
  showVerdict();
}

async function lookOnce() {
  const node = await requestMaybe("/v1/node", [401, 403], async response => (await response.json()));
  if (node) {
    const [{ peers }, text] = await Promise.all([requestJson("/v1/peers"), (await request("/metrics")).text()]);
    herd.node = node;
    takePeers(peers);
    takeSample({ node, peers, metrics: parseMetrics(text) });
    showHerd();
    showFigures();
  } else {
    herd.node = null;
    herd.peers = [];
    await lookFromOutside();
  }
  showRights(node !== null);
  if (performance.now() >= fencesAt) await lookAtFences(node === null || figures.fences > 0);
}

/* Without the right to see the server: whether it is ready anybody may ask. */
async function lookFromOutside() {
  const response = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(REQUEST_MS) });
  herd.reasons = response.ok ? [] : (await response.text()).trim().split("\n");
  showHerd();
}

function showRights(admin) {
  $("sign-in").hidden = admin && !token;
  setText($("sign-in"), token ? "Sign out" : "Sign in");
  $("herd-denied").hidden = admin;
  $("figures-panel").hidden = !admin;
  setText($("herd-denied"), token ? "This token has not the right admin: links and figures are for those who have."
    : "Links and figures are for those with the right admin: sign in to see them.");
}

/* `any`: whether there may be some; a server without an area has none. */
async function lookAtFences(any) {
  const found = any ? await requestMaybe("/v1/fences", [400, 401, 403, 404]) : null;
  fencesAt = performance.now() + (found || !any ? FENCES_MS : 60 * FENCES_MS);
  const before = map.fences.length;
  map.fences = (found?.features ?? []).filter(isFence);
  if (before || map.fences.length) redraw(true);
}

function isFence({ geometry, properties }) {
  const area = geometry?.type === "Polygon" || geometry?.type === "MultiPolygon";
  return area || (geometry?.type === "Point" && Number(properties?.radius) > 0);
}

/* One after the other, never two at once; none while nobody looks. */
async function lookOnAndOn() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise(resolve => setTimeout(resolve, SAMPLE_MS));
  }
}

// ---- signing in ----

function askForToken(why) {
  setText($("token-why"), why);
  if (!$("token-dialog").open) $("token-dialog").showModal();
}

function useToken(text) {
  token = text;
  clients.clear();
  select(null);
  stream.lastId = null;
  stream.open("/v1/events");
  look();
}

function listenToToken() {
  $("sign-in").addEventListener("click", () => (token ? useToken("") : askForToken("")));
  $("token-cancel").addEventListener("click", () => $("token-dialog").close());
  $("token-form").addEventListener("submit", event => {
    event.preventDefault();
    const text = $("token").value.trim();
    $("token").value = "";
    if (!/^[\x21-\x7e]+$/.test(text)) return askForToken("A token is letters, digits and signs without blanks.");
    $("token-dialog").close();
    useToken(text);
  });
}

// ---- colours ----

const THEMES = [["", "◐", "as the system has them"], ["light", "☀", "light"], ["dark", "☾", "dark"]];
let theme = 0;

function nextTheme() {
  theme = (theme + 1) % THEMES.length;
  const [name, sign, words] = THEMES[theme];
  document.documentElement.className = name;
  setText($("theme"), sign);
  for (const attribute of ["aria-label", "title"]) $("theme").setAttribute(attribute, `Colours: ${words}`);
  coloursChanged();
}

function coloursChanged() {
  readColours();
  showFigures();
  showLinks();
  redraw(true);
}

function makeLegend() {
  const paths = ["M7 2a5 5 0 1 0 .01 0z", "M7 1l6 6-6 6-6-6z", "M7 1.5l6 10.5H1z", "M2.5 2.5h9v9h-9z"];
  AGES.forEach((age, i) => {
    const item = make("li"), svg = makeSvg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" });
    const hollow = i === AGES.length - 1;
    svg.append(makeSvg("path", { d: paths[i], fill: hollow ? "none" : `var(--age-${i})`, stroke: `var(--age-${i})`, "stroke-width": hollow ? 2 : 0 }));
    item.append(svg, age.word);
    $("legend-ages").append(item);
  });
}

// ---- begin ----

/* Ages go on without the server. */
function everySecond() {
  if (document.hidden) return;
  showTable();
  showDetails();
  if (!herd.reachable) showVerdict();
  redraw();
}

function onVisibility() {
  if (document.hidden) stream.close(); // browsers have six connections for all tabs of a server
  else stream.open();
}

function begin() {
  readColours();
  makeLegend();
  makeFigures();
  listenToMap();
  listenToTable();
  listenToDetails();
  listenToCircle();
  listenToToken();
  new ResizeObserver(resizeMap).observe($("map"));
  $("theme").addEventListener("click", nextTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", coloursChanged);
  document.addEventListener("visibilitychange", onVisibility);
  setInterval(everySecond, 1000);
  stream.open();
  lookOnAndOn();
}

begin();
