// SPDX-License-Identifier: MIT
// What Node.js understands of connections, strictly: each line of standard input is the bytes of one, in hexadecimal,
// sent at once and then ended; each line of the output is JSON: the requests that came whole, and how it ended.
'use strict';
const http = require('http');
const net = require('net');
const readline = require('readline');

let now; // the case that runs

const server = http.createServer({ insecureHTTPParser: false, requireHostHeader: true }, (request, response) => {
  const body = [];
  request.on('error', () => {});
  request.on('data', (piece) => body.push(piece));
  request.on('end', () => {
    now.requests.push({
      method: request.method,
      url: Buffer.from(request.url, 'latin1').toString('hex'),
      version: request.httpVersion,
      body: Buffer.concat(body).toString('hex'),
    });
    response.end('ok');
  });
});
server.on('connect', (request, socket) => {
  now.requests.push({ method: 'CONNECT', url: Buffer.from(request.url, 'latin1').toString('hex'), version: request.httpVersion, body: '' });
  socket.destroy();
});
server.on('clientError', (error, socket) => {
  now.error = error.code || String(error);
  socket.destroy();
});
server.maxRequestsPerSocket = 0;

function run(bytes, done) {
  now = { requests: [], error: null, statuses: [] };
  const socket = net.connect(server.address().port, '127.0.0.1');
  const replies = [];
  socket.on('data', (piece) => replies.push(piece));
  socket.on('error', () => {});
  socket.on('close', () => {
    const text = Buffer.concat(replies).toString('latin1');
    now.statuses = [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => +match[1]);
    done(now);
  });
  socket.end(bytes);
}

server.listen(0, '127.0.0.1', async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const result = await new Promise((done) => run(Buffer.from(line.trim(), 'hex'), done));
    process.stdout.write(JSON.stringify(result) + '\n');
  }
  server.close();
});
