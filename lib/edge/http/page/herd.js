// This server and its neighbours: whether all is well, in a word, a graph and a table. Of other servers nothing is known
// here but what neighbours tell, so none is drawn.

const BEATS = 120; // samples of a link that are shown
const LOOP_LAG_BAD_S = 0.1;

const herd = { node: null, peers: [], states: new Map(), beats: new Map(), reachable: true, since: 0, reasons: null };

const MARKS = { up: "✓", lag: "!", down: "✕" };
const STATE_WORDS = { up: "up", lag: "lagging", down: "down" };

/* Of a link: "up", "lag" or "down". What waits for a moment is no lag; what still waits at the next look is. */
function linkState(peer, before) {
  if (!peer.up) return "down";
  if (!peer.plain && !peer.agrees) return "lag";
  return peer.unsent > 0 && before?.unsent > 0 ? "lag" : "up";
}

function linkWhy(peer) {
  if (!peer.up) return (peer.why ?? "not reached yet").replaceAll("_", " ");
  if (!peer.plain && !peer.agrees) return peer.comparing ? "comparing states" : "has another state";
  if (peer.unsent > 0) return `${numberText(peer.unsent)} unsent`;
  return peer.plain ? "plain" : "";
}

/* A look at the neighbours. */
function takePeers(peers) {
  const before = new Map(herd.peers.map(peer => [peer.name, peer]));
  herd.peers = peers;
  for (const peer of peers) {
    peer.state = linkState(peer, before.get(peer.name));
    const beats = herd.beats.get(peer.name) ?? [];
    beats.push(peer.state);
    if (beats.length > BEATS) beats.shift();
    herd.beats.set(peer.name, beats);
  }
}

// ---- the word ----

/* What is wrong, the worst first: [class, words] each. */
function troubles() {
  const { node, peers } = herd, found = [];
  for (const peer of peers.filter(peer => peer.state === "down")) found.push(["bad", `no link to ${peer.name}: ${linkWhy(peer)}`]);
  for (const peer of peers.filter(peer => peer.state === "lag")) found.push(["warn", `${peer.name}: ${linkWhy(peer)}`]);
  if (node?.journal === "behind") found.push(["warn", "the journal is behind"]);
  if (node?.repairs > 0) found.push(["warn", `${node.repairs} ${node.repairs === 1 ? "repair" : "repairs"}`]);
  if (figures.lag > LOOP_LAG_BAD_S) found.push(["warn", `the loop lags by ${(figures.lag * 1000).toFixed(0)} ms`]);
  if (node && figures.clientsMax && node.clients > 0.9 * figures.clientsMax) found.push(["warn", "nearly full of clients"]);
  return found;
}

function verdict() {
  const name = herd.node?.name ?? "the server";
  if (!herd.reachable) return ["bad", "No answer", `from ${name} for ${ageText((Date.now() - herd.since) / 1000)}; trying again`];
  if (!herd.node && !herd.reasons) return ["unknown", "Connecting", ""];
  if (!herd.node) {
    return herd.reasons.length
      ? ["bad", "Not well", herd.reasons.join("; ")]
      : ["ok", "All is well", "the server has what the herd has"];
  }
  const found = troubles();
  if (found.length === 0) {
    const count = herd.peers.length;
    const links = count === 0 ? "no neighbours" : count === 1 ? "the link is up" : count === 2 ? "both links are up" : `all ${count} links are up`;
    return ["ok", "All is well", `${links}${count ? ", states agree" : ""}`];
  }
  const bad = found.some(([kind]) => kind === "bad");
  return [bad ? "bad" : "warn", bad ? "Trouble" : "Look here", found.slice(0, 4).map(([, words]) => words).join("; ") +
    (found.length > 4 ? `; and ${found.length - 4} more` : "")];
}

function showVerdict() {
  const [kind, word, why] = verdict();
  $("verdict").className = kind;
  setText($("verdict-mark"), { ok: "✓", warn: "!", bad: "✕", unknown: "…" }[kind]);
  setText($("verdict-word"), word);
  setText($("verdict-why"), why);
  const name = herd.node?.name;
  document.title = `${{ ok: "✓", warn: "!", bad: "✕", unknown: "…" }[kind]} ${name ?? "herd"}`;
}

