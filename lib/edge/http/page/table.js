// The table beside the map: what is in view, or what a search finds anywhere. It is for everybody, and all there is for
// those who do not see the map.

const ROWS_MOST = 200;
const table = { sort: "age", down: false, search: "" };

const ORDERS = {
  id: (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  lat: (a, b) => b.lat - a.lat || a.lon - b.lon,
  age: (a, b) => b.time - a.time,
  server: (a, b) => (a.server < b.server ? -1 : a.server > b.server ? 1 : ORDERS.id(a, b)),
};

function clientRow() {
  const row = make("tr"), name = make("td"), button = make("button");
  button.append(make("bdi"));
  button.addEventListener("click", () => select(row.href, true));
  name.append(button);
  row.append(name, make("td"), make("td", "number"), make("td"));
  return row;
}

function listed() {
  const words = table.search.toLowerCase(), found = [];
  for (const client of clients.values())
    if (words ? client.id.toLowerCase().includes(words) : inView(client.lat, client.lon)) found.push(client);
  found.sort(ORDERS[table.sort]);
  return table.down ? found.reverse() : found;
}

function noteText(found) {
  const some = found > ROWS_MOST ? `the first ${ROWS_MOST} of ${numberText(found)}` : numberText(found);
  const all = `${numberText(clients.size)}${model.overflow ? "; there are more, zoom in to see them" : ""}`;
  return table.search ? `${some} found of ${all}` : `${some} in view of ${all}`;
}

/* Rows are used again. While one has the focus it stays where it is, or its reader would lose it. */
function showTable() {
  const body = $("clients").tBodies[0];
  const focused = body.contains(document.activeElement);
  const found = listed();
  setText($("table-note"), noteText(found.length));
  if (!focused) {
    const rows = Math.min(found.length, ROWS_MOST);
    while (body.rows.length < rows) body.append(clientRow());
    while (body.rows.length > rows) body.lastChild.remove();
    for (let i = 0; i < rows; i++) body.rows[i].href = found[i].href;
  }
  for (const row of body.rows) showRow(row);
}

function showRow(row) {
  const client = clients.get(row.href), [name, place, age, server] = row.cells;
  row.classList.toggle("selected", row.href === model.selected);
  if (!client) return setText(age, "gone");
  setText(name.firstChild.firstChild, client.name);
  setText(place, placeText(client.lat, client.lon));
  setText(age, ageText(ageOf(client)));
  setText(server, shown(client.server));
}

function sortBy(button) {
  const { sort } = button.dataset;
  table.down = table.sort === sort && !table.down;
  table.sort = sort;
  for (const head of $("clients").tHead.rows[0].cells) head.removeAttribute("aria-sort");
  button.parentElement.setAttribute("aria-sort", table.down ? "descending" : "ascending");
  showTable();
}

function listenToTable() {
  for (const button of $("clients").tHead.querySelectorAll("button")) button.addEventListener("click", () => sortBy(button));
  $("search").addEventListener("input", () => {
    table.search = $("search").value.trim();
    showTable();
  });
  $("search").addEventListener("keydown", event => {
    const first = event.key === "Enter" && table.search ? listed()[0] : null;
    if (first) select(first.href, true);
  });
}
