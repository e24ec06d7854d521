// Access of clients to volumes, at the leader: conflicts, leases, clients that died on their host.
import test from 'tape'
import { volumeId, type PeerId } from '../../../src/base/brands.js'
import { CLIENT_HEARTBEAT_MS, CLIENT_LEASE_MS } from '../../../src/base/limits.js'
import type { AccessMode } from '../../../src/layout/configuration.js'
import type { VolumeDetail } from '../../../src/net/admin.js'
import type { AttachReply } from '../../../src/net/messages.js'
import { testPeer } from '../../helpers/scripted-peers.js'
import { A, B, Bench, C, GIB, resultOf } from '../manager-fixture.js'

const ONE = testPeer(0xc101)
const TWO = testPeer(0xc102)
const VOLUME = volumeId(1)

class AccessBench {
  readonly bench: Bench
  readonly #alive = new Set<PeerId>()

  private constructor(bench: Bench) {
    this.bench = bench
  }

  static async start(): Promise<AccessBench> {
    const bench = await Bench.start()
    for (const id of [A, B, C]) await bench.server(id)
    const volume = { name: 'data', size: GIB, replicas: 3, minInSync: null, force: false }
    resultOf(await bench.admin({ command: 'volume-create', ...volume }))
    return new AccessBench(bench)
  }

  /** Connected, and says every second that it lives. */
  connect(client: PeerId): void {
    this.bench.peers.connect(client, ['client'])
    this.#alive.add(client)
    this.#beat(client)
  }

  /** It says nothing any more; its link may stay. */
  silence(client: PeerId): void {
    this.#alive.delete(client)
  }

