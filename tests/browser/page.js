// SPDX-License-Identifier: MIT
// Opens the page as people do, and looks at what it shows. See run.py, which has the herd.
const assert = require('assert');
const fs = require('fs');
const readline = require('readline');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const facts = JSON.parse(process.env.HERD_FACTS);
const WAIT_MS = 60000;
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/* Something happens to the herd, and is over when this returns. */
async function herd(...words) {
  console.log(`@${JSON.stringify(words)}`);
  assert.strictEqual((await answers.next()).value, 'done');
}

const report = (id, lat, lon, age = 0) =>
  `IAMAT ${id} ${lat < 0 ? '-' : '+'}${Math.abs(lat).toFixed(6)}${lon < 0 ? '-' : '+'}${Math.abs(lon).toFixed(6)} ${(Date.now() / 1000 - age).toFixed(3)}`;

let browser;
const faults = []; // of all pages: what nobody expected
let expected = []; // patterns of what is expected for now: errors of a server that is away

/* A page that notes every error, and every request that goes elsewhere. */
async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const origin = new URL(facts.pages[name]).origin;
  await context.route('**', route => {
    const url = new URL(route.request().url());
    if (url.origin === origin || url.protocol === 'data:') return route.continue();
    faults.push(`a foreign request: ${url}`);
    return route.abort();
  });
  const page = await context.newPage();
  const fault = text => expected.some(pattern => pattern.test(text)) || faults.push(text);
  page.on('console', message => message.type() === 'error' && fault(`console: ${message.text()} ${message.location().url}`));
  page.on('pageerror', error => fault(`error: ${error.stack}`));
  page.on('dialog', dialog => (fault(`a dialog: ${dialog.message()}`), dialog.dismiss()));
  page.setDefaultTimeout(WAIT_MS);
  await page.goto(facts.pages[name]);
  return page;
}

const until = (page, condition, argument) => page.waitForFunction(condition, argument, { timeout: WAIT_MS, polling: 20 });
const verdict = (page, kind) => until(page, kind => document.getElementById('verdict').className === kind, kind);
const text = (page, id) => page.locator(`#${id}`).textContent();
/* What the page shows soon: it draws when it has time. */
const shows = (page, id, pattern) => until(page, ([id, source, flags]) => new RegExp(source, flags).test(document.getElementById(id).textContent), [id, pattern.source, pattern.flags]);
const titled = (page, pattern) => until(page, source => new RegExp(source).test(document.title), pattern.source);
const counts = (page, selector, count) => until(page, ([selector, count]) => document.querySelectorAll(selector).length === count, [selector, count]);
const shot = (page, name) => page.screenshot({ path: `${facts.shots}/${name}.png` });

async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter(one => ['serious', 'critical'].includes(one.impact));
  const words = one => `${one.id} (${one.impact}): ${one.help}: ${one.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`;
  assert.deepStrictEqual(serious.map(words), [], `axe-core, ${where}`);
  console.log(`axe-core, ${where}: nothing serious; ${violations.length} others${violations.length ? `: ${violations.map(one => one.id)}` : ''}`);
}

