// Admission against attackers: they speak Noise and reach the port, but do not know the key. The
// victim's clock is virtual, so its timeouts cost nothing.
import SecretStream from '@hyperswarm/secret-stream'
import HyperDHT from 'hyperdht'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'
import test, { type Test } from 'tape'
import { ADMISSION_BACKOFF_MS, ADMISSION_TIMEOUT_MS } from '../../src/base/limits.js'
import type { Address } from '../../src/layout/configuration.js'
import { ADMISSION_VERSION } from '../../src/net/admission.js'
import { ClusterKey } from '../../src/net/cluster-key.js'
import { keyPairFromSeed, publicKeyOf, type KeyPair } from '../../src/net/identity.js'
import { Station } from '../contracts/network-contract.js'
import { undo } from '../helpers/undo.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { VirtualClock } from '../simulator/virtual-clock.js'
import { Loopback, settle, until } from './swarm/loopback.js'

/** A connection of somebody who knows how to speak Noise, and what came over it. */
class Attacker {
  readonly messages: Uint8Array[] = []
  closed = false

  constructor(readonly stream: SecretStream) {
    stream.on('data', (message: Uint8Array) => this.messages.push(message))
    stream.on('error', () => undefined)
    stream.on('close', () => (this.closed = true))
  }

  async theirProof(): Promise<Uint8Array> {
    await until('their proof', () => this.messages.length > 0)
    return this.messages[0]!
  }

  /** The right proof of either side, for one who has the key. */
  proof(key: ClusterKey, side: 'initiator' | 'responder'): Uint8Array {
    const proof = key.proof(side, {
      hash: this.stream.handshakeHash!,
      initiator: this.stream.publicKey,
      responder: this.stream.remotePublicKey!,
    })
    return message(proof)
  }
}

function message(proof: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(ADMISSION_VERSION), proof])
}

class Scene {
  readonly #random = new SeededRandom(3)
  readonly clock = new VirtualClock()

  private constructor(
    readonly t: Test,
    readonly loopback: Loopback,
    readonly victim: Station,
    clock: VirtualClock,
  ) {
    this.clock = clock
  }

  static async set(t: Test): Promise<Scene> {
    const loopback = await Loopback.start()
    undo(t, () => loopback.bootstrap.close())
    const clock = new VirtualClock()
    const victim = new Station(loopback.network({ bootstrap: [], clock }))
    undo(t, () => settle('stop', victim.network.stop()))
    await victim.start()
    return new Scene(t, loopback, victim, clock)
  }

