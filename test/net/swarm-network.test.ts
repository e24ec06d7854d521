// The real network, on loopback with a private DHT: the contract, and what only it can do.
import SecretStream from '@hyperswarm/secret-stream'
import { createSocket } from 'node:dgram'
import { createConnection, createServer, type AddressInfo } from 'node:net'
import test, { type Test } from 'tape'
import { ADMISSION_TIMEOUT_MS, UNADMITTED_BYTES_MAX } from '../../src/base/limits.js'
import { isSwarmdiskError } from '../../src/base/errors.js'
import { systemRandom } from '../../src/base/random.js'
import { startBootstrap } from '../../src/net/bootstrap.js'
import { ClusterKey } from '../../src/net/cluster-key.js'
import type { SwarmNetworkOptions } from '../../src/net/swarm-network.js'
import { frameOf, networkContract, Station } from '../contracts/network-contract.js'
import { undo } from '../helpers/undo.js'
import { HOST, Loopback, settle, until } from './swarm/loopback.js'

networkContract('swarm network', async () => {
  const loopback = await Loopback.start()
  return {
    make: role => loopback.network({ server: role === 'server' }),
    stranger: () => loopback.network({ clusterKey: ClusterKey.generate(systemRandom) }),
    until,
    settle,
    end: () => loopback.bootstrap.close(),
  }
})

async function start(t: Test): Promise<Loopback> {
  const loopback = await Loopback.start()
  undo(t, () => loopback.bootstrap.close())
  return loopback
}

async function station(
  t: Test,
  loopback: Loopback,
  options: Partial<SwarmNetworkOptions> = {},
): Promise<Station> {
  const made = new Station(loopback.network(options))
  undo(t, () => settle('stop', made.network.stop()))
  await made.start()
  return made
}

function linked(a: Station, b: Station): boolean {
  return (
    a.open('swarm', b.network.self).length === 1 && b.open('swarm', a.network.self).length === 1
  )
}

test('swarm network: servers and clients find each other by the topic alone', async t => {
  const loopback = await start(t)
  const begun = performance.now()
  const servers = [
    await station(t, loopback),
    await station(t, loopback),
    await station(t, loopback),
  ]
  const clients = [
    await station(t, loopback, { server: false }),
    await station(t, loopback, { server: false }),
  ]
  await until('everybody linked', () =>
    servers.every(a => [...servers, ...clients].every(b => a === b || linked(a, b))),
  )
  const took = performance.now() - begun
  t.ok(took < 5_000, `5 peers, 9 links after ${took.toFixed(0)} ms`)
  t.notOk(
    clients[0]!.links.some(({ link }) => link.remote === clients[1]!.network.self),
    'clients do not meet each other',
  )
})

test('swarm network: peers that start before the bootstrap node meet when it is there', async t => {
  const loopback = await start(t)
  const { host, port } = loopback.bootstrap
  await loopback.bootstrap.close()
  const a = await station(t, loopback)
  const b = await station(t, loopback)
  await until('the reason is told', () =>
    loopback.warnings().some(line => line.includes('is the bootstrap node running')),
  )
  const late = await startBootstrap({ host, port })
  undo(t, () => late.close())
  await until('linked', () => linked(a, b))
  t.pass('linked')
})

test('swarm network: simultaneous dials leave one link, and it carries frames', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback)
  const b = await station(t, loopback)
  await until('linked', () => linked(a, b))
  for (let round = 0; round < 5; round++) {
    a.open('swarm', b.network.self)[0]!.link.close()
    await until('closed', () => b.links.every(({ closed }) => closed === 1))
    a.network.dialPeer(b.network.self)
    b.network.dialPeer(a.network.self)
    await until('linked again', () => linked(a, b))
    const [to] = b.open('swarm', a.network.self)
    a.open('swarm', b.network.self)[0]!.link.send(frameOf(100, round))
    await until('a frame', () => to!.frames.length === 1 || to!.closed === 1)
  }
  a.network.dialPeer(b.network.self)
  t.ok(linked(a, b), 'a dial to a linked peer changes nothing')
})

test('swarm network: a restarted peer is linked again at once', async t => {
  const loopback = await start(t)
  const keyPair = loopback.keyPair()
  const a = await station(t, loopback)
  const first = await station(t, loopback, { keyPair })
  await until('linked', () => linked(a, first))
  await first.network.stop()
  const again = await station(t, loopback, { keyPair })
  await until('linked again', () => linked(a, again))
  t.equal(a.open('swarm', again.network.self).length, 1)
})

test('swarm network: without a DHT, direct links only', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback, { bootstrap: [] })
  const b = await station(t, loopback, { bootstrap: [] })
  const link = await settle('dial', a.network.dialAddress(b.network.addresses[0]!, null))
  t.equal(link?.remote, b.network.self)
  a.network.dialPeer(b.network.self)
})

