// Who is in a circle: drawn on the map or typed, asked of the server's index, `GET /v1/clients?near=`.

const CIRCLE_LIMIT = 100;

const circleTool = {
  on: false,

  toggle(on = !circleTool.on) {
    circleTool.on = on;
    $("circle").setAttribute("aria-pressed", on);
    $("circle-panel").hidden = !on;
    $("map").classList.toggle("circling", on);
    if (!on) {
      map.circle = null;
      redraw();
      return;
    }
    model.selected = null;
    $("details").hidden = true;
    circleTool.set({ lat: view.lat, lon: view.lon, metres: (111195 * view.height) / view.scale / 6 });
  },

  close() {
    if (circleTool.on) circleTool.toggle(false);
  },

  set(circle) {
    map.circle = circle;
    $("circle-lat").value = circle.lat.toFixed(5);
    $("circle-lon").value = circle.lon.toFixed(5);
    $("circle-km").value = circle.metres < 1e5 ? (circle.metres / 1000).toPrecision(3) : Math.round(circle.metres / 1000);
    circleTool.show([], "");
    redraw();
  },

  /* From the middle at one point of the map to the rim at another. */
  draw(from, to) {
    const middle = { lat: toLat(from.y), lon: toLon(from.x) };
    circleTool.set({ ...middle, metres: Math.max(1, metresBetween(middle, { lat: toLat(to.y), lon: toLon(to.x) })) });
  },

  async ask() {
    const { lat, lon, metres } = map.circle;
    circleTool.show([], "Asking …");
    try {
      const answer = await requestJson(`/v1/clients?near=${lat.toFixed(6)},${lon.toFixed(6)}&radius=${Math.ceil(metres)}&limit=${CIRCLE_LIMIT}`);
      circleTool.answer(answer.features, answer.truncated);
    } catch (error) {
      const words = { 400: "The server does not take this circle.", 401: "Sign in to ask.", 403: "You have no right to ask, or this server keeps no area.",
        404: "This server does not answer that." };
      circleTool.show([], words[error.status] ?? "The server did not answer.");
    }
  },

  answer(features, truncated) {
    const count = features.length;
    const words = count === 0 ? "Nobody is there." : count === 1 ? "1 client is there." : `${count} clients are there.`;
    circleTool.show(features, truncated || count >= CIRCLE_LIMIT ? `The nearest ${count}; there may be more.` : words);
  },

  show(features, words) {
    setText($("circle-answer"), words);
    $("circle-list").replaceChildren(...features.map(feature => {
      const item = make("li"), button = make("button");
      button.type = "button";
      button.append(make("bdi", "", shown(feature.id)), make("span", "", metresText(feature.properties.distance)));
      button.addEventListener("click", () => select(feature.properties.href, true));
      item.append(button);
      return item;
    }));
  },

  /* What was typed; false: it is no circle. */
  read() {
    const [lat, lon, km] = ["circle-lat", "circle-lon", "circle-km"].map(id => Number($(id).value.replace(",", ".")));
    const fine = Math.abs(lat) <= 90 && Math.abs(lon) <= 180 && km > 0 && km < 20040;
    if (fine) map.circle = { lat, lon, metres: km * 1000 };
    else circleTool.show([], "Latitude is from −90 to 90, longitude from −180 to 180, and the radius above 0.");
    redraw();
    return fine;
  },
};

function listenToCircle() {
  $("circle").addEventListener("click", () => circleTool.toggle());
  $("circle-panel").addEventListener("submit", event => {
    event.preventDefault();
    if (circleTool.read()) circleTool.ask();
  });
}