// ---- the graph ----

/* Around this server in a ring; with many the names are small. */
function showGraph() {
  const { peers, node } = herd, graph = $("graph");
  const many = peers.length > 12, height = peers.length > 4 ? 260 : peers.length > 2 ? 210 : 92;
  const middle = { x: 180, y: height / 2 - 10 };
  graph.setAttribute("viewBox", `0 0 360 ${height}`);
  const lines = [], nodes = [];
  peers.forEach((peer, i) => {
    const turn = (2 * Math.PI * i) / peers.length - Math.PI / 2 + (peers.length === 2 ? Math.PI / 2 : 0);
    const x = middle.x + 130 * Math.cos(turn), y = middle.y + (height / 2 - 34) * Math.sin(turn);
    lines.push(makeSvg("line", { class: peer.state, x1: middle.x, y1: middle.y, x2: x, y2: y }));
    nodes.push(nodeOf(peer.state, x, y, many ? 8 : 14, shown(peer.name, many ? 6 : 14), MARKS[peer.state], many));
  });
  if (node) nodes.push(nodeOf("self", middle.x, middle.y, 20, shown(node.name, 16), "", false));
  graph.replaceChildren(...lines, ...nodes);
  graph.setAttribute("aria-label", `${node?.name ?? "This server"} and its neighbours: ` +
    peers.map(peer => `${peer.name} ${STATE_WORDS[peer.state]}`).join(", "));
}

function nodeOf(state, x, y, r, name, mark, small) {
  const group = makeSvg("g", { class: state });
  group.append(makeSvg("circle", { class: "node", cx: x, cy: y, r }));
  if (mark && !small) group.append(makeSvg("text", { class: "mark", x, y: y + 5 }, mark));
  group.append(makeSvg("text", { class: small ? "label-small" : "label", x, y: y + r + (small ? 12 : 16) }, name));
  return group;
}

// ---- the table of links ----

function linkRow() {
  const row = make("tr");
  const name = make("td"), state = make("td");
  name.append(make("bdi"));
  state.append(make("span", "state"), make("span", "why"), make("canvas"));
  state.lastChild.setAttribute("aria-hidden", "true");
  row.append(name, state, make("td", "number"), make("td", "number"), make("td", "number"));
  return row;
}

function showLinks() {
  const body = $("links").tBodies[0];
  while (body.rows.length < herd.peers.length) body.append(linkRow());
  while (body.rows.length > herd.peers.length) body.lastChild.remove();
  herd.peers.forEach((peer, i) => {
    const [name, state, unsent, received, sent] = body.rows[i].cells;
    setText(name.firstChild, shown(peer.name));
    const [word, why, beats] = state.children;
    const age = peer.since_s === undefined ? "" : ageText(peer.since_s);
    word.className = `state ${peer.state}`;
    setText(word, `${MARKS[peer.state]} ${STATE_WORDS[peer.state]}`);
    setText(why, ` ${[peer.state === "lag" ? "" : age, linkWhy(peer)].filter(Boolean).join(", ")}`);
    setText(unsent, numberText(peer.unsent));
    setText(received, numberText(rate(`in ${peer.name}`, peer.at_received)));
    setText(sent, numberText(rate(`out ${peer.name}`, peer.at_sent)));
    drawBeats(beats, herd.beats.get(peer.name));
  });
}

/* A bar for each look: high and green, half and amber, low and red. */
function drawBeats(canvas, beats) {
  const context = fitCanvas(canvas), { width, height } = canvas.getBoundingClientRect();
  const step = width / BEATS, parts = { up: ["ok", 1], lag: ["warn", 0.6], down: ["bad", 0.35] };
  beats.forEach((beat, i) => {
    const [colour, part] = parts[beat];
    context.fillStyle = colours[colour];
    context.fillRect(width - (beats.length - i) * step, height * (1 - part), Math.max(1, step - 0.7), height * part);
  });
}

function showHerd() {
  setText($("server"), herd.node?.name ?? "herd");
  setText($("version"), herd.node ? `herd-server ${herd.node.version}` : "");
  showGraph();
  showLinks();
  $("links").hidden = $("graph").hidden = !herd.node;
}
