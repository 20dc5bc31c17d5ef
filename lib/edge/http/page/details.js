// One client: where it is, and the way its newest report took.

const details = { asked: 0 };

/* Shows a client, null: none. `center`: the map goes there. */
function select(href, center = false) {
  model.selected = href;
  $("details").hidden = !clients.has(href);
  if (clients.has(href)) {
    circleTool.close();
    showDetails();
    showTrace(null, "");
    askTrace();
    if (center) showOnMap();
  }
  showTable();
  redraw();
}

function showOnMap() {
  const client = clients.get(model.selected);
  if (!client) return;
  centerOn(client.lat, client.lon, Math.max(view.scale, 60));
  if (view.width > 700) panBy(-view.width / 7, 0); // beside the card, not under it
  viewChanged();
}

/* Rows of a list: [what, value] each. */
function showPairs(list, pairs) {
  while (list.children.length < 2 * pairs.length) list.append(make("dt"), make("dd"));
  while (list.children.length > 2 * pairs.length) list.lastChild.remove();
  pairs.forEach(([what, value], i) => {
    setText(list.children[2 * i], what);
    setText(list.children[2 * i + 1], value);
  });
}

function showDetails() {
  const client = clients.get(model.selected);
  if (!client) return;
  if (model.reported) askTrace();
  setText($("details-id"), shown(client.id, 300));
  const diff = Number(client.diff);
  showPairs($("details-list"), [
    ["Place", placeText(client.lat, client.lon)],
    ["Reported", `${dateText(new Date(client.time * 1000))} (${ageText(ageOf(client))})`],
    ["Taken by", shown(client.server)],
    ["Arrived", `${Math.abs(diff).toFixed(3)} s ${diff < 0 ? "before" : "after"} its own time`],
  ]);
}

async function askTrace() {
  const href = model.selected, asked = ++details.asked;
  model.reported = false;
  try {
    const trace = await requestMaybe(`${href}/trace`, [400, 401, 403, 404]);
    if (asked === details.asked) showTrace(trace, trace ? "" : "This server does not tell it.");
  } catch {
    if (asked === details.asked) showTrace(null, "It could not be asked for.");
  }
}

/* Of what was noted; `note` in place of it, or behind. */
function showTrace(trace, note) {
  const pairs = [];
  if (trace) {
    const here = trace.heard_from === null || trace.heard_from === undefined;
    const own = trace.server === herd.node?.name;
    if (!here) pairs.push(["Heard from", shown(String(trace.heard_from))]);
    else if (own) pairs.push(["Heard from", "the client itself"]);
    if (trace.accepted) pairs.unshift(["Accepted", `${timeText(new Date(trace.accepted))} by ${shown(String(trace.server ?? ""))}`]);
    if (typeof trace.delay_ms === "number") pairs.push(["After", `${trace.delay_ms.toFixed(1)} ms`]);
    if (trace.copies > 0) pairs.push(["Copies", numberText(trace.copies)]);
    if (here && !own) note = "Noted from now on: the next report will say from whom it came, and when.";
  }
  showPairs($("trace-list"), pairs);
  setText($("trace-note"), note);
}

function listenToDetails() {
  $("details-close").addEventListener("click", () => select(null));
  $("details-center").addEventListener("click", showOnMap);
}
