// Node at the rows of the comparison.
//
//     with_node.js ROW PROGRAMS COUNT CROWD
//
// Prepares itself, prints `ready`, and answers each line of its standard input with `value FIGURE`.
'use strict';

const { spawn, execFile } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');
const readline = require('readline');
const { once } = require('events');

const [ROW, PROGRAMS] = process.argv.slice(2, 4);
const [COUNT, CROWD] = process.argv.slice(4, 6).map(Number);
const CHUNK = ROW === 'bulk-out-4k' ? 4096 : 128 * 1024;
const program = (name) => path.join(PROGRAMS, name);
const micros = (start) => Number(process.hrtime.bigint() - start) / 1e3;
const held = [];

function spawnOnce() {
  return new Promise((resolve, reject) => {
    const options = ROW === 'spawn-1g'
      ? { detached: true, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] }
      : {};
    const child = spawn(program('exit0'), [], options);
    child.stdin.end();
    child.stdin.on('error', () => {});
    child.stdout.resume();
    child.stderr.resume();
    child.on('error', reject);
    child.on('close', resolve);
  });
}

async function spawnRow() {
  const start = process.hrtime.bigint();
  for (let i = 0; i < COUNT; i++) await spawnOnce();
  return micros(start) / COUNT;
}

async function rate() {
  const half = async () => {
    for (let i = 0; i < COUNT / 2; i++) await spawnOnce();
  };
  const start = process.hrtime.bigint();
  await Promise.all([half(), half()]);
  return COUNT / (micros(start) / 1e6);
}

const flood = () =>
  spawn(program('flood'), [String(CHUNK), String(COUNT / CHUNK)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const gigabytesPerSecond = (start) => COUNT / 1e9 / (micros(start) / 1e6);

async function bulk() {
  const start = process.hrtime.bigint();
  const child = flood();
  let received = 0;
  child.stdout.on('data', (data) => { received += data.length; });
  await once(child, 'close');
  if (received !== COUNT) throw new Error(`${received} bytes came`);
  return gigabytesPerSecond(start);
}

async function throughCat() {
  const start = process.hrtime.bigint();
  const child = spawn(program('cat'));
  const closed = once(child, 'close');
  let received = 0;
  child.stdout.on('data', (data) => { received += data.length; });
  const chunk = Buffer.alloc(CHUNK, 'x');
  for (let i = 0; i < COUNT / CHUNK; i++) {
    if (!child.stdin.write(chunk)) await once(child.stdin, 'drain');
  }
  child.stdin.end();
  await closed;
  if (received !== COUNT) throw new Error(`${received} bytes came`);
  return gigabytesPerSecond(start);
}

async function moveAll() {
  const sink = spawn(program('sink'), [], { stdio: ['pipe', 'ignore', 'inherit'] });
  const closed = once(sink, 'close');
  flood().stdout.pipe(sink.stdin);
  await closed;
}

async function forward() {
  const start = process.hrtime.bigint();
  await moveAll();
  return gigabytesPerSecond(start);
}

async function forwardCpu() {
  const before = process.cpuUsage();
  await moveAll();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3 / (COUNT / 1e9);
}

async function echo() {
  const [cat] = held;
  const start = process.hrtime.bigint();
  await new Promise((resolve) => {
    let left = COUNT;
    cat.stdout.removeAllListeners('data');
    cat.stdout.on('data', (data) => {
      left -= 1;
      if (left) cat.stdin.write(data);
      else resolve();
    });
    cat.stdin.write('x');
  });
  return micros(start) / COUNT;
}

const captureOnce = () =>
  new Promise((resolve, reject) => {
    execFile('/bin/true', (error) => (error ? reject(error) : resolve()));
  });

async function capture() {
  const start = process.hrtime.bigint();
  for (let i = 0; i < COUNT; i++) await captureOnce();
  return micros(start) / COUNT;
}

async function runAll() {
  let left = CROWD;
  const half = async () => {
    while (left-- > 0) await captureOnce();
  };
  const start = process.hrtime.bigint();
  await Promise.all([half(), half()]);
  return micros(start) / 1e3;
}

async function timers() {
  const start = process.hrtime.bigint();
  await new Promise((resolve) => {
    let fired = 0;
    const fire = () => {
      fired += 1;
      if (fired === CROWD / 2) resolve();
    };
    const all = [];
    for (let i = 0; i < CROWD; i++) all.push(setTimeout(fire, Math.random() * 100));
    for (let i = 0; i < CROWD; i += 2) clearTimeout(all[i]);
  });
  return micros(start) / 1e3;
}

const forever = () => new Promise(() => {});

async function prepare() {
  if (ROW === 'spawn-1g') {
    held.push(Buffer.alloc(CROWD * 2 ** 20, 1));
  } else if (ROW === 'spawn-18k') {
    for (let i = 0; i < CROWD; i++) held.push(fs.openSync('/dev/null'));
  } else if (ROW === 'echo') {
    held.push(spawn('cat'));
  } else if (ROW.startsWith('tcp')) {
    const server = net.createServer({ noDelay: true }, (socket) => {
      socket.on('data', (data) => socket.write(data));
      socket.on('error', () => {});
    });
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
    await once(server, 'listening');
    return [forever, server.address().port];
  }
  const works = {
    'spawn': spawnRow, 'spawn-1g': spawnRow, 'spawn-18k': spawnRow, 'spawn-rate-2': rate,
    'bulk-out-128k': bulk, 'bulk-out-4k': bulk, 'bulk-cat': throughCat, forward,
    'forward-cpu': forwardCpu, echo, capture, 'run-all': runAll, 'timers-1m': timers,
  };
  return [works[ROW], ''];
}

async function main() {
  const [work, port] = await prepare();
  // Write synchronously: the stream of stdout may be late when the loop is blocked.
  const say = (line) => fs.writeSync(1, line + '\n');
  say(`ready ${port}`);
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    say(`value ${(await work()).toFixed(9)}`);
  }
  process.exit(0);
}

main();
