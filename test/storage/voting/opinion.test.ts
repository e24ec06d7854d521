// What a server says to a proposal, by the configuration and by what it really holds.
import test from 'tape'
import {
  byteCount,
  generation,
  incarnation,
  shardIndex,
  volumeId,
  type PeerId,
} from '../../../src/base/brands.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change, ShardReallocation } from '../../../src/layout/change.js'
import type { Configuration, Replica } from '../../../src/layout/configuration.js'
import { freeze } from '../../../src/layout/layers.js'
import { roleIn } from '../../../src/storage/replication/replica-state.js'
import { opinionOf } from '../../../src/storage/voting/opinion.js'
import type { HeldShard, OwnView } from '../../../src/storage/voting/own-view.js'
import {
  reallocated,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  testConfiguration,
} from '../../helpers/configurations.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const FIVE = testConfiguration()
const inSync = (server: PeerId, at = 1): Replica => {
  return { server, state: 'in-sync', incarnation: incarnation(at) }
}
const syncing = (server: PeerId, at = 1): Replica => {
  return { server, state: 'syncing', incarnation: incarnation(at) }
}

/** A server that holds just what the configuration says, and reaches everybody. */
function viewOf(before: Configuration, self: PeerId, fields: Partial<OwnView> = {}): OwnView {
  const at = before.servers.get(self)?.incarnation ?? incarnation(1)
  return {
    self,
    incarnation: at,
    noRoom: '',
    stored: new Set(before.volumes.keys()),
    held: ({ volume, shard }) => {
      const allocation = before.volumes.get(volume)?.shards[shard]
      return allocation && heldAs(roleIn(allocation, { self, incarnation: at }))
    },
    stores: () => true,
    connected: () => true,
    reaches: () => true,
    ...fields,
  }
}

function heldAs(role: HeldShard['role'], fields: Partial<HeldShard> = {}): HeldShard {
  return { role, failing: [], source: null, counted: false, ...fields }
}

/** This server has restarted and registered since. */
function restarted(before: Configuration, server: PeerId): Configuration {
  const record = before.servers.get(server)!
  const servers = new Map(before.servers).set(server, { ...record, incarnation: incarnation(2) })
  return { ...before, servers }
}

const remove = (server: PeerId): Change => ({ kind: 'server-removed', server })

function move(
  before: Configuration,
  fields: Pick<ShardReallocation, 'replicas'> & Partial<ShardReallocation>,
): Change {
  const shard = shardIndex(0)
  const old = before.volumes.get(volumeId(1))!.shards[shard]!
  const plan = { ...{ volume: volumeId(1), shard, expected: old.epoch }, stale: old.stale }
  const item = { ...plan, generation: old.generation, ...fields }
  return { kind: 'shards-reallocated', reason: 'a test', shards: [item] }
}

const create = (...servers: readonly PeerId[]): Change => ({
  ...{ kind: 'volume-created', name: 'more', size: byteCount(2 ** 20), replicas: 2, minInSync: 1 },
  placement: Array.from({ length: 8 }, () => servers),
})

const caughtUp = (before: Configuration, server: PeerId): Change => ({
  kind: 'replicas-caught-up',
  replicas: [{ volume: volumeId(1), shard: shardIndex(0), server, expected: before.epoch }],
})

/** 'approve', 'abstain', 'policy: …' or 'safety: …' */
function say(before: Configuration, change: Change, view: OwnView): string {
  const { reply, after } = opinionOf(before, change, view)
  if ((after !== null) !== (reply.vote === 'approve')) return 'a result without an approval'
  if (reply.vote !== 'refuse') return reply.vote
  return `${reply.policy ? 'policy' : 'safety'}: ${reply.reason}`
}

const ALONE = reallocated(FIVE, 'all', { replicas: [inSync(SERVER_A)], stale: [SERVER_B] })
const SYNCING = reallocated(FIVE, 0, { replicas: [inSync(SERVER_B), syncing(SERVER_A)] })

