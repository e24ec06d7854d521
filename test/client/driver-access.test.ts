// The right to write: asked for before the first write, held until it is decided, given back, and
// lost to another client.
import test from 'tape'
import { byteOffset, epoch, generation } from '../../src/base/brands.js'
import { CLIENT_HEARTBEAT_MS, DETACH_DEADLINE_MS } from '../../src/base/limits.js'
import type { AttachReply, AttachRequest } from '../../src/net/messages.js'
import { inSync, MANAGER, reallocated, SERVER_B } from '../helpers/configurations.js'
import { testPeer } from '../helpers/scripted-peers.js'
import { codeOf, filled, ScriptedCluster, type Arrival } from './scripted-cluster.js'

const OTHER = { client: testPeer(0xbad), host: 'other-host', mode: 'exclusive' as const }
const holder = { ...OTHER, since: '2026-02-02T00:00:00.000Z' }
const EXTENT = 4 * 1024 * 1024

/** A cluster whose managers keep the record of who is attached. */
function managed(options: { readonly shared?: boolean } = {}) {
  const cluster = new ScriptedCluster(options)
  const asked: AttachRequest[] = []
  const detached: number[] = []
  cluster.hold([])
  cluster.push()
  cluster.attachReply = (request): AttachReply => {
    asked.push(request)
    const [volume] = cluster.configuration.volumes.values()
    const held = volume!.attachments.some(({ client }) => client !== cluster.peers.self)
    if (held && !request.takeover) return { kind: 'refused', code: 'in-use', reason: 'Held by x.' }
    cluster.hold([cluster.own])
    return { kind: 'attached', epoch: cluster.configuration.epoch }
  }
  cluster.detachReply = () => {
    cluster.hold([])
    detached.push(cluster.configuration.epoch)
    return { kind: 'detached', epoch: cluster.configuration.epoch }
  }
  const settle = <T>(work: Promise<T>): Promise<T> => cluster.clock.settle('a call', work)
  const write = (value: number, at = 0): Promise<void> =>
    cluster.open().write(byteOffset(at), filled(4096, value))
  const lose = (): void => {
    cluster.hold([holder])
    cluster.push()
  }
  return { cluster, asked, detached, settle, write, lose }
}

test('reading asks for nothing, the first write attaches, closing gives it back', async t => {
  const { cluster, asked, detached, settle, write } = managed()
  await settle(cluster.open().read(byteOffset(0), new Uint8Array(4096)))
  t.equal(asked.length, 0)
  await settle(Promise.all([write(1), write(2, 4096)]))
  t.equal(asked.length, 1, 'asked once for both')
  t.deepEqual({ ...asked[0] }, { volume: 1, host: 'host', mode: 'exclusive', takeover: false })
  const epochs = cluster.log.filter(({ kind }) => kind === 'write').map(sent => sent.epoch)
  const [volume] = cluster.configuration.volumes.values()
  t.ok(
    epochs.every(sent => sent === cluster.configuration.epoch),
    'under a configuration in which it is attached',
  )
  t.equal(volume!.attachments.length, 1)
  await cluster.clock.advance(3 * CLIENT_HEARTBEAT_MS)
  const beats = cluster.peers.notified.filter(sent => sent.operation === 'client-heartbeat')
  t.ok(beats.length >= 3 && beats.every(({ to }) => to === MANAGER), 'and says that it lives')
  await settle(cluster.driver.close())
  t.equal(detached.length, 1)
  t.ok(
    cluster.log.some(({ kind }) => kind === 'flush'),
    'after a FLUSH',
  )
})

test('a write is held until it is decided, and refused with who has it', async t => {
  const { cluster, asked, settle, write } = managed()
  cluster.hold([holder])
  cluster.push()
  t.equal(await settle(codeOf(write(1))), 'in-use')
  t.equal(cluster.log.length, 0, 'nothing was sent')
  const answer = cluster.attachReply
  cluster.attachReply = () => ({ kind: 'wait' })
  const written = write(2)
  await cluster.clock.advance(2_000)
  t.match(cluster.driver.held()?.reason ?? '', /managers to give access to volume data/)
  cluster.hold([])
  cluster.attachReply = answer
  await settle(written)
  t.equal(cluster.open().claimed, true)
  t.equal(asked.length, 2)
})

test('attach and release count; the last one flushes and gives it back', async t => {
  const { cluster, detached, settle, write } = managed()
  const volume = cluster.open()
  await settle(volume.attach())
  await settle(volume.attach())
  await settle(write(1))
  await settle(volume.release())
  t.equal(detached.length, 0)
  await settle(volume.release())
  t.equal(detached.length, 1)
  t.deepEqual(cluster.servers.durable(0, 0), filled(4096, 1), 'durable')
  await settle(write(2))
  t.ok(volume.claimed, 'it attaches again')
  cluster.detachReply = () => ({ kind: 'wait' })
  const closed = cluster.driver.close()
  await cluster.clock.settle('close', closed, DETACH_DEADLINE_MS + 1_000)
})

