// Reads without a lease: the rounds of questions, then whole servers that are cut off from
// managers, from each other, or were replaced without knowing it.
import test from 'tape'
import { epoch, generation, type PeerId } from '../../../src/base/brands.js'
import { LEASE_MS, STILL_CURRENT_MS } from '../../../src/base/limits.js'
import { ReadConfirmation } from '../../../src/storage/replica/read-confirmation.js'
import type { ReplicaContext } from '../../../src/storage/replica/replica-context.js'
import { ScriptedPeers } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'
import {
  inSync,
  MANAGER,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  SHARD,
  StorageCluster,
  syncing,
} from '../storage-cluster.js'

// ---- rounds ------------------------------------------------------------------------------------

class Rounds {
  readonly clock = new VirtualClock()
  readonly peers = new ScriptedPeers(this.clock)
  readonly state = {
    epoch: epoch(5),
    role: 'in-sync',
    others: [SERVER_B],
    proposed: [] as PeerId[],
  }
  readonly confirmation: ReadConfirmation
  readonly questions: ((reply: { readonly ok: boolean }) => void)[] = []

  constructor() {
    const { state, peers } = this
    const view = {
      get epoch() {
        return state.epoch
      },
      get role() {
        return state.role
      },
      inSyncOthers: () => state.others,
      proposed: () => state.proposed,
    }
    const here = (): unknown => ({ ...SHARD, allocation: state.epoch })
    const context = { state: view, host: { peers }, here } as unknown as ReplicaContext
    this.confirmation = new ReadConfirmation(context)
    peers.script = ({ answer }) => void this.questions.push(answer)
    for (const id of [SERVER_B, SERVER_C]) peers.connect(id, ['storage'])
  }

  /** Reads that want to know; gives the place where their results will be. */
  reads(count: number): boolean[] {
    const results: boolean[] = []
    for (let i = 0; i < count; i++) {
      void this.confirmation.confirmed().then(result => results.push(result))
    }
    return results
  }

  async answer(ok: boolean): Promise<void> {
    for (const answer of this.questions.splice(0)) answer({ ok })
    await this.clock.advance(1)
  }
}

test('one round of questions at a time; a read joins none that began before', async t => {
  const rounds = new Rounds()
  const first = rounds.reads(1)
  const later = rounds.reads(20)
  t.equal(rounds.questions.length, 1, 'one question')
  await rounds.answer(true)
  t.deepEqual(first, [true])
  t.deepEqual(later, [], 'that answer is too old for the others')
  t.equal(rounds.questions.length, 1, 'one more for all of them')
  await rounds.answer(false)
  t.equal(later.filter(confirmed => !confirmed).length, 20)
  const again = rounds.reads(1)
  await rounds.answer(true)
  t.deepEqual(again, [true], 'a refusal does not last')
})

test('every other in-sync replica must say so, in time', async t => {
  const rounds = new Rounds()
  rounds.state.others = [SERVER_B, SERVER_C]
  const results = rounds.reads(1)
  rounds.questions.shift()?.({ ok: true })
  await rounds.clock.advance(STILL_CURRENT_MS - 10)
  t.deepEqual(results, [])
  await rounds.clock.advance(20)
  t.deepEqual(results, [false], 'silence is no')
  rounds.peers.disconnect(SERVER_C)
  rounds.questions.length = 0
  const cut = rounds.reads(1)
  await rounds.answer(true)
  t.deepEqual(cut, [false])
  rounds.state.others = []
  const sole = rounds.reads(1)
  await rounds.clock.advance(1)
  t.deepEqual(sole, [true], 'a sole in-sync replica asks nobody')
})

test('what is answered: this allocation, in any role but none', async t => {
  const rounds = new Rounds()
  const ask = async (allocation: number): Promise<boolean> => {
    const reply = rounds.confirmation.stillCurrent({ ...SHARD, allocation: epoch(allocation) })
    await rounds.answer(true)
    return (await reply).ok
  }
  t.equal(await ask(5), true)
  t.equal(await ask(4), false)
  t.equal(await ask(6), false)
  rounds.state.role = 'syncing'
  t.equal(await ask(5), true)
  rounds.state.role = 'none'
  t.equal(await ask(5), false, 'restarted, or dropped')
})

