// Words and numbers as they are shown. Nothing here, or anywhere on this page, makes markup of data: what comes from
// elsewhere becomes text of an element or of a canvas.

const $ = id => document.getElementById(id);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function makeSvg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  if (text !== undefined) element.textContent = text;
  return element;
}

/* Writes only what is different, so that a text that stays is not read out again. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* An id is whatever a client calls itself: bytes that steer terminals or turn the direction of writing are made visible. */
function shown(id, most = 60) {
  const text = id.slice(0, 4 * most).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");
  return text.length > most ? text.slice(0, most - 1) + "…" : text;
}

function ageText(seconds) {
  if (seconds < 0) return seconds > -5 ? "now" : "in the future";
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400).toLocaleString("en")} d`;
}

/* Of the clock here, as 2026-11-27 06:48:15. */
function dateText(time) {
  const two = number => String(number).padStart(2, "0");
  if (isNaN(time)) return "–";
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ` +
    `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/* The time of day with its milliseconds. */
function timeText(time) {
  return isNaN(time) ? "–" : `${dateText(time).slice(11)}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

function numberText(value) {
  if (value === null || !isFinite(value)) return "–";
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (Math.abs(value) >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1);
}

function placeText(lat, lon) {
  const part = (value, positive, negative) => `${Math.abs(value).toFixed(4)}° ${value < 0 ? negative : positive}`;
  return `${part(lat, "N", "S")}  ${part(lon, "E", "W")}`;
}

function metresText(metres) {
  if (metres >= 1000) return `${Number((metres / 1000).toPrecision(3)).toLocaleString("en")} km`;
  return `${Math.round(metres)} m`;
}
