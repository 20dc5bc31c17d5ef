// Figures that matter, each with a plot of the last minutes: from /v1/node, /v1/peers and /metrics, every two seconds.

const SAMPLES = 300; // ten minutes
const SAMPLE_MS = 2000;
const PROPAGATION_SAMPLES = 30; // a minute: the quantile of what came in that time

const figures = { lag: 0, clientsMax: 0, fences: 0 };
const counters = new Map(); // by name: the value before and its time, and the rate
const histograms = [];

const FIGURES = [
  { name: "Clients", value: one => one.node.clients },
  { name: "Reports here", unit: "/s", value: one => rate("reports", one.node.reports + one.node.reports_stale) },
  { name: "Flooded in", unit: "/s", value: one => rate("at_received", one.node.at_received) },
  { name: "Flooded out", unit: "/s", value: one => rate("at_sent", one.node.at_sent) },
  { name: "Unsent to neighbours", value: one => one.peers.reduce((sum, peer) => sum + peer.unsent, 0) },
  { name: "Propagation, 95 %", unit: " ms", value: () => propagation(0.95) },
  { name: "Loop lag", unit: " ms", value: () => figures.lag * 1000, bad: value => (value > 100 ? "bad" : value > 20 ? "warn" : "") },
  { name: "Memory", unit: " MB", value: one => one.metrics.get("process_resident_memory_bytes") / 1e6 },
  { name: "Connections", value: one => one.node.connections },
  { name: "Places asked for", unit: "/s", value: one => rate("lookups", one.node.lookups) },
];

/* What a counter grows a second; null at the first look, and where it began anew. */
function rate(name, value) {
  const now = performance.now(), before = counters.get(name);
  if (before && now - before.at < SAMPLE_MS / 2) return before.rate;
  const passed = before ? (now - before.at) / 1000 : 0;
  const grown = before && value >= before.value ? (value - before.value) / passed : null;
  counters.set(name, { value, at: now, rate: grown });
  return grown;
}

/* Prometheus' text: values by name; of families with labels by name and labels. */
function parseMetrics(text) {
  const values = new Map();
  for (const line of text.split("\n")) {
    const end = line.lastIndexOf(" ");
    if (line[0] !== "#" && end > 0) values.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return values;
}

/* The cumulated counts of a histogram: [upper bound, count] each. */
function buckets(values, name) {
  const found = [];
  for (const [key, value] of values)
    if (key.startsWith(`${name}_bucket{le="`)) found.push([Number(key.slice(name.length + 12, -2).replace("+Inf", "Infinity")), value]);
  return found;
}

/* The quantile of what came in the last minute, ms, between the bounds of its bucket; null: nothing came. */
function propagation(part) {
  const newest = histograms[histograms.length - 1], oldest = histograms[0];
  if (!newest || newest === oldest) return null;
  const counts = newest.map(([bound, count], i) => [bound, count - (oldest[i]?.[1] ?? 0)]);
  const all = counts[counts.length - 1]?.[1];
  if (!(all > 0)) return null;
  let below = 0, lower = 0;
  for (const [bound, count] of counts) {
    if (count >= part * all) return 1000 * (bound === Infinity ? lower : lower + ((bound - lower) * (part * all - below)) / (count - below));
    below = count;
    lower = bound;
  }
  return null;
}

/* How late the loop's timers were since the look before, on average. */
function loopLag(values) {
  const sum = values.get("herd_loop_lag_seconds_sum"), count = values.get("herd_loop_lag_seconds_count");
  const before = figures.before ?? { sum: 0, count: 0 };
  figures.before = { sum, count };
  return count > before.count ? (sum - before.sum) / (count - before.count) : 0;
}

function takeSample(sample) {
  figures.lag = loopLag(sample.metrics);
  figures.clientsMax = sample.metrics.get("herd_clients_max");
  figures.fences = sample.metrics.get("herd_fences") ?? 0;
  histograms.push(buckets(sample.metrics, "herd_propagation_seconds"));
  if (histograms.length > PROPAGATION_SAMPLES) histograms.shift();
  for (const figure of FIGURES) {
    figure.samples ??= [];
    figure.samples.push(figure.value(sample) ?? null);
    if (figure.samples.length > SAMPLES) figure.samples.shift();
  }
}

function makeFigures() {
  for (const figure of FIGURES) {
    const box = make("div", "figure"), value = make("div", "value");
    figure.number = document.createTextNode("–");
    value.append(figure.number, make("small", "", figure.unit ?? ""));
    figure.canvas = make("canvas");
    figure.canvas.setAttribute("aria-hidden", "true");
    box.append(make("div", "name", figure.name), value, figure.canvas);
    figure.box = box;
    $("figures").append(box);
  }
}

function showFigures() {
  for (const figure of FIGURES) {
    const value = figure.samples?.[figure.samples.length - 1] ?? null;
    figure.number.data = numberText(value);
    figure.box.className = `figure ${figure.bad?.(value) ?? ""}`;
    drawPlot(figure.canvas, figure.samples ?? []);
  }
}

/* A canvas with the pixels of the screen, empty; its context counts CSS pixels. */
function fitCanvas(canvas) {
  const { width, height } = canvas.getBoundingClientRect(), ratio = Math.min(devicePixelRatio || 1, 3);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/* A line over a shade, from nought to the most there was; gaps where nothing was known. */
function drawPlot(canvas, samples) {
  const context = fitCanvas(canvas), { width, height } = canvas.getBoundingClientRect();
  const most = samples.reduce((a, b) => Math.max(a, b ?? 0), 0) || 1;
  const x = i => width - ((samples.length - 1 - i) * width) / (SAMPLES - 1), y = value => height - 2 - ((height - 6) * value) / most;
  context.strokeStyle = context.fillStyle = colours.accent;
  context.lineWidth = 1.5;
  let from = -1;
  for (let i = 0; i <= samples.length; i++) {
    if (samples[i] !== null && samples[i] !== undefined) {
      if (from < 0) from = i;
      continue;
    }
    if (from >= 0) drawStretch(context, samples, from, i, x, y, height);
    from = -1;
  }
}

function drawStretch(context, samples, from, to, x, y, height) {
  const line = new Path2D();
  for (let i = from; i < to; i++) line.lineTo(x(i), y(samples[i]));
  if (to === from + 1) line.lineTo(x(from) + 1.5, y(samples[from]));
  const shade = new Path2D(line);
  shade.lineTo(x(to - 1), height);
  shade.lineTo(x(from), height);
  context.globalAlpha = 0.15;
  context.fill(shade);
  context.globalAlpha = 1;
  context.stroke(line);
}