test('the primary speaks for those it has proposed', async t => {
  const rounds = new Rounds()
  rounds.state.role = 'primary'
  rounds.state.proposed = [SERVER_C]
  const request = { ...SHARD, allocation: epoch(5) }
  const no = rounds.confirmation.stillCurrent(request)
  t.equal(rounds.questions.length, 2, 'asks them, and the in-sync ones')
  await rounds.answer(false)
  t.deepEqual(await no, { ok: false })
  const yes = rounds.confirmation.stillCurrent(request)
  await rounds.answer(true)
  t.deepEqual(await yes, { ok: true })
  const moved = rounds.confirmation.stillCurrent(request)
  rounds.state.epoch = epoch(6)
  await rounds.answer(true)
  t.deepEqual(await moved, { ok: false }, 'a new allocation meanwhile')
})

// ---- whole servers -----------------------------------------------------------------------------

const ALL = [SERVER_A, SERVER_B, SERVER_C] as const
const FIVE = epoch(5)

async function read(cluster: StorageCluster, id: PeerId, at = FIVE): Promise<[string, number]> {
  const { status, first } = await cluster.done('read', cluster.read(id, 0, at))
  return [status, first]
}

async function started(): Promise<StorageCluster> {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  // Everybody knows that it is committed: reads of it wait for nothing else.
  await cluster.clock.advance(100)
  return cluster
}

test('all managers are silent: reads and writes go on at every replica', async t => {
  const cluster = await started()
  await cluster.endLeases()
  for (const id of ALL) t.deepEqual(await read(cluster, id), ['ok', 1])
  t.equal(await cluster.wrote(0, 2), 'ok')
  for (const id of ALL) t.deepEqual(await read(cluster, id), ['ok', 2])
})

test('cut off from managers and replicas: nothing is served after the lease', async t => {
  const cluster = await started()
  for (const other of [MANAGER, SERVER_A, SERVER_B]) cluster.swarm.partition(SERVER_C, other)
  t.deepEqual(await read(cluster, SERVER_C), ['ok', 1], 'while the lease holds')
  await cluster.clock.advance(LEASE_MS + 1)
  for (let i = 0; i < 3; i++) t.equal((await read(cluster, SERVER_C))[0], 'not-serving')
  t.deepEqual(await read(cluster, SERVER_B), ['ok', 1], 'the others have leases')
  cluster.swarm.heal(SERVER_C, MANAGER)
  await cluster.clock.until(
    'it has a lease again',
    () => cluster.heartbeats.has(SERVER_C) && cluster.manager.find(SERVER_C) !== undefined,
  )
  await cluster.clock.advance(1_000)
  t.deepEqual(await read(cluster, SERVER_C), ['ok', 1])
})

test('cut off from managers only: the other replicas vouch', async t => {
  const cluster = await started()
  cluster.swarm.partition(SERVER_C, MANAGER)
  await cluster.clock.advance(LEASE_MS + 1)
  t.deepEqual(await read(cluster, SERVER_C), ['ok', 1])
})

test('cut off from managers and one replica: nobody vouches for that one', async t => {
  const cluster = await started()
  cluster.swarm.partition(SERVER_C, MANAGER)
  cluster.swarm.partition(SERVER_C, SERVER_A)
  await cluster.clock.advance(LEASE_MS + 1)
  t.equal((await read(cluster, SERVER_C))[0], 'not-serving')
})