test('leaving: not with the last in-sync copy', t => {
  const leave = remove(SERVER_A)
  t.equal(say(FIVE, leave, viewOf(FIVE, SERVER_A)), 'approve', 'others are in-sync')
  t.equal(
    say(ALONE, leave, viewOf(ALONE, SERVER_A)),
    'safety: storage server a holds the last in-sync copy of shard 0 of volume data ' +
      '(and 7 more): wait until another server has one',
  )
  const one = reallocated(FIVE, 3, { replicas: [inSync(SERVER_A), syncing(SERVER_B)] })
  t.equal(
    say(one, leave, viewOf(one, SERVER_A)),
    'safety: storage server a holds the last in-sync copy of shard 3 of volume data: ' +
      'wait until another server has one',
    'one that catches up does not count',
  )
  const others = restarted(restarted(FIVE, SERVER_B), SERVER_C)
  t.ok(
    say(others, leave, viewOf(others, SERVER_A)).startsWith('safety: storage server a holds'),
    'nor one that has restarted',
  )
  const own = restarted(FIVE, SERVER_A)
  t.equal(say(own, leave, viewOf(own, SERVER_A)), 'approve', 'our own old copy is not needed')
  t.end()
})

test('leaving: not when the others only exist in the configuration', t => {
  const leave = remove(SERVER_A)
  const cutOff = viewOf(FIVE, SERVER_A, { reaches: () => false })
  t.equal(
    say(FIVE, leave, cutOff),
    'safety: storage server a holds the last in-sync copy of shard 0 of volume data that can be ' +
      'reached (and 7 more): wait until another server has one',
  )
  const half = viewOf(FIVE, SERVER_A, { reaches: server => server === SERVER_C })
  t.equal(say(FIVE, leave, half), 'approve', 'one of them is enough')
  const newStarts = viewOf(FIVE, SERVER_A, { reaches: (_server, start) => start !== 1 })
  t.ok(say(FIVE, leave, newStarts).startsWith('safety'), 'another start of it is not')
  const full = viewOf(FIVE, SERVER_A, {
    held: ({ shard }) => heldAs('primary', { failing: shard === 6 ? [SERVER_B, SERVER_C] : [] }),
  })
  t.ok(say(FIVE, leave, full).includes('shard 6 of volume data that can be reached:'))
  t.equal(say(FIVE, remove(SERVER_B), cutOff), 'approve', 'that is for b to say')
  t.end()
})

test('what the rules refuse is refused', t => {
  t.ok(say(ALONE, remove(SERVER_A), viewOf(ALONE, SERVER_B)).startsWith('safety: '))
  t.ok(say(FIVE, remove(testPeer(9)), viewOf(FIVE, SERVER_A)).startsWith('safety: '))
  t.end()
})

test('a new volume: room, and no data of an earlier one', t => {
  const change = create(SERVER_A, SERVER_B)
  t.equal(say(FIVE, change, viewOf(FIVE, SERVER_A)), 'approve')
  const full = { noRoom: 'no space left: writes wait until there is some' }
  t.equal(
    say(FIVE, change, viewOf(FIVE, SERVER_A, full)),
    'policy: storage server a has no room for it: no space left: writes wait until there is some',
  )
  t.equal(say(FIVE, change, viewOf(FIVE, SERVER_C, full)), 'approve', 'nothing of it comes here')
  const stored = new Set([volumeId(1), FIVE.nextVolume])
  const known = say(FIVE, change, viewOf(FIVE, SERVER_A, { ...full, stored }))
  t.ok(known.startsWith('safety: storage server a holds data of an earlier volume number 2'), known)
  t.equal(say(FIVE, change, viewOf(FIVE, SERVER_C, { stored })), 'approve')
  t.end()
})

test('a volume that grows: room, where there are copies of it', t => {
  const size = byteCount(2 ** 40)
  const change: Change = { kind: 'volume-resized', volume: volumeId(1), size }
  t.equal(say(FIVE, change, viewOf(FIVE, SERVER_A)), 'approve')
  const full = { noRoom: 'no space left' }
  t.equal(
    say(FIVE, change, viewOf(FIVE, SERVER_A, full)),
    'policy: storage server a has no room for more of volume data: no space left',
  )
  t.equal(say(FIVE, change, viewOf(FIVE, testPeer(9), full)), 'approve', 'nothing of it is here')
  const smaller = { ...change, size: byteCount(4096) }
  t.match(say(FIVE, smaller, viewOf(FIVE, SERVER_A)), /^safety: .* no volume is made smaller/)
  t.end()
})

