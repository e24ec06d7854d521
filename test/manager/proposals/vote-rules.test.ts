// Facts and decisions, for every kind of change.
import test from 'tape'
import { epoch, incarnation, shardIndex, volumeId } from '../../../src/base/brands.js'
import { CREATED, server, serverId } from '../../layout/clusters.js'
import { testConfiguration } from '../../helpers/configurations.js'
import type { Change, ChangeKind, ChangeOf } from '../../../src/layout/change.js'
import { isVotedOn } from '../../../src/manager/proposals/vote-rules.js'
import { C, D, DELETE, M2, M4, REMOVE_C } from './proposals-fixture.js'

const before = testConfiguration()
const known = before.servers.get(C)!
const down: Change = {
  ...{ kind: 'server-down', server: C, incarnation: incarnation(1), live: [], reason: 'x' },
}
const created: Change = {
  ...{ kind: 'volume-created', name: 'v', size: known.capacity, replicas: 1, minInSync: 1 },
  placement: [],
}

const ATTACHED: ChangeOf<'volume-attached'> = {
  ...{ kind: 'volume-attached', volume: volumeId(1), client: D, host: 'h', mode: 'exclusive' },
  ...{ since: '2026-01-01T00:00:00.000Z', takeover: false },
}

const PROMOTE: Change = {
  ...{ kind: 'shard-promoted', volume: volumeId(1), shard: shardIndex(0), server: C },
  expected: epoch(5),
}

const SNAPSHOT: Change = {
  ...{ kind: 'snapshots-created', sealed: epoch(5), at: '2026-01-01T00:00:00.000Z' },
  snapshots: [],
}

test('decisions are voted on, facts are not', t => {
  const cases: Readonly<Record<ChangeKind, readonly [Change, boolean]>> = {
    'cluster-created': [CREATED, false],
    'manager-updated': [{ kind: 'manager-updated', manager: { id: M2, addresses: [] } }, false],
    'manager-added': [{ kind: 'manager-added', manager: { id: M4, addresses: [] } }, true],
    'manager-removed': [{ kind: 'manager-removed', manager: M2 }, true],
    'server-registered': [{ kind: 'server-registered', server: server(1) }, true],
    'server-down': [down, false],
    'server-removed': [REMOVE_C, true],
    'volume-created': [created, true],
    'volume-deleted': [DELETE, true],
    'volume-resized': [{ kind: 'volume-resized', volume: volumeId(1), size: known.capacity }, true],
    'volume-attached': [ATTACHED, false],
    'shard-promoted': [PROMOTE, true],
    'volume-detached': [{ kind: 'volume-detached', volume: ATTACHED.volume, client: D }, false],
    'shards-reallocated': [{ kind: 'shards-reallocated', reason: 'x', shards: [] }, false],
    'shards-moved': [{ kind: 'shards-moved', reason: 'x', shards: [] }, true],
    'server-state': [{ kind: 'server-state', server: C, state: 'draining' }, true],
    'replicas-caught-up': [{ kind: 'replicas-caught-up', replicas: [] }, false],
    'replicas-suspended': [{ kind: 'replicas-suspended', replicas: [] }, true],
    'volumes-sealed': [{ kind: 'volumes-sealed', snapshots: [] }, false],
    'snapshots-created': [SNAPSHOT, false],
    'seals-lifted': [{ kind: 'seals-lifted', volumes: [], reason: 'x' }, false],
    'snapshot-deleted': [{ kind: 'snapshot-deleted', volume: volumeId(1), name: 's' }, true],
    'volume-rolled-back': [{ kind: 'volume-rolled-back', volume: volumeId(1), name: 's' }, true],
    'volume-cloned': [
      { kind: 'volume-cloned', volume: volumeId(1), snapshot: 's', name: 'c' },
      true,
    ],
    'volume-flattened': [{ kind: 'volume-flattened', volume: volumeId(1) }, true],
    'volume-set': [
      { kind: 'volume-set', volume: volumeId(1), minInSync: 1, schedules: null },
      true,
    ],
  }
  for (const [kind, [change, voted]] of Object.entries(cases)) {
    t.equal(change.kind, kind)
    t.equal(isVotedOn(before, change), voted, kind)
  }
  t.end()
})

test('that a known server registers again is a fact', t => {
  t.notOk(before.servers.has(serverId(1)) || before.servers.has(D))
  const again: Change = {
    kind: 'server-registered',
    server: { ...known, incarnation: incarnation(9) },
  }
  t.notOk(isVotedOn({ ...before, epoch: epoch(9) }, again))
  t.end()
})
