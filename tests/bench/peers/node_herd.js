#!/usr/bin/env node
// SPDX-License-Identifier: MIT
/*
 * A herd server in plain Node.js, for scale.
 *
 *     node node_herd.js [--per-message] -c CONFIG NAME
 *
 * CONFIG is herd-server's JSON; only "servers" and "links" are read. One 'data' handler a connection that
 * cuts lines and writes the replies to one chunk at once, a Map as the store. An update is flooded as
 * `AT server diff id place time` over one connection to each neighbour that is kept open and opened again
 * when it breaks; with --per-message over a connection of its own. Nothing is logged. Text is latin1,
 * which is bytes.
 */
'use strict';
const fs = require('fs');
const net = require('net');

const PLACE = /^([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)$/;
const NUMBER = /^\d+(?:\.\d+)?$/;
const NO_PLACES = '{"html_attributions":[],"results":[],"status":"ZERO_RESULTS"}';
const PENDING_MAX = 16 << 20;
const LINE_MAX = 65536;

function isPlace(text) {
  const match = PLACE.exec(text);
  return match !== null && Math.abs(Number(match[1])) <= 90 && Math.abs(Number(match[2])) <= 180;
}

/* Orders times exactly, however many decimals they have: <0, 0, >0. */
function compareTimes(a, b) {
  if (a === b) return 0;
  const [aWhole, aPart = ''] = a.replace(/^0+(?=\d)/, '').split('.');
  const [bWhole, bPart = ''] = b.replace(/^0+(?=\d)/, '').split('.');
  if (aWhole.length !== bWhole.length) return aWhole.length - bWhole.length;
  if (aWhole !== bWhole) return aWhole < bWhole ? -1 : 1;
  const digits = Math.max(aPart.length, bPart.length);
  const aPadded = aPart.padEnd(digits, '0'), bPadded = bPart.padEnd(digits, '0');
  return aPadded === bPadded ? 0 : aPadded < bPadded ? -1 : 1;
}

/* The way out to one neighbour. Lines of one turn of the loop leave in one write. */
class Neighbour {
  constructor(port) {
    this.port = port;
    this.socket = null;
    this.lines = [];
  }

  send(line) {
    if (perMessage) {
      const socket = net.connect(this.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.end(line, 'latin1');
      return;
    }
    if (this.lines.length === 0) setImmediate(() => this.flush());
    this.lines.push(line);
  }

  flush() {
    if (this.socket === null) {
      this.socket = net.connect({ port: this.port, host: '127.0.0.1', noDelay: true });
      this.socket.on('error', () => {});
      this.socket.on('close', () => { this.socket = null; });
    }
    // A neighbour that is away or slow for long misses updates, as with any server of this kind.
    if (this.socket.writableLength < PENDING_MAX) this.socket.write(this.lines.join(''), 'latin1');
    this.lines = [];
  }
}

function accept(server, client, when, line) {
  const known = clients.get(client);
  if (known !== undefined) {
    const order = compareTimes(when, known.when);
    if (order < 0 || (order === 0 && server <= known.server)) return;
  }
  clients.set(client, { server, when, line });
  for (const neighbour of neighbours) neighbour.send(line);
}

function answer(line) {
  const fields = line.split(/[ \t\r\f\v]+/).filter((field) => field !== '');
  if (fields.length === 0) return '';
  if (fields.length === 4 && fields[0] === 'IAMAT' && isPlace(fields[2]) && NUMBER.test(fields[3])) {
    const diff = (performance.timeOrigin + performance.now()) / 1000 - Number(fields[3]);
    const report = `AT ${name} ${diff < 0 ? '' : '+'}${diff.toFixed(9)} ${fields[1]} ${fields[2]} ${fields[3]}\n`;
    accept(name, fields[1], fields[3], report);
    return report;
  }
  if (fields.length === 6 && fields[0] === 'AT' && isPlace(fields[4]) && NUMBER.test(fields[5])) {
    accept(fields[1], fields[3], fields[5], line + '\n');
    return '';
  }
  if (fields.length === 4 && fields[0] === 'WHATSAT' && clients.has(fields[1]) && NUMBER.test(fields[2]) &&
      Number(fields[2]) <= 50 && /^\d+$/.test(fields[3]) && Number(fields[3]) <= 20)
    return clients.get(fields[1]).line + NO_PLACES + '\n\n';
  return '? ' + line + '\n';
}

function serve(socket) {
  let rest = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    let replies = '';
    for (const line of lines) replies += answer(line);
    if (replies !== '' && !socket.write(replies, 'latin1')) {
      socket.pause();
      socket.once('drain', () => socket.resume());
    }
    if (rest.length > LINE_MAX) socket.destroy();
  });
  socket.on('end', () => socket.end(rest === '' ? '' : answer(rest), 'latin1'));
  socket.on('error', () => {});
}

const args = process.argv.slice(2);
const perMessage = args[0] === '--per-message';
if (perMessage) args.shift();
if (args.length !== 3 || args[0] !== '-c') {
  console.error('usage: node_herd.js [--per-message] -c CONFIG NAME');
  process.exit(2);
}
const config = JSON.parse(fs.readFileSync(args[1], 'utf8'));
const name = args[2];
const clients = new Map();
const neighbours = config.links.filter((link) => link.includes(name))
  .map(([a, b]) => new Neighbour(config.servers[a === name ? b : a].port));
net.createServer({ noDelay: true, allowHalfOpen: true }, serve)
  .listen({ port: config.servers[name].port, host: '127.0.0.1', backlog: 4096 });
process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));