const tests = {
  async 'the herd is well, and says so'() {
    await herd('lines', 'Riley', report('kiwi', 34.06893, -118.445127), report('bus/7', 46.51963, 6.63227, 300), report('parked', 48.8566, 2.3522, 7200),
      report('lost', 35.68, 139.69, 900000));
    this.page = await open('Riley');
    await verdict(this.page, 'ok');
    await shows(this.page, 'verdict-why', /both links are up/);
    await until(this.page, () => clients.size === 4 && drawn.points === 4);
    await until(this.page, () => document.getElementById('live').className === 'ok');
    await titled(this.page, /^✓ Riley/);
    await counts(this.page, '#clients tbody tr', 4);
    await counts(this.page, '#graph g.up', 2);
    await until(this.page, () => document.querySelectorAll('.figure').length > 5);
    // Four ages have four shapes and four colours.
    await until(this.page, () => map.hits.map(hit => hit.age).sort().join() === '0,1,2,3');
  },

  async 'a report by line appears within a second'() {
    const began = Date.now();
    await herd('lines', 'Bernard', report('tram', 50.1, 8.6));
    await until(this.page, () => [...clients.values()].some(client => client.id === 'tram'));
    console.log(`a report to Bernard was on Riley's page after ${Date.now() - began} ms`);
    await until(this.page, () => [...document.querySelectorAll('#clients td button')].some(button => button.textContent === 'tram'));
    // It is drawn: pixels of the colour of the youngest, where it is.
    await until(this.page, () => {
      const client = [...clients.values()].find(client => client.id === 'tram'), ratio = devicePixelRatio;
      const pixel = document.getElementById('points').getContext('2d').getImageData(toX(client.lon) * ratio, toY(client.lat) * ratio, 1, 1).data;
      const want = colours['age-0'].match(/\w\w/g).map(part => parseInt(part, 16));
      return want.every((part, i) => Math.abs(part - pixel[i]) < 40);
    });
    await shot(this.page, 'light');
  },

  async 'a client, its details and the way of its report'() {
    await this.page.locator('#search').fill('TRAM');
    await this.page.locator('#search').press('Enter');
    await until(this.page, () => !document.getElementById('details').hidden);
    await until(this.page, () => document.getElementById('trace-note').textContent.includes('Noted from now on') ||
      document.getElementById('trace-list').children.length > 0);
    await herd('lines', 'Campbell', report('tram', 50.2, 8.7));
    await until(this.page, () => /Heardfrom(Jaquez|Juzang)/.test(document.getElementById('trace-list').textContent.replace(/\s/g, '')));
    await shows(this.page, 'trace-list', /Campbell/);
    await shot(this.page, 'details');
    await this.page.locator('#map').focus();
    await this.page.keyboard.press('Escape');
    await this.page.locator('#details').waitFor({ state: 'hidden' });
    await this.page.locator('#search').fill('');
  },

  async 'who is in a circle'() {
    await this.page.locator('#circle').click();
    await this.page.locator('#circle-lat').fill('50.2');
    await this.page.locator('#circle-lon').fill('8.7');
    await this.page.locator('#circle-km').fill('30');
    await this.page.locator('#circle-panel button.main').click();
    await until(this.page, () => document.getElementById('circle-answer').textContent === '1 client is there.');
    await shows(this.page, 'circle-list', /tram/);
    // The same by dragging over the whole map: five clients, the nearest first.
    await this.page.locator('#map').focus();
    await this.page.keyboard.press('0');
    const box = await this.page.locator('#map').boundingBox();
    await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await this.page.mouse.down();
    await this.page.mouse.move(box.x + 60, box.y + 80, { steps: 5 });
    await this.page.mouse.up();
    await until(this.page, () => /^\d+ clients are there|^The nearest/.test(document.getElementById('circle-answer').textContent));
    await shot(this.page, 'circle');
    await this.page.locator('#circle-lat').fill('95');
    await this.page.locator('#circle-panel button.main').click();
    await shows(this.page, 'circle-answer', /^Latitude is/);
    await this.page.locator('#circle').click();
  },

  async 'fences are on the map'() {
    const page = this.page, ring = [[-120, 32], [-116, 32], [-116, 36], [-120, 36], [-120, 32]];
    const put = (name, geometry, properties = {}) => page.evaluate(async ([name, fence]) => {
      const response = await fetch(`/v1/fences/${encodeURIComponent(name)}`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(fence) });
      return response.status;
    }, [name, { type: 'Feature', geometry, properties }]);
    assert.strictEqual(await put('depot', { type: 'Point', coordinates: [6.6, 46.5] }, { radius: 300000 }), 201);
    assert.strictEqual(await put('zone', { type: 'Polygon', coordinates: [ring] }), 201);
    assert.strictEqual(await put('two', { type: 'MultiPolygon', coordinates: [[ring.map(([x, y]) => [x + 20, y])], [ring.map(([x, y]) => [x + 40, y])]] }), 201);
    await until(page, () => map.fences.length === 3);
    await page.locator('#map').focus();
    await page.keyboard.press('0');
    await until(page, () => !frameDue);
    // Inside a polygon the ground has another colour than beside it.
    const colour = (lon, lat) => page.evaluate(([lon, lat]) => [...base.getImageData(toX(lon) * devicePixelRatio, toY(lat) * devicePixelRatio, 1, 1).data].join(), [lon, lat]);
    assert.notStrictEqual(await colour(-117.3, 34.7), await colour(-113.3, 38.7));
    await shot(page, 'fences');
  },

  async 'mouse and keys move the map'() {
    const page = this.page, look = () => page.evaluate(() => ({ ...view }));
    const box = await page.locator('#map').boundingBox(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    await page.locator('#map').focus();
    await page.keyboard.press('0');
    const world = await look();
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, -600);
    await until(page, scale => view.scale > 1.5 * scale, world.scale);
    const near = await look();
    await page.mouse.down();
    await page.mouse.move(x + 100, y + 50, { steps: 4 });
    await page.mouse.up();
    await until(page, near => view.lon < near.lon && view.lat > near.lat, near);
    const moved = await look();
    await page.keyboard.press('ArrowRight');
    await until(page, lon => view.lon > lon, moved.lon);
    await page.keyboard.press('+');
    await until(page, scale => view.scale > scale, moved.scale);
    await page.keyboard.press('-');
    await page.keyboard.press('Home');
    // A click on a point selects it; one beside it lets go.
    await until(page, () => !frameDue && map.hits.some(hit => hit.client.id === 'kiwi'));
    const at = await page.evaluate(() => {
      const hit = map.hits.find(hit => hit.client.id === 'kiwi');
      return { x: hit.x, y: hit.y };
    });
    await page.mouse.click(box.x + at.x, box.y + at.y);
    await shows(page, 'details-id', /^kiwi$/);
    await page.locator('#details-close').click();
  },

  async 'it is all there for the keyboard'() {
    const page = this.page, seen = new Set();
    await page.locator('body').click({ position: { x: 2, y: 2 } });
    await page.evaluate(() => document.activeElement.blur());
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      seen.add(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
    }
    for (const id of ['theme', 'map', 'search', 'zoom-in', 'zoom-out', 'whole', 'cells', 'circle', 'table-scroll', 'kiwi'])
      assert.ok(seen.has(id), `Tab does not reach ${id}: ${[...seen]}`);
    const button = page.locator('#clients td button', { hasText: 'kiwi' });
    await button.focus();
    await page.keyboard.press('Enter');
    await shows(page, 'details-id', /^kiwi$/);
    // While a row has the focus it stays where it is, whatever comes.
    await herd('lines', 'Juzang', ...[1, 2, 3].map(n => report(`more-${n}`, n, n)));
    await until(page, () => clients.size === 8);
    await page.evaluate(() => showTable());
    assert.strictEqual(await page.evaluate(() => document.activeElement.textContent), 'kiwi');
    await page.locator('#details-close').click();
  },

  async 'a killed server turns red and comes back'() {
    await herd('kill', 'Juzang');
    await verdict(this.page, 'bad');
    await shows(this.page, 'verdict-why', /no link to Juzang/);
    await until(this.page, () => document.querySelector('#graph g.down .label')?.textContent === 'Juzang');
    await shows(this.page, 'links', /Juzang✕ down/);
    await titled(this.page, /^✕/);
    await shot(this.page, 'down');
    await herd('start', 'Juzang');
    await verdict(this.page, 'ok');
    await counts(this.page, '#graph g.down', 0);
  },

  async 'the server of the page goes and comes'() {
    expected = [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY|ERR_CONNECTION_RESET|ERR_NETWORK/];
    await herd('kill', 'Riley');
    await verdict(this.page, 'bad');
    await until(this.page, () => document.getElementById('verdict-word').textContent === 'No answer' && document.getElementById('live').className === 'bad');
    assert.ok((await this.page.evaluate(() => clients.size)) >= 8, 'what was known stays on the map');
    await herd('start', 'Riley');
    await verdict(this.page, 'ok');
    await until(this.page, () => document.getElementById('live').className === 'ok' && model.whole && clients.size === 8);
    expected = [];
  },

  async 'hostile ids are words'() {
    const ids = ["<img/src=x/onerror=document.title='pwned'>", '"><script>alert(1)</script>', '<svg/onload=alert(2)>', "';alert(3)//",
      '\u202egnp.exe', '%3Cb%3E', '..%2f..%2f', 'javascript:alert(4)', '{{7*7}}', `${'long'.repeat(400)}`, '\u0007\u001b[31mred', '名前', '__proto__'];
    await herd('lines', 'Riley', ...ids.map((id, i) => report(id, 10 + i, 20 + i)));
    await until(this.page, count => clients.size === 8 + count, ids.length);
    await this.page.locator('#search').fill('img');
    await this.page.locator('#search').press('Enter');
    await until(this.page, () => document.getElementById('details-id').textContent.startsWith('<img'));
    assert.strictEqual(await this.page.locator('img, #clients script, #details script, #map svg').count(), 0);
    for (const id of ids) await this.page.evaluate(id => select([...clients.values()].find(client => client.id === id)?.href ?? null, true), id);
    await this.page.locator('#search').fill('');
    await this.page.evaluate(() => { select(null); KEYS.Home(); viewChanged(); });
    await shot(this.page, 'hostile');
    assert.doesNotMatch(await this.page.title(), /pwned/);
    await this.page.evaluate(() => { const box = document.createElement('div'); try { box.innerHTML = '<b>'; } catch { return; } throw new Error('the policy lets markup be made of text'); });
    faults.splice(0, faults.length, ...faults.filter(fault => !/TrustedHTML/.test(fault))); // its own, just now
  },

  async 'a viewer that stalls catches up'() {
    const stalled = await open('Jaquez'), other = await open('Jaquez');
    await until(stalled, () => model.whole);
    const before = await other.evaluate(() => clients.size);
    const session = await stalled.context().newCDPSession(stalled);
    await session.send('Debugger.enable');
    await session.send('Debugger.pause');
    for (let round = 0; round < 3; round++)
      await herd('lines', 'Jaquez', ...Array.from({ length: 3000 }, (_, n) => report(`swarm-${n}`, (n % 150) - 75, (n % 340) - 170 + round)));
    await until(other, count => clients.size === count + 3000, before);
    await session.send('Debugger.resume');
    await session.send('Debugger.disable');
    await until(stalled, count => clients.size === count + 3000, before);
    await until(stalled, () => document.getElementById('live').className === 'ok' && drawn.cells > 10);
    await shot(stalled, 'cells');
    await shows(stalled, 'table-note', /of 3,0\d\d/);
    await stalled.context().close();
    await other.context().close();
  },

  async 'a hidden page lets go of its stream'() {
    const streams = page => page.evaluate(() => stream.abort !== null);
    await this.page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    assert.strictEqual(await streams(this.page), false);
    await this.page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    assert.strictEqual(await streams(this.page), true);
    await until(this.page, () => document.getElementById('live').className === 'ok');
  },

  async 'dark, and light when asked for'() {
    const page = await open('Riley', { colorScheme: 'dark' });
    await verdict(page, 'ok');
    await until(page, () => model.whole && herd.beats.get('Jaquez')?.length > 2);
    const ground = bounds => until(page, ([from, to]) => (([red]) => red > from && red < to)(getComputedStyle(document.body).backgroundColor.match(/\d+/g)), bounds);
    await ground([-1, 60]);
    const sea = await page.evaluate(() => colours.sea);
    await shot(page, 'dark');
    await accessible(page, 'dark');
    await page.locator('#theme').click();
    await ground([200, 256]);
    await until(page, sea => colours.sea !== sea, sea);
    await page.context().close();
  },

  async 'two fingers'() {
    const page = await open('Riley', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 });
    await until(page, () => model.whole);
    await page.waitForTimeout(0);
    const box = await page.locator('#map').boundingBox(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    const session = await page.context().newCDPSession(page);
    const touch = (type, ...points) => session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
    const scale = await page.evaluate(() => view.scale);
    await touch('touchStart', [x - 30, y], [x + 30, y]);
    for (let d = 40; d <= 120; d += 20) await touch('touchMove', [x - d, y], [x + d, y]);
    await touch('touchEnd');
    await until(page, scale => view.scale > 2 * scale, scale);
    const lon = await page.evaluate(() => view.lon);
    await touch('touchStart', [x, y]);
    await touch('touchMove', [x + 40, y]);
    await touch('touchMove', [x + 80, y]);
    await touch('touchEnd');
    await until(page, lon => lonDifference(view.lon, lon) < -1, lon);
    assert.strictEqual(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing sticks out');
    const small = await page.evaluate(() => [...document.querySelectorAll('header button, #map-buttons button')].filter(button => Math.min(button.offsetWidth, button.offsetHeight) < 44 && button.offsetWidth).length);
    assert.strictEqual(small, 0, 'a finger hits every button');
    await shot(page, 'phone');
    await page.context().close();
  },

  async 'signing in'() {
    expected = [/status of 40[134]/];
    const page = await open('Closed');
    await until(page, () => document.getElementById('token-dialog').open);
    await shot(page, 'token');
    await accessible(page, 'signing in');
    await page.locator('#token').fill('herd_wrong');
    await page.locator('#token-form button.main').click();
    await until(page, () => document.getElementById('token-why').textContent.includes('does not know'));
    await page.locator('#token').fill(facts.tokens.kiwi);
    await page.locator('#token-form button.main').click();
    await until(page, () => document.getElementById('live').className === 'ok');
    await until(page, () => document.getElementById('herd-denied').textContent.includes('has not the right admin'));
    await page.locator('#figures-panel').waitFor({ state: 'hidden' });
    await page.locator('#sign-in').click(); // out
    await until(page, () => document.getElementById('token-dialog').open);
    await page.locator('#token').fill(facts.tokens.operator);
    await page.locator('#token-form button.main').click();
    await until(page, () => document.getElementById('server').textContent === 'Closed');
    await verdict(page, 'ok');
    const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie.length, document.body.innerHTML.includes(token)]);
    assert.deepStrictEqual(kept, [0, 0, 0, false], 'the token is nowhere but in memory');
    await page.context().close();
    expected = [];
  },

  async 'frames with 10 000 moving points'() {
    await accessible(this.page, 'light');
    const page = await open('Riley'); // of whose canvases no pixel was read: that makes them slow
    await until(page, () => model.whole);
    const counted = await page.evaluate(async () => {
      stream.close();
      map.useCells = false;
      clients.clear();
      wholeWorld();
      const feature = (n, turn) => ({ id: `p${n}`, geometry: { coordinates: [((n * 7919) % 3600) / 10 - 180 + Math.sin(turn + n), ((n * 104729) % 1500) / 10 - 75] },
        properties: { href: `/v1/clients/p${n}`, time: String(Date.now() / 1000 - (n % 4) * 4000), server: 'Riley', diff: '+0' } });
      for (let n = 0; n < 10000; n++) takeFeature(feature(n, 0));
      const began = performance.now(), frames = drawn.frames;
      let least = Infinity, turn = 0;
      while (performance.now() - began < 4000) {
        await new Promise(requestAnimationFrame);
        turn++;
        for (let n = turn % 10; n < 10000; n += 10) takeFeature(feature(n, turn));
        redraw();
        least = Math.min(least, drawn.ms);
      }
      return { frames: (1000 * (drawn.frames - frames)) / (performance.now() - began), least, points: drawn.points };
    });
    assert.ok(counted.points > 5000);
    console.log(`10 000 points, a tenth of them with news each frame: ${counted.frames.toFixed(0)} frames/s, ${counted.least.toFixed(1)} ms of script in the quickest`);
    await shot(page, 'points');
    await page.context().close();
  },
};

(async () => {
  browser = await chromium.launch({ executablePath: facts.chromium, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
  const world = {};
  for (const [name, test] of Object.entries(tests)) {
    if (process.env.HERD_ONLY && !name.includes(process.env.HERD_ONLY) && world.page) continue;
    console.log(`== ${name}`);
    try {
      await test.call(world);
      assert.deepStrictEqual(faults, []);
    } catch (error) {
      if (world.page) await shot(world.page, 'failed').catch(() => {});
      throw new Error(`${name}: ${error.stack}\nfaults: ${faults.join('\n')}`);
    }
  }
  console.log(`${Object.keys(tests).length} passed; screenshots are in ${facts.shots}`);
})().catch(error => {
  console.error(error.message);
  process.exitCode = 1;
}).finally(async () => {
  await browser?.close();
  process.exit();
});