test('a clone: no data of an earlier volume, and begun everywhere before it is flattened', t => {
  const volume = FIVE.volumes.get(volumeId(1))!
  const { size } = volume
  const snapshot = { name: 's', layer: 1, at: '', epoch: FIVE.epoch, size, source: null }
  const frozen = { ...volume, layers: freeze(volume.layers), snapshots: [snapshot] }
  const before = { ...FIVE, volumes: new Map(FIVE.volumes).set(volume.id, frozen) }
  const clone: Change = { kind: 'volume-cloned', volume: volume.id, snapshot: 's', name: 'c' }
  t.equal(say(before, clone, viewOf(before, SERVER_A)), 'approve')
  const stored = new Set([volumeId(1), FIVE.nextVolume])
  const known = say(before, clone, viewOf(before, SERVER_A, { stored }))
  t.ok(known.startsWith('safety: storage server a holds data of an earlier volume number 2'), known)
  const outcome = apply(before, clone)
  if (outcome.kind === 'refused') throw new Error(outcome.reason)
  const after = outcome.configuration
  const flatten: Change = { kind: 'volume-flattened', volume: FIVE.nextVolume }
  t.equal(say(after, flatten, viewOf(after, SERVER_A)), 'approve')
  const none = { held: () => undefined }
  t.equal(
    say(after, flatten, viewOf(after, SERVER_A, none)),
    'safety: storage server a has not begun its copy of shard 0 of volume c',
  )
  t.equal(say(after, flatten, viewOf(after, testPeer(9), none)), 'approve', 'has none to begin')
  t.end()
})

test('a copy becomes in-sync only where it is', t => {
  const change = caughtUp(SYNCING, SERVER_A)
  const holding = (held: HeldShard | undefined): OwnView =>
    viewOf(SYNCING, SERVER_A, { held: () => held })
  t.equal(say(SYNCING, change, holding(heldAs('syncing'))), 'abstain', 'not that we know of')
  t.equal(say(SYNCING, change, holding(heldAs('syncing', { counted: true }))), 'approve')
  t.equal(say(SYNCING, change, holding(undefined)), 'abstain')
  t.equal(say(SYNCING, change, viewOf(SYNCING, SERVER_B)), 'approve', 'the primary knows best')
  const other = viewOf(SYNCING, SERVER_A, { incarnation: incarnation(2) })
  t.equal(say(SYNCING, change, other), 'abstain', 'another start of ours')
  t.end()
})

test('a shard resumes from a copy that is here', t => {
  const before = [SERVER_A, SERVER_B, SERVER_C].reduce(restarted, FIVE)
  const change = move(before, {
    replicas: [inSync(SERVER_A, 2)],
    stale: [SERVER_B, SERVER_C],
    generation: generation(1),
  })
  t.equal(say(before, change, viewOf(before, SERVER_A)), 'approve')
  t.equal(say(before, change, viewOf(before, SERVER_B)), 'approve')
  t.equal(
    say(before, change, viewOf(before, SERVER_A, { held: () => undefined })),
    'safety: storage server a cannot open its copy of shard 0 of volume data',
  )
  t.end()
})

test('a shard goes on from a copy that was behind', t => {
  const next = reallocated(FIVE, 0, { replicas: [inSync(SERVER_A)], stale: [SERVER_B, SERVER_C] })
  const servers = new Map(next.servers)
  servers.set(SERVER_A, { ...servers.get(SERVER_A)!, state: 'down' })
  const before = { ...next, servers }
  const change: Change = {
    ...{ kind: 'shard-promoted', volume: volumeId(1), shard: shardIndex(0), server: SERVER_C },
    expected: next.epoch,
  }
  const alone = { connected: () => false }
  for (const id of [SERVER_B, SERVER_C]) {
    t.equal(say(before, change, viewOf(before, id, alone)), 'approve', 'nobody else is there')
    const name = `storage server ${id.slice(-1)}`
    const sees = { connected: (other: PeerId) => other === SERVER_A, reaches: () => false }
    t.equal(
      say(before, change, viewOf(before, id, sees)),
      `safety: ${name} reaches storage server a, which holds an in-sync copy of shard 0 of ` +
        'volume data: wait for it',
      'whatever start of it',
    )
  }
  t.equal(
    say(before, change, viewOf(before, SERVER_A, alone)),
    'safety: storage server a holds an in-sync copy of shard 0 of volume data: wait until it has ' +
      'registered',
  )
  const empty = { ...alone, stores: () => false }
  t.equal(
    say(before, change, viewOf(before, SERVER_C, empty)),
    'safety: storage server c has no copy of shard 0 of volume data on its disk',
  )
  t.equal(say(before, change, viewOf(before, SERVER_B, empty)), 'approve', 'it is not the one')
  t.match(say(next, change, viewOf(next, SERVER_C, alone)), /^safety: .*"a" has an in-sync copy/)
  t.end()
})