test('swarm network: nobody there, or somebody silent', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback)
  const b = await station(t, loopback)
  const [address] = b.network.addresses
  await b.network.stop()
  t.equal(await settle('dial', a.network.dialAddress(address!, null)), null, 'refused')
  t.equal(
    await settle('dial', a.network.dialAddress({ host: 'no.such.host.invalid', port: 1 }, null)),
    null,
    'no such host',
  )
  const own = a.network.addresses[0]!
  t.equal(await settle('dial', a.network.dialAddress(own, null)), null, 'not to itself')
})

test('swarm network: noise on the direct port ends in time and harms nobody', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback)
  const address = a.network.addresses[0]!
  const begun = performance.now()
  let open = 0
  for (const bytes of [Buffer.alloc(0), Buffer.from('GET / HTTP/1.1\r\n\r\n'), flood()]) {
    open++
    const socket = createConnection(address, () => socket.write(bytes))
    socket.on('error', () => undefined)
    socket.on('close', () => open--)
  }
  await until('all closed', () => open === 0)
  const took = performance.now() - begun
  t.ok(took < ADMISSION_TIMEOUT_MS + 2_000, `closed after ${took.toFixed(0)} ms`)
  t.deepEqual(a.links, [])
})

test('swarm network: who is dialled and sends much instead of a proof is left at once', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback)
  const { port, left } = await chatterbox(t, loopback, UNADMITTED_BYTES_MAX)
  const begun = performance.now()
  t.equal(await settle('dial', a.network.dialAddress({ host: HOST, port }, null)), null)
  const took = performance.now() - begun
  t.ok(took < ADMISSION_TIMEOUT_MS, `after ${took.toFixed(0)} ms`)
  await until('closed', left)
  t.deepEqual(a.links, [])
})

/** Somebody with a key pair who sends one message of so many bytes to everybody who comes. */
async function chatterbox(
  t: Test,
  loopback: Loopback,
  bytes: number,
): Promise<{ readonly port: number; readonly left: () => boolean }> {
  let came = 0
  let gone = 0
  const server = createServer(socket => {
    came++
    socket.on('close', () => gone++)
    const stream = new SecretStream(false, socket, { keyPair: loopback.keyPair() })
    stream.on('error', () => undefined)
    stream.write(Buffer.alloc(bytes))
  })
  await new Promise<void>(resolve => server.listen(0, HOST, resolve))
  undo(t, () => new Promise<void>(resolve => server.close(() => resolve())))
  return { port: (server.address() as AddressInfo).port, left: () => came > 0 && gone === came }
}

/** A message that claims 16 MiB less one, and starts to deliver. */
function flood(): Buffer {
  return Buffer.alloc(1024 * 1024, 0xff)
}

test('swarm network: what a stop leaves behind is nothing', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback)
  const b = await station(t, loopback)
  await until('linked', () => linked(a, b))
  const begun = performance.now()
  await Promise.all([a.network.stop(), b.network.stop()])
  const took = performance.now() - begun
  t.ok(took < 2_000, `both stopped after ${took.toFixed(0)} ms`)
  const { port } = a.network.addresses[0]!
  const same = await station(t, loopback, { port })
  t.equal(same.network.addresses[0]!.port, port, 'the port is free again')
  await a.network.stop()
  t.pass('a second stop does nothing')
})

test('swarm network: ports and addresses that cannot be had', async t => {
  const loopback = await start(t)
  const a = await station(t, loopback)
  const { port } = a.network.addresses[0]!
  const second = loopback.network({ port })
  const error = await second.start({ link: () => undefined }).catch((e: unknown) => e)
  t.ok(isSwarmdiskError(error, 'in-use'), String(error))
  const elsewhere = loopback.network({ host: '192.0.2.1' })
  const other = await elsewhere.start({ link: () => undefined }).catch((e: unknown) => e)
  t.ok(isSwarmdiskError(other, 'bad-input'), String(other))
  const client = loopback.network({ host: '192.0.2.1', server: false })
  const third = await client.start({ link: () => undefined }).catch((e: unknown) => e)
  t.ok(isSwarmdiskError(third, 'bad-input'), String(third))
})

test('bootstrap node: addresses and ports', async t => {
  for (const host of ['0.0.0.0', 'localhost', '::1', '192.0.2.1']) {
    const error = await startBootstrap({ host, port: 0 }).catch((e: unknown) => e)
    t.ok(isSwarmdiskError(error, 'bad-input'), String(error))
  }
  const socket = createSocket('udp4')
  undo(t, () => new Promise<void>(resolve => socket.close(() => resolve())))
  await new Promise<void>(resolve => socket.bind(0, HOST, resolve))
  const { port } = socket.address()
  const error = await startBootstrap({ host: HOST, port }).catch((e: unknown) => e)
  t.ok(isSwarmdiskError(error, 'in-use'), String(error))
})
