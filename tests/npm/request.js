// SPDX-License-Identifier: MIT
// Google's own clients as judges of our requests: the same question goes through ours and theirs to a server here, and
// what arrives has to say the same.
//     node request.js ASK
const assert = require('assert');
const { execFile } = require('child_process');
const http = require('http');
const { promisify } = require('util');
const { Client } = require('@googlemaps/google-maps-services-js');
const { places } = require('@googleapis/places');

const ask = process.argv[2];
const key = process.env.HERD_TEST_KEY;
const requests = [];
const server = http.createServer((request, reply) => {
  let body = '';
  request.on('data', (data) => (body += data));
  request.on('end', () => {
    requests.push({ method: request.method, url: new URL(request.url, 'http://x'), headers: request.headers, body });
    reply.setHeader('Content-Type', 'application/json');
    reply.end(request.method === 'GET' ? '{"html_attributions":[],"results":[],"status":"ZERO_RESULTS"}' : '{}');
  });
});

const questions = [
  { place: '+34.068930-118.445127', km: '10', bound: 5, latitude: 34.06893, longitude: -118.445127, radius: 10000 },
  { place: '-00.000001+179.999999', km: '0.0005', bound: 1, latitude: -0.000001, longitude: 179.999999, radius: 0.5 },
  { place: '+90-180', km: '50', bound: 20, latitude: 90, longitude: -180, radius: 50000 },
];

async function both(kind, url, question, theirs) {
  requests.length = 0;
  await promisify(execFile)(ask, [kind, url, question.place, question.km, String(question.bound)]);
  await theirs();
  assert.strictEqual(requests.length, 2);
  const [mine, other] = requests;
  assert.strictEqual(mine.method, other.method);
  assert.strictEqual(mine.url.pathname, other.url.pathname);
  return [mine, other];
}

server.listen(0, '127.0.0.1', async () => {
  try {
    const root = `http://127.0.0.1:${server.address().port}/`;
    for (const question of questions) {
      const { latitude, longitude, radius, bound } = question;
      let [mine, other] = await both('google-legacy', `${root}maps/api/place/nearbysearch/json`, question, () =>
        new Client({}).placesNearby({
          url: `${root}maps/api/place/nearbysearch/json`,
          params: { location: { lat: latitude, lng: longitude }, radius, key },
        }));
      const point = (request) => request.url.searchParams.get('location').split(',').map(Number);
      assert.deepStrictEqual(point(mine), point(other));
      assert.strictEqual(Number(mine.url.searchParams.get('radius')), Number(other.url.searchParams.get('radius')));
      assert.strictEqual(mine.url.searchParams.get('key'), key);
      assert.deepStrictEqual([...mine.url.searchParams.keys()].sort(), [...other.url.searchParams.keys()].sort());

      [mine, other] = await both('google-new', `${root}v1/places:searchNearby`, question, () =>
        places({ version: 'v1', rootUrl: root, auth: key }).places.searchNearby({
          requestBody: { locationRestriction: { circle: { center: { latitude, longitude }, radius } }, maxResultCount: bound },
        }));
      assert.deepStrictEqual(JSON.parse(mine.body), JSON.parse(other.body));
      assert.strictEqual(mine.headers['content-type'], other.headers['content-type']);
      // Their key is in the URL, ours in the header that is meant for it.
      assert.strictEqual(other.url.searchParams.get('key'), key);
      assert.strictEqual(mine.url.search, '');
      assert.strictEqual(mine.headers['x-goog-api-key'], key);
      assert.match(mine.headers['x-goog-fieldmask'], /^places\.[A-Za-z.]+(,places\.[A-Za-z.]+)*$/);
    }
    console.log(`${questions.length} questions as Google's clients ask them, in both dialects`);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  server.close();
});