test('taking over: only who asks for it', async t => {
  const { cluster, asked, settle, write } = managed()
  cluster.hold([holder])
  cluster.push()
  const volume = cluster.open()
  t.equal(await settle(codeOf(volume.attach())), 'in-use')
  await settle(volume.attach({ takeover: true }))
  t.deepEqual(
    asked.map(({ takeover }) => takeover),
    [false, true],
  )
  await settle(write(1))
})

test('fenced: writes fail, one FLUSH says so, nothing is sent any more', async t => {
  const { cluster, settle, write, lose } = managed()
  const volume = cluster.open()
  await settle(write(1))
  const held: Arrival[] = []
  cluster.intercept = arrival => arrival.sent.kind === 'write' && held.push(arrival) > 0
  const underWay = codeOf(write(2, EXTENT))
  await cluster.clock.advance(10)
  lose()
  cluster.intercept = () => false
  t.equal(await settle(underWay), 'fenced', 'a write under way')
  t.equal(await settle(codeOf(write(3))), 'fenced', 'a new one')
  const sent = cluster.log.length
  const failure: unknown = await settle(
    volume.flush().then(
      () => null,
      (error: unknown) => error,
    ),
  )
  t.match(String(failure), /lost its access to volume data to host other-host at 2026-02-02/)
  await settle(volume.flush())
  t.equal(await settle(codeOf(write(4))), 'fenced')
  // All memory is lost: it has nothing to repeat.
  cluster.configuration = reallocated(cluster.configuration, 'all', {
    ...{ generation: generation(1), replicas: inSync(SERVER_B) },
  })
  cluster.push()
  for (const server of cluster.configuration.servers.keys()) cluster.peers.reroute(server)
  await cluster.clock.advance(60_000)
  t.equal(cluster.log.length, sent, 'nothing was sent since')
  await settle(volume.read(byteOffset(0), new Uint8Array(4096)))
  await settle(volume.attach({ takeover: true }))
  await settle(write(5))
  t.equal(cluster.log.at(-1)?.kind, 'write', 'who has nothing open may start anew')
})

test('whoever had it open when it was lost must close it first', async t => {
  const { cluster, settle, write, lose } = managed()
  const volume = cluster.open()
  await settle(volume.attach())
  await settle(write(1))
  lose()
  t.equal(await settle(codeOf(volume.attach({ takeover: true }))), 'fenced')
  await settle(volume.release())
  cluster.hold([])
  cluster.push()
  await settle(volume.attach())
  await settle(write(2))
  t.deepEqual(cluster.servers.content(0, 0, 4096), filled(4096, 2))
})

test('a server says that we have no access: the newest configuration decides', async t => {
  const { cluster, settle, write } = managed()
  await settle(write(1))
  cluster.intercept = arrival => {
    if (arrival.sent.kind === 'write') arrival.refuse('no-access')
    return arrival.sent.kind === 'write'
  }
  cluster.hold([holder]) // nobody tells us but the server's answer, which names its epoch
  t.equal(await settle(codeOf(write(2))), 'fenced')
})

test('others may have had it: a read comes after an answer of the primary', async t => {
  const { cluster, settle } = managed()
  cluster.hold([holder])
  cluster.push()
  const volume = cluster.open()
  const kinds = (): string =>
    cluster.log
      .splice(0)
      .map(({ kind }) => kind)
      .join()
  await settle(volume.read(byteOffset(0), new Uint8Array(10)))
  t.equal(kinds(), 'read', 'who only reads takes what there is')
  await settle(volume.attach({ takeover: true }))
  await settle(volume.read(byteOffset(0), new Uint8Array(10)))
  t.equal(kinds(), 'flush,read')
  await settle(volume.read(byteOffset(0), new Uint8Array(10)))
  t.equal(kinds(), 'read', 'once for a shard')
})

test('an attachment that nobody here knows of is given back', async t => {
  const { cluster, detached } = managed()
  cluster.open()
  cluster.hold([cluster.own])
  cluster.push()
  await cluster.clock.until('it is given back', () => detached.length === 1)
  t.ok(detached[0]! > epoch(5))
})

test('a shared mount says so', async t => {
  const { asked, settle, write } = managed({ shared: true })
  await settle(write(1))
  t.equal(asked[0]?.mode, 'shared')
})

test('memory lost on a shared volume: nothing is repeated, FLUSH says so once', async t => {
  const { cluster, settle, write } = managed({ shared: true })
  await settle(write(1))
  cluster.servers.loseMemory()
  cluster.configuration = reallocated(cluster.configuration, 'all', {
    ...{ generation: generation(1), replicas: inSync(SERVER_B) },
  })
  cluster.push()
  await cluster.clock.advance(1_000)
  t.equal(cluster.log.filter(({ kind }) => kind === 'write').length, 1)
  t.equal(await settle(codeOf(cluster.open().flush())), 'data-lost')
  await settle(cluster.open().flush())
  await settle(write(2))
  await settle(cluster.open().flush())
  t.deepEqual(cluster.servers.durable(0, 0), filled(4096, 2))
})