  #beat(client: PeerId): void {
    if (!this.#alive.has(client)) return
    this.bench.peers.deliver(client, 'client-heartbeat', {})
    this.bench.clock.after(CLIENT_HEARTBEAT_MS, () => this.#beat(client))
  }

  attach(
    client: PeerId,
    more: { readonly host?: string; readonly mode?: AccessMode; readonly takeover?: boolean } = {},
  ): Promise<AttachReply> {
    const request = { host: client.slice(-4), mode: 'exclusive' as const, takeover: false, ...more }
    const asked = this.bench.peers.ask(client, 'attach', { volume: VOLUME, ...request })
    return this.bench.clock.settle('attach', asked)
  }

  async show(): Promise<VolumeDetail> {
    return resultOf(await this.bench.admin({ command: 'volume-show', name: 'data' }))
  }

  async holders(): Promise<string> {
    return (await this.show()).attachments.map(({ host }) => host).join()
  }
}

test('one writer: others are refused, and told who it is', async t => {
  const access = await AccessBench.start()
  access.connect(ONE)
  access.connect(TWO)
  t.equal((await access.attach(ONE)).kind, 'attached')
  t.deepEqual(await access.attach(ONE), await access.attach(ONE), 'once more: the same')
  const refused = await access.attach(TWO)
  t.equal(refused.kind === 'refused' && refused.code, 'in-use')
  t.match(refused.kind === 'refused' ? refused.reason : '', /host c101 .* since 2026-.*--takeover/)
  const shared = await access.attach(TWO, { mode: 'shared' })
  t.equal(shared.kind === 'refused' && shared.code, 'in-use')
  const nothing = { volume: volumeId(77), host: 'h', mode: 'shared', takeover: false } as const
  const missing = await access.bench.peers.ask(ONE, 'attach', nothing)
  t.equal(missing.kind === 'refused' && missing.code, 'not-found')

  await access.bench.clock.advance(3 * CLIENT_LEASE_MS)
  t.equal((await access.attach(TWO)).kind, 'refused', 'it lives')
  const before = (await access.show()).placement[0]!.epoch
  const taken = await access.attach(TWO, { takeover: true })
  t.equal(taken.kind, 'attached')
  t.equal(await access.holders(), 'c102')
  const { placement } = await access.show()
  t.ok(placement[0]!.epoch > before, 'the first one is fenced')
  const changes = await access.bench.admin({ command: 'epoch-list', from: null, limit: 1 })
  t.match(JSON.stringify(changes), /attached by client .* taken over from host c101/)

  t.equal((await access.bench.peers.ask(ONE, 'detach', { volume: VOLUME })).kind, 'detached')
  t.equal(await access.holders(), 'c102', 'who has no access has none to give back')
  await access.bench.peers.ask(TWO, 'detach', { volume: VOLUME })
  t.equal(await access.holders(), '')
  t.equal((await access.attach(ONE)).kind, 'attached', 'it is free')
})

test('a silent client makes room after a lease, and not before it is wanted', async t => {
  const access = await AccessBench.start()
  access.connect(ONE)
  access.connect(TWO)
  await access.attach(ONE)
  await access.bench.clock.advance(5_000)
  access.silence(ONE)
  const [held] = (await access.show()).attachments
  t.match(held?.lastSeen ?? '', /^2026-/)
  t.equal(held?.expired, false)
  await access.bench.clock.advance(CLIENT_LEASE_MS - 2_000)
  t.equal((await access.attach(TWO)).kind, 'refused', 'within its lease')
  await access.bench.clock.advance(3_000)
  t.equal(await access.holders(), 'c101', 'it has it still: it may hold what it has yet to flush')
  t.equal((await access.show()).attachments[0]?.expired, true)
  t.equal((await access.attach(TWO)).kind, 'attached')
  t.equal(await access.holders(), 'c102')
})

test('a client that died makes room on its own host at once', async t => {
  const access = await AccessBench.start()
  access.connect(ONE)
  access.connect(TWO)
  await access.attach(ONE, { host: 'h' })
  const began = access.bench.clock.now()
  const alive = await access.attach(TWO, { host: 'h' })
  t.equal(alive.kind, 'refused', 'it lives')
  t.ok(access.bench.clock.now() - began <= 1_500, 'which is known within a second')

  access.silence(ONE)
  const asked = access.bench.clock.now()
  access.bench.clock.after(2_000, () => access.bench.peers.disconnect(ONE))
  t.equal((await access.attach(TWO, { host: 'other' })).kind, 'refused', 'not for another host')
  const reply = await access.attach(TWO, { host: 'h' })
  t.equal(reply.kind, 'attached', 'an attach waits for its link to be gone')
  const took = access.bench.clock.now() - asked
  t.ok(took >= 2_000 && took <= 4_500, `${took} ms`)
})

test('silent on the same host, but connected: it may only stand still', async t => {
  const access = await AccessBench.start()
  access.connect(ONE)
  access.connect(TWO)
  await access.attach(ONE, { host: 'h' })
  access.silence(ONE)
  t.equal((await access.attach(TWO, { host: 'h' })).kind, 'refused')
})

test('several share, and who is gone is forgotten when another one comes', async t => {
  const access = await AccessBench.start()
  access.connect(ONE)
  access.connect(TWO)
  await access.attach(ONE, { mode: 'shared' })
  t.equal((await access.attach(TWO, { mode: 'shared' })).kind, 'attached')
  t.equal(await access.holders(), 'c101,c102')
  access.silence(ONE)
  await access.bench.clock.advance(CLIENT_LEASE_MS + 1_000)
  t.equal(await access.holders(), 'c101,c102')
  const third = testPeer(0xc103)
  access.connect(third)
  await access.attach(third, { mode: 'shared' })
  t.equal(await access.holders(), 'c102,c103')
})

test('a volume that somebody has is not deleted, unless its lease is over', async t => {
  const access = await AccessBench.start()
  access.connect(ONE)
  await access.attach(ONE)
  const { bench } = access
  const refused = bench.admin({ command: 'volume-delete', name: 'data' })
  const kept = await bench.clock.settle('delete', refused)
  t.equal(!kept.ok && kept.code, 'in-use')
  t.match(kept.ok ? '' : kept.message, /attached at host c101/)
  access.silence(ONE)
  await access.bench.clock.advance(CLIENT_LEASE_MS + 1_000)
  const deleted = await access.bench.admin({ command: 'volume-delete', name: 'data' })
  t.ok(deleted.ok, 'nobody has it any more')
})

test('a volume that is being closed is deleted when it was given back', async t => {
  const access = await AccessBench.start()
  const { bench } = access
  access.connect(ONE)
  await access.attach(ONE)
  const deleted = bench.admin({ command: 'volume-delete', name: 'data' })
  const detached = bench.peers.ask(ONE, 'detach', { volume: VOLUME })
  t.equal((await bench.clock.settle('detach', detached)).kind, 'detached')
  t.ok((await bench.clock.settle('delete', deleted)).ok)
  t.notOk(bench.manager.configuration.volumes.has(VOLUME))
  await bench.manager.stop()
})
