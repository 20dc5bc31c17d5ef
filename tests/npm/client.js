// SPDX-License-Identifier: MIT
// Google's own client of Nearby Search reads our answers: serves the file named on the command line on a
// loopback port, and looks at what the client makes of it.
const assert = require('assert');
const fs = require('fs');
const http = require('http');
const { Client } = require('@googlemaps/google-maps-services-js');

const body = fs.readFileSync(process.argv[2]);
const server = http.createServer((request, reply) => {
  reply.setHeader('Content-Type', 'application/json');
  reply.end(body);
});
server.listen(0, '127.0.0.1', async () => {
  try {
    const url = `http://127.0.0.1:${server.address().port}/maps/api/place/nearbysearch/json`;
    const answer = await new Client({}).placesNearby({ url, params: { location: '34.068930,-118.445127', radius: 10000, key: 'k' } });
    const { results, status, html_attributions: attributions } = answer.data;
    assert.strictEqual(status, 'OK');
    assert.strictEqual(results.length, Number(process.argv[3]));
    assert.ok(Array.isArray(attributions));
    for (const place of results) {
      assert.strictEqual(typeof place.geometry.location.lat, 'number');
      assert.strictEqual(typeof place.geometry.location.lng, 'number');
      assert.ok(place.name && place.place_id && Array.isArray(place.types));
    }
    console.log(`Google's client read ${results.length} places, the first: ${results[0].name}`);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  server.close();
});
