// Requests to the server that this page came from, and to no other (the page's policy forbids them).

const REQUEST_MS = 6000; // then there is no answer

let token = ""; // in memory alone
let clockAhead = 0; // of the server's clock, ms; ages are by its clock, not by that of this machine

class Refused extends Error {
  constructor(status) {
    super(`the server answered ${status}`);
    this.status = status;
  }
}

function serverNow() {
  return (Date.now() + clockAhead) / 1000;
}

/* Date has whole seconds: less than two are no difference. */
function noteClock(response) {
  const ahead = Date.parse(response.headers.get("Date")) - Date.now();
  if (isFinite(ahead)) clockAhead = Math.abs(ahead) > 2000 ? ahead : 0;
}

/* A response with 2xx; throws Refused, or what fetch throws when the server is not there. */
async function request(path, headers = {}, signal = AbortSignal.timeout(REQUEST_MS)) {
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { headers, signal, cache: "no-store", credentials: "same-origin", redirect: "error" });
  noteClock(response);
  if (!response.ok) {
    response.body?.cancel();
    throw new Refused(response.status);
  }
  return response;
}

async function requestJson(path) {
  return (await request(path)).json();
}

/* The same, but null where the server refuses with one of `statuses`. */
async function requestMaybe(path, statuses, read = response => response.json()) {
  try {
    return await read(await request(path));
  } catch (error) {
    if (error instanceof Refused && statuses.includes(error.status)) return null;
    throw error;
  }
}