test('a copy that is being taken stays until that is done', t => {
  const before = reallocated(FIVE, 0, {
    replicas: [inSync(SERVER_B), inSync(SERVER_C), syncing(SERVER_A)],
  })
  const copying = viewOf(before, SERVER_A, {
    held: ({ shard }) => heldAs(shard === 0 ? 'syncing' : 'in-sync', { source: SERVER_B }),
  })
  const refusal =
    'policy: shard 0 of volume data is being copied from storage server b: wait until that is done'
  t.equal(say(before, remove(SERVER_B), copying), refusal)
  const dropped = { replicas: [inSync(SERVER_C), syncing(SERVER_A)], stale: [SERVER_B] }
  t.equal(say(before, move(before, dropped), copying), refusal)
  t.equal(say(before, remove(SERVER_C), copying), 'approve', 'another copy')
  t.equal(say(before, remove(SERVER_B), viewOf(before, SERVER_A)), 'approve', 'not yet begun')
  const bounced = restarted(before, SERVER_B)
  t.equal(say(bounced, move(bounced, dropped), copying), 'approve', 'it has restarted anyway')
  const without = { replicas: [inSync(SERVER_C)], stale: [SERVER_A, SERVER_B] }
  t.equal(say(before, move(before, without), copying), 'approve', 'ours is given up too')
  t.end()
})

test('everything else is approved', t => {
  const view = viewOf(FIVE, SERVER_A)
  const changes: readonly Change[] = [
    { kind: 'volume-deleted', volume: volumeId(1) },
    { kind: 'manager-added', manager: { id: SERVER_A, addresses: [] } },
    {
      ...{ kind: 'server-down', server: SERVER_B, incarnation: incarnation(1), reason: 'silence' },
      live: [SERVER_A, SERVER_C],
    },
    move(FIVE, { replicas: [inSync(SERVER_B), inSync(SERVER_A), inSync(SERVER_C)] }),
  ]
  for (const change of changes) t.equal(say(FIVE, change, view), 'approve', change.kind)
  t.end()
})

/** Shard 0 as a planner would have it, by a decision. */
function decide(before: Configuration, fields: Parameters<typeof move>[1]): Change {
  return { ...move(before, fields), kind: 'shards-moved' } as Change
}

const SERVER_D = testPeer(0xd)
const WITH_D: Configuration = {
  ...FIVE,
  servers: new Map(FIVE.servers).set(SERVER_D, {
    ...FIVE.servers.get(SERVER_A)!,
    ...{ id: SERVER_D, name: 'd', domain: 'd' },
  }),
}
const FOUR_COPIES = reallocated(WITH_D, 0, {
  replicas: [inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C), inSync(SERVER_D)],
})

test('moving: a new copy needs room', t => {
  const all = [inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C), syncing(SERVER_D)]
  const copy = decide(WITH_D, { replicas: all })
  const full = { noRoom: 'no space left' }
  for (const server of [SERVER_A, SERVER_B, SERVER_C, SERVER_D]) {
    t.equal(say(WITH_D, copy, viewOf(WITH_D, server)), 'approve')
  }
  t.equal(
    say(WITH_D, copy, viewOf(WITH_D, SERVER_D, full)),
    'policy: storage server d has no room for shard 0 of volume data: no space left',
  )
  t.equal(say(WITH_D, copy, viewOf(WITH_D, SERVER_A, full)), 'approve', 'it has its copy')
  const old = reallocated(WITH_D, 0, { stale: [SERVER_D] })
  const back = decide(old, { replicas: all, stale: [] })
  t.equal(say(old, back, viewOf(old, SERVER_D, full)), 'approve', 'so has one that was here')
  t.end()
})