  async attack(keyPair: KeyPair = keyPairFromSeed(this.#random.bytes(32))): Promise<Attacker> {
    const socket = createConnection(this.victim.network.addresses[0]!)
    const attacker = new Attacker(new SecretStream(true, socket, { keyPair }))
    undo(this.t, () => attacker.stream.destroy())
    await settle('handshake', attacker.stream.opened)
    return attacker
  }

  get warned(): string {
    return this.loopback.warnings().join('\n')
  }
}

test('admission: who knows the key comes in', async t => {
  const scene = await Scene.set(t)
  const peer = await scene.attack()
  peer.stream.write(peer.proof(scene.loopback.key, 'initiator'))
  peer.stream.write(Buffer.from('hello'))
  await until('a frame', () => scene.victim.links[0]?.frames.length === 1)
  t.equal(Buffer.from(scene.victim.links[0]!.frames[0]!).toString(), 'hello', 'sent at once')
  t.deepEqual(
    Buffer.from(await peer.theirProof()),
    Buffer.from(peer.proof(scene.loopback.key, 'responder')),
    'and is shown that the other side knows it as well',
  )
})

test('admission: silence is closed in time', async t => {
  const scene = await Scene.set(t)
  const attacker = await scene.attack()
  await attacker.theirProof()
  await scene.clock.advance(ADMISSION_TIMEOUT_MS - 1)
  t.notOk(attacker.closed)
  await scene.clock.advance(1)
  await until('closed', () => attacker.closed)
  t.deepEqual(scene.victim.links, [])
})

test('admission: wrong first messages', async t => {
  const scene = await Scene.set(t)
  const other = ClusterKey.generate(new SeededRandom(99))
  const forms: readonly (readonly [string, (a: Attacker) => Uint8Array])[] = [
    ['nothing in it', () => Buffer.alloc(0)],
    ['zeroes', () => message(new Uint8Array(32))],
    ['too short', a => a.proof(scene.loopback.key, 'initiator').subarray(0, 32)],
    ['too long', a => Buffer.concat([a.proof(scene.loopback.key, 'initiator'), Buffer.alloc(1)])],
    ['another cluster key', a => a.proof(other, 'initiator')],
    ['the proof of the other side', a => a.proof(scene.loopback.key, 'responder')],
    ['a frame before any proof', () => Buffer.from('hello, let me in')],
    ['a large message', () => Buffer.alloc(1024 * 1024)],
  ]
  for (const [name, form] of forms) {
    const attacker = await scene.attack()
    attacker.stream.write(form(attacker))
    await until(`closed: ${name}`, () => attacker.closed)
    t.deepEqual(scene.victim.links, [], name)
  }
  t.match(scene.warned, /another cluster key/)
})

test('admission: a reflected proof, and one of another connection, are wrong', async t => {
  const scene = await Scene.set(t)
  const mirror = await scene.attack()
  mirror.stream.write(await mirror.theirProof())
  await until('closed', () => mirror.closed)

  // What the victim says to a listener of the attacker, whom it dials, is an initiator's proof:
  // the right side, but bound to another connection.
  const trap = await listener(t, scene)
  const dial = scene.victim.network.dialAddress(trap.address, null)
  const caught = await trap.caught
  const relay = await scene.attack()
  relay.stream.write(await caught.theirProof())
  await until('closed', () => relay.closed)
  caught.stream.write(await relay.theirProof())
  t.equal(await settle('dial', dial), null)
  t.deepEqual(scene.victim.links, [])
})

interface Trap {
  readonly address: Address
  readonly caught: Promise<Attacker>
}

async function listener(t: Test, scene: Scene): Promise<Trap> {
  const server = createServer()
  undo(t, () => new Promise(resolve => server.close(resolve)))
  const caught = once(server, 'connection').then(async ([socket]: Socket[]) => {
    const keyPair = scene.loopback.keyPair()
    const attacker = new Attacker(new SecretStream(false, socket!, { keyPair }))
    undo(t, () => attacker.stream.destroy())
    await settle('handshake', attacker.stream.opened)
    return attacker
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, caught }
}

test('admission: a proof is good for one connection', async t => {
  const scene = await Scene.set(t)
  const keyPair = scene.loopback.keyPair()
  const before = await scene.attack(keyPair)
  const proof = before.proof(scene.loopback.key, 'initiator')
  before.stream.write(proof)
  await until('a link', () => scene.victim.links.length === 1)
  const replay = await scene.attack(keyPair)
  replay.stream.write(proof)
  await until('closed', () => replay.closed)
  t.equal(scene.victim.links.length, 1)
})

test('admission: after a wrong proof the peer is not heard for a while', async t => {
  const scene = await Scene.set(t)
  const keyPair = keyPairFromSeed(new Uint8Array(32).fill(5))
  const first = await scene.attack(keyPair)
  first.stream.write(message(new Uint8Array(32)))
  await until('closed', () => first.closed)
  const second = await scene.attack(keyPair)
  await until('closed again', () => second.closed)
  t.deepEqual(second.messages, [], 'and gets no proof')
  const somebody = await scene.attack()
  t.ok(await somebody.theirProof(), 'others are heard')
  await scene.clock.advance(ADMISSION_BACKOFF_MS)
  const third = await scene.attack(keyPair)
  third.stream.write(third.proof(scene.loopback.key, 'initiator'))
  await until('a link', () => scene.victim.links.length === 1)
  t.pass('later, with the right key, it comes in')
})

test('admission: also for who dials the public key through the DHT', async t => {
  const loopback = await Loopback.start()
  undo(t, () => loopback.bootstrap.close())
  const victim = new Station(loopback.network())
  undo(t, () => settle('stop', victim.network.stop()))
  await victim.start()
  const friend = new Station(loopback.network())
  undo(t, () => settle('stop', friend.network.stop()))
  await friend.start()
  await until('announced', () => victim.links.length === 1)
  const { host, port } = loopback.bootstrap
  const dht = new HyperDHT({ bootstrap: [{ host, port }], host, port: [0, 0] })
  undo(t, () => dht.destroy({ force: true }))
  for (const bytes of [null, message(new Uint8Array(32))]) {
    const attacker = new Attacker(dht.connect(publicKeyOf(victim.network.self)))
    undo(t, () => attacker.stream.destroy())
    t.ok(await settle('handshake', attacker.stream.opened), 'Noise lets anyone in')
    if (bytes !== null) attacker.stream.write(bytes)
    await until('closed', () => attacker.closed)
  }
  t.deepEqual(
    victim.links.map(({ link }) => link.remote),
    [friend.network.self],
  )
})

test('admission: no log line carries the key', async t => {
  const scene = await Scene.set(t)
  const attacker = await scene.attack()
  attacker.stream.write(message(new Uint8Array(32)))
  await until('closed', () => attacker.closed)
  const text = JSON.stringify(scene.loopback.lines)
  const key = scene.loopback.key.reveal()
  t.notOk(text.includes(key))
  t.ok(scene.loopback.lines.length > 0)
})