test('replaced without knowing it: the others do', async t => {
  const cluster = await started()
  cluster.swarm.partition(SERVER_C, MANAGER)
  await cluster.clock.advance(LEASE_MS + 1)
  const tell = [SERVER_A, SERVER_B]
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)], { tell, stale: [SERVER_C] })
  await cluster.clock.until('a and b have it', () => {
    return tell.every(id => cluster.reports.get(id)?.epoch === 6)
  })
  t.equal(await cluster.wrote(0, 2), 'ok', 'a newer write is complete')
  t.equal((await read(cluster, SERVER_C))[0], 'not-serving', 'the old content is not shown')
})

test('a lease of a newer epoch is none before that is known', async t => {
  const cluster = await started()
  // It learns of epochs by heartbeats only, and the manager does not give it the configuration.
  cluster.swarm.partition(SERVER_C, MANAGER)
  await cluster.clock.advance(LEASE_MS + 1)
  const old = cluster.configuration
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B)], { tell: [], stale: [SERVER_C] })
  const next = cluster.configuration
  cluster.configuration = old
  cluster.heartbeatReply = () => ({
    kind: 'granted',
    epoch: epoch(6),
    leader: MANAGER,
    released: epoch(0),
  })
  cluster.swarm.heal(SERVER_C, MANAGER)
  for (const id of [SERVER_A, SERVER_B])
    cluster.manager.notify(id, 'configuration', { kind: 'full', configuration: next })
  await cluster.clock.until('c has an answer', () => cluster.heartbeats.get(SERVER_C)?.epoch === 5)
  await cluster.clock.advance(2_000)
  t.equal((await read(cluster, SERVER_C))[0], 'not-serving')
  cluster.configuration = next
})

test('replaced by a replica that was counted here: those who counted it ask it', async t => {
  for (const cutOff of [true, false]) {
    const cluster = await started()
    await cluster.restart(SERVER_C)
    cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C, 2)])
    await cluster.adopted()
    await cluster.caughtUp(SERVER_C)
    // From here on only c hears of what the managers decide: it is in-sync, then the only one.
    for (const id of [SERVER_A, SERVER_B]) cluster.swarm.partition(id, MANAGER)
    if (cutOff) for (const id of [SERVER_A, SERVER_B]) cluster.swarm.partition(id, SERVER_C)
    await cluster.clock.advance(LEASE_MS + 1)
    const tell = [SERVER_C]
    cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C, 2)], { tell })
    const volume = cluster.configuration.volumes.get(SHARD.volume)!
    const volumes = new Map(cluster.configuration.volumes)
    volumes.set(SHARD.volume, { ...volume, minInSync: 1 })
    cluster.configuration = { ...cluster.configuration, volumes }
    const eight = epoch(8)
    const shards = [...volume.shards]
    shards[0] = {
      ...{ epoch: eight, generation: generation(0), replicas: [inSync(SERVER_C, 2)] },
      stale: [SERVER_A, SERVER_B],
    }
    volumes.set(SHARD.volume, { ...volume, minInSync: 1, shards })
    cluster.publish({ ...cluster.configuration, epoch: eight, volumes }, tell)
    await cluster.clock.until('c is the only one', () => cluster.reports.get(SERVER_C)?.epoch === 8)
    t.equal(await cluster.wrote(0, 2, { to: SERVER_C }), 'ok', 'a newer write is complete')
    for (const id of [SERVER_A, SERVER_B]) {
      t.equal((await read(cluster, id, epoch(6)))[0], 'not-serving', `cut off: ${cutOff}`)
    }
  }
})

test('a replica that restarted vouches for nobody; a sole one needs nobody', async t => {
  const cluster = await started()
  await cluster.endLeases()
  await cluster.restart(SERVER_B)
  t.equal((await read(cluster, SERVER_C))[0], 'not-serving')
  cluster.reallocate([inSync(SERVER_C)], { stale: [SERVER_A, SERVER_B] })
  await cluster.adopted()
  for (const other of [MANAGER, SERVER_A, SERVER_B]) cluster.swarm.partition(SERVER_C, other)
  await cluster.clock.advance(LEASE_MS + 1)
  t.deepEqual(await read(cluster, SERVER_C, epoch(6)), ['ok', 1])
})
