// What one manager thinks of changes, by who it reaches.
import test from 'tape'
import { byteCount, incarnation, shardIndex, type PeerId } from '../../../src/base/brands.js'
import { apply } from '../../../src/layout/apply.js'
import type { Change } from '../../../src/layout/change.js'
import type { Configuration } from '../../../src/layout/configuration.js'
import { managerOpinion } from '../../../src/manager/proposals/manager-opinion.js'
import { inSync, reallocated, testVolume } from '../../helpers/configurations.js'
import {
  A,
  B,
  C,
  configuration,
  D,
  DELETE,
  fourServers,
  M2,
  M3,
  M4,
  REMOVE_C,
  SELF,
} from './proposals-fixture.js'

interface Reached {
  readonly servers?: readonly PeerId[]
  readonly managers?: readonly PeerId[]
}

function opinion(before: Configuration, change: Change, reached: Reached = {}): string {
  const outcome = apply(before, change)
  if (outcome.kind === 'refused') throw new Error(outcome.reason)
  const servers = reached.servers ?? [A, B, C, D]
  const { vote, policy, reason } = managerOpinion(
    { before, change, after: outcome.configuration },
    {
      self: SELF,
      servers: new Map(servers.map(id => [id, incarnation(1)])),
      managers: new Set([SELF, ...(reached.managers ?? [M2, M3])]),
    },
  )
  if (vote === 'approve') return 'approve'
  return policy ? reason : `not policy: ${reason}`
}

/** The volume with its copies on a and b only, and one of them enough or not. */
function twoCopies(minInSync: number): Configuration {
  const volume = testVolume({ replicas: 2, minInSync })
  const base = fourServers({ volumes: new Map([[volume.id, volume]]) })
  return reallocated(base, 'all', { replicas: inSync(C, A) })
}

test('a server with an in-sync copy is there: nothing is given up, whatever the start', t => {
  const before = allDown(fourServers(), A, B)
  const promote: Change = {
    ...{ kind: 'shard-promoted', volume: testVolume().id, shard: shardIndex(0), server: C },
    expected: before.volumes.get(testVolume().id)!.shards[0]!.epoch,
  }
  t.equal(opinion(before, promote, { servers: [C, D] }), 'approve')
  t.match(
    opinion(before, promote, { servers: [B, C] }),
    /^not policy: manager 0{8} reaches storage server b, which holds an in-sync copy of shard 0/,
  )
  t.end()
})

/** All have copies; those named are down and in-sync, the others are behind. */
function allDown(configured: Configuration, ...names: readonly PeerId[]): Configuration {
  const stale = [A, B, C].filter(id => !names.includes(id))
  const next = reallocated(configured, 'all', { replicas: inSync(...names), stale })
  const servers = new Map(next.servers)
  for (const id of names) servers.set(id, { ...servers.get(id)!, state: 'down' })
  return { ...next, servers }
}

const draining = (before: Configuration, server: PeerId): Configuration => {
  const outcome = apply(before, { kind: 'server-state', server, state: 'draining' })
  if (outcome.kind === 'refused') throw new Error(outcome.reason)
  return outcome.configuration
}

test('a server that is being emptied may leave when others have, or can have, its copies', t => {
  const drain: Change = { kind: 'server-state', server: C, state: 'draining' }
  t.equal(opinion(fourServers(), drain), 'approve')
  t.match(opinion(configuration(), drain), /there would be 2 without c$/, 'nowhere to go')
  t.equal(opinion(draining(fourServers(), C), REMOVE_C), 'approve', 'd takes what it had')
  const forced = draining(configuration(), C)
  t.match(opinion(forced, REMOVE_C), /there would be 2 without c$/, 'what it has goes with it')
  t.match(opinion(draining(forced, B), REMOVE_C), /without c$/, 'so if another one is emptied')
  const empty = reallocated(draining(fourServers(), C), 'all', { replicas: inSync(A, B, D) })
  t.equal(opinion(empty, REMOVE_C), 'approve')
  t.end()
})

test('a server may leave while every volume can keep its degree', t => {
  t.equal(opinion(fourServers(), REMOVE_C), 'approve')
  t.match(
    opinion(configuration(), REMOVE_C),
    /^volume data needs 3 storage servers for its 3 replicas, and there would be 2 without c$/,
    'impossible even if everybody came back',
  )
  t.match(
    opinion(fourServers(), REMOVE_C, { servers: [A, B, C] }),
    /^volume data needs 3 .* replicas, and manager 00000000 reaches 2 without c$/,
    'd is there, but not within reach',
  )
  t.equal(
    opinion(fourServers(), REMOVE_C, { servers: [A, B] }),
    'approve',
    'what is impossible already is no fault of the change',
  )
  t.end()
})

test('a server that restarted unheard, is draining or down counts for nothing', t => {
  const withD = (fields: object): Configuration => {
    const before = fourServers()
    const servers = new Map(before.servers).set(D, { ...before.servers.get(D)!, ...fields })
    return { ...before, servers }
  }
  const other = opinion(withD({ incarnation: incarnation(2) }), REMOVE_C)
  t.match(other, /reaches 2 without c/, 'another start than the recorded one')
  t.match(opinion(withD({ state: 'down' }), REMOVE_C), /reaches 2 without c/)
  t.match(opinion(withD({ state: 'draining' }), REMOVE_C), /there would be 2 without c/)
  t.end()
})

test('no shard may lose the in-sync copies that it needs and has', t => {
  t.equal(opinion(twoCopies(1), REMOVE_C), 'approve')
  t.match(
    opinion(twoCopies(2), REMOVE_C),
    /^writes to shard 0 of volume data would wait: it needs 2 .* would have 1 .*\(and 7 more\)$/,
  )
  t.equal(
    opinion(twoCopies(2), REMOVE_C, { servers: [A, B, D] }),
    'approve',
    'the copy that leaves was out of reach before',
  )
  t.end()
})

test('a new volume needs enough servers within reach', t => {
  const create: Change = {
    ...{ kind: 'volume-created', name: 'new', size: byteCount(4096 * 1024), minInSync: 2 },
    ...{ replicas: 3, placement: Array.from({ length: 8 }, () => [A, B, C]) },
  }
  t.equal(opinion(fourServers(), create), 'approve')
  t.equal(opinion(fourServers(), create, { servers: [A, B, D] }), 'approve')
  t.match(
    opinion(fourServers(), create, { servers: [A, B] }),
    /^volume new needs 3 .* manager 00000000 reaches 2$/,
  )
  t.equal(opinion(fourServers(), DELETE, { servers: [] }), 'approve', 'deleting needs nobody')
  t.end()
})

test('managers come when they are within reach, and go while a majority remains', t => {
  const add: Change = { kind: 'manager-added', manager: { id: M4, addresses: [] } }
  t.equal(opinion(configuration(), add, { managers: [M2, M3, M4] }), 'approve')
  t.match(opinion(configuration(), add), /^manager 00000000 does not reach 40000000$/)
  const remove: Change = { kind: 'manager-removed', manager: M3 }
  t.equal(opinion(configuration(), remove), 'approve')
  t.equal(opinion(configuration(), remove, { managers: [M2] }), 'approve', 'the lost one goes')
  t.match(
    opinion(configuration(), remove, { managers: [M3] }),
    /^of the 2 managers that remain, 00000000 reaches 1, and 2 must agree to every change$/,
  )
  t.end()
})