test('moving: a copy goes only where enough others work', t => {
  const rest = [inSync(SERVER_B), inSync(SERVER_C), inSync(SERVER_D)]
  const drop = decide(FOUR_COPIES, { replicas: rest })
  for (const server of [SERVER_A, SERVER_B, SERVER_C, SERVER_D]) {
    t.equal(say(FOUR_COPIES, drop, viewOf(FOUR_COPIES, server)), 'approve')
  }
  const alone = viewOf(FOUR_COPIES, SERVER_A, { reaches: () => false })
  t.equal(
    say(FOUR_COPIES, drop, alone),
    'safety: storage server a knows of no other in-sync copy of shard 0 of volume data that works',
  )
  const failing = viewOf(FOUR_COPIES, SERVER_A, {
    held: () => heldAs('primary', { failing: [SERVER_B, SERVER_C] }),
  })
  t.equal(
    say(FOUR_COPIES, drop, failing),
    'policy: as far as storage server a can tell, 1 in-sync copies of shard 0 of volume data ' +
      'would work, and its writes need 2',
  )
  const three = decide(FOUR_COPIES, {
    replicas: [inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C)],
  })
  const cutOff = viewOf(FOUR_COPIES, SERVER_A, { reaches: server => server === SERVER_D })
  t.match(say(FOUR_COPIES, three, cutOff), /^policy: as far as .* 1 in-sync/, 'one that stays')
  t.equal(say(FOUR_COPIES, three, viewOf(FOUR_COPIES, SERVER_A)), 'approve')
  const one = decide(FOUR_COPIES, { replicas: [inSync(SERVER_A)] })
  t.match(say(FOUR_COPIES, one, viewOf(FOUR_COPIES, SERVER_A)), /^safety: .* wait until/)
  const copy = decide(WITH_D, {
    replicas: [inSync(SERVER_A), inSync(SERVER_B), inSync(SERVER_C), syncing(SERVER_D)],
  })
  const cut = viewOf(WITH_D, SERVER_A, { reaches: () => false })
  t.equal(say(WITH_D, copy, cut), 'approve', 'a copy more takes nothing')
  t.end()
})

test('moving: not in-sync what is not', t => {
  const before = reallocated(WITH_D, 0, {
    replicas: [inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_D)],
  })
  const promote = decide(before, { replicas: [inSync(SERVER_A), inSync(SERVER_D)] })
  t.match(say(before, promote, viewOf(before, SERVER_D)), /^safety: .*only by catching up/)
  t.end()
})

const suspend = (
  server: PeerId,
  cause: 'failing' | 'unreachable',
  before: Configuration = FIVE,
): Change => {
  const place = { volume: volumeId(1), shard: shardIndex(0) }
  const { epoch: expected } = before.volumes.get(place.volume)!.shards[place.shard]!
  return { kind: 'replicas-suspended', replicas: [{ ...place, server, expected, cause }] }
}

test('suspending: whoever stays must work, whoever goes cannot tell', t => {
  const change = suspend(SERVER_B, 'unreachable')
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) {
    t.equal(say(FIVE, change, viewOf(FIVE, server)), 'approve')
  }
  const cutOff = { reaches: () => false }
  t.equal(say(FIVE, change, viewOf(FIVE, SERVER_B, cutOff)), 'approve', 'it stops serving')
  const failing = viewOf(FIVE, SERVER_A, {
    held: () => heldAs('primary', { failing: [SERVER_B] }),
  })
  t.equal(say(FIVE, change, failing), 'approve', 'the one that goes need not work')
  t.end()
})

test('suspending: a full disk is not replaced by another full one', t => {
  const full = { noRoom: 'no space left' }
  const change = suspend(SERVER_B, 'failing')
  t.match(say(FIVE, change, viewOf(FIVE, SERVER_A, full)), /^policy: .*has no room either/)
  t.equal(say(FIVE, change, viewOf(FIVE, SERVER_B, full)), 'approve', 'it is the one that is full')
  const cut = suspend(SERVER_B, 'unreachable')
  t.equal(say(FIVE, cut, viewOf(FIVE, SERVER_A, full)), 'approve', 'that is not about room')
  t.end()
})
