// Random but valid messages of every operation, from a seed.
import { byteCount, type PeerId } from '../../../src/base/brands.js'
import type * as mm from '../../../src/net/manager-messages.js'
import type * as m from '../../../src/net/messages.js'
import type { OperationName, Reply, Request } from '../../../src/net/operations.js'
import type { SeededRandom } from '../../simulator/seeded-random.js'
import { SUSPENSION_CAUSES } from '../../../src/layout/change.js'
import { scrubSamples } from './scrub-samples.js'
import * as s from './samples.js'

export interface MessageSample<O extends OperationName> {
  readonly request: (random: SeededRandom) => Request<O>
  readonly reply: Reply<O> extends null ? null : (random: SeededRandom) => Reply<O>
}

const bool = (r: SeededRandom): boolean => r.chance(0.5)
const count = (r: SeededRandom): number => s.number(r, 2 ** 32)
const blocks = (r: SeededRandom): number => 1 + r.below(512)
const content = (r: SeededRandom, size: number): Uint8Array =>
  new Uint8Array(size).fill(r.below(256))
const sentence = (r: SeededRandom): string => r.pick(['', 'disk full', 'größer als vorher'])

const shardName = (r: SeededRandom): m.ShardName => ({ volume: s.volumeId(r), shard: s.shard(r) })
const shardMessage = (r: SeededRandom): m.ShardMessage => ({
  ...shardName(r),
  allocation: s.epoch(r),
})
const origin = (r: SeededRandom): m.Origin => ({ client: s.peer(r), request: s.request(r) })
const executed = (r: SeededRandom): m.ExecutedWrite => ({
  ...origin(r),
  block: s.block(r),
  blocks: blocks(r),
})

function dataReply(r: SeededRandom): m.DataReply {
  return {
    status: r.pick([
      'ok',
      'stale-epoch',
      'not-serving',
      'corrupt',
      'disk-full',
      'disk-error',
      'out-of-range',
    ]),
    epoch: s.epoch(r),
    generation: s.generation(r),
    queue: count(r),
    durable: bool(r),
    payload: content(r, r.below(3) * 1000),
  }
}

function configurationUpdate(r: SeededRandom): m.ConfigurationUpdate {
  return r.pick<() => m.ConfigurationUpdate>([
    () => ({ kind: 'current', epoch: s.epoch(r) }),
    () => ({ kind: 'delta', delta: s.delta(r) }),
    () => ({ kind: 'full', configuration: s.configuration(r) }),
  ])()
}

function proposalVoteRequest(r: SeededRandom): mm.ProposalVoteRequest {
  return { base: s.epoch(r), change: r.pick(s.changes(r)) }
}

function proposalVoteReply(r: SeededRandom): mm.ProposalVoteReply {
  return {
    vote: r.pick(['approve', 'refuse', 'abstain']),
    policy: bool(r),
    reason: sentence(r),
  }
}

const term = (r: SeededRandom): mm.Term => s.number(r, Number.MAX_SAFE_INTEGER) as mm.Term
const index = (r: SeededRandom): mm.LogIndex => s.number(r, Number.MAX_SAFE_INTEGER) as mm.LogIndex
const members = (r: SeededRandom): readonly PeerId[] => s.several(r, 5, () => s.peer(r))
const moment = (r: SeededRandom): number => s.number(r, 2 ** 40) / 8

function logEntry(r: SeededRandom): mm.LogEntry {
  return {
    index: index(r),
    term: term(r),
    members: bool(r) ? null : members(r),
    data: content(r, r.pick([0, 1, 300])),
  }
}

function raftMessage(r: SeededRandom): mm.RaftMessage {
  return r.pick<() => mm.RaftMessage>([
    () => ({
      kind: 'vote-request',
      term: term(r),
      pre: bool(r),
      takeOver: bool(r),
      lastIndex: index(r),
      lastTerm: term(r),
    }),
    () => ({ kind: 'vote-reply', term: term(r), pre: bool(r), granted: bool(r) }),
    () => ({
      kind: 'append',
      term: term(r),
      previousIndex: index(r),
      previousTerm: term(r),
      commit: index(r),
      entries: s.several(r, 4, () => logEntry(r)),
    }),
    () => ({
      kind: 'append-reply',
      term: term(r),
      accepted: bool(r),
      index: index(r),
      hintTerm: term(r),
    }),
    () => ({ kind: 'heartbeat', term: term(r), commit: index(r), sentAt: moment(r) }),
    () => ({ kind: 'heartbeat-reply', term: term(r), sentAt: moment(r) }),
    () => ({
      kind: 'snapshot',
      term: term(r),
      snapshot: {
        index: index(r),
        term: term(r),
        members: members(r),
        data: content(r, r.below(1000)),
      },
    }),
    () => ({ kind: 'take-over', term: term(r) }),
  ])()
}

const access = {
  read: {
    request: r => ({
      ...shardName(r),
      epoch: s.epoch(r),
      layer: s.number(r, 2 ** 32),
      offset: s.byteOffset(r),
      length: byteCount(s.number(r, 1024 * 1024 + 1)),
    }),
    reply: dataReply,
  } satisfies MessageSample<'read'>,
  write: {
    request: r => ({
      ...shardName(r),
      epoch: s.epoch(r),
      offset: s.byteOffset(r),
      request: s.request(r),
      completeBelow: s.request(r),
      durable: bool(r),
      payload: content(r, 1 + r.below(3) * 5000),
    }),
    reply: dataReply,
  } satisfies MessageSample<'write'>,
  flush: {
    request: r => ({ ...shardName(r), epoch: s.epoch(r) }),
    reply: dataReply,
  } satisfies MessageSample<'flush'>,
  ...scrubSamples,
  'held-blocks': {
    request: r => ({
      ...shardName(r),
      epoch: s.epoch(r),
      layers: [count(r), ...s.several(r, 3, () => count(r))],
      block: s.block(r),
      blocks: 1 + s.number(r, 2 ** 40),
    }),
    reply: dataReply,
  } satisfies MessageSample<'held-blocks'>,
}

const replication = {
  replicate: {
    request: r => ({
      ...shardMessage(r),
      sequence: s.sequence(r),
      block: s.block(r),
      origins: s.several(r, 3, () => origin(r)),
      settling: bool(r),
      durable: bool(r),
      committed: s.sequence(r),
      complete: s.several(r, 3, () => origin(r)),
      payload: content(r, 4096 * (1 + r.below(3))),
    }),
    reply: null,
  } satisfies MessageSample<'replicate'>,
  replicated: {
    request: r => ({
      ...shardMessage(r),
      sequence: s.sequence(r),
      durable: s.sequence(r),
      applied: bool(r),
      resume: bool(r),
    }),
    reply: null,
  } satisfies MessageSample<'replicated'>,
  committed: {
    request: r => ({ ...shardMessage(r), sequence: s.sequence(r), skip: bool(r) }),
    reply: null,
  } satisfies MessageSample<'committed'>,
  gather: {
    request: r => ({ ...shardMessage(r), primary: s.peer(r) }),
    reply: r => ({
      ok: bool(r),
      uncommitted: s.several(r, 3, () => ({
        block: s.block(r),
        blocks: blocks(r),
        origins: s.several(r, 2, () => origin(r)),
      })),
      executed: s.several(r, 3, () => executed(r)),
    }),
  } satisfies MessageSample<'gather'>,
  sync: {
    request: shardMessage,
    reply: r => ({ ok: bool(r) }),
  } satisfies MessageSample<'sync'>,
  'still-current': {
    request: shardMessage,
    reply: r => ({ ok: bool(r) }),
  } satisfies MessageSample<'still-current'>,
}

const comparing = {
  summaries: {
    request: r => ({
      ...shardMessage(r),
      layer: count(r),
      firstPage: count(r),
      pages: 1 + r.below(65_536),
    }),
    reply: r => ({
      ok: bool(r),
      summaries: s.several(r, 5, () => ({ page: count(r), hash: r.bytes(16) })),
      pageCount: count(r),
    }),
  } satisfies MessageSample<'summaries'>,
  'index-page': {
    request: r => ({ ...shardMessage(r), layer: count(r), page: count(r) }),
    reply: r => ({ ok: bool(r), payload: content(r, r.pick([0, 4096])) }),
  } satisfies MessageSample<'index-page'>,
  blocks: {
    request: r => ({ ...shardMessage(r), layer: count(r), block: s.block(r), blocks: blocks(r) }),
    reply: r => ({
      status: r.pick(['ok', 'refused', 'corrupt']),
      entries: r.bytes(8 * r.below(10)),
      busy: r.below(2) === 1,
      payload: content(r, 4096 * r.below(4)),
    }),
  } satisfies MessageSample<'blocks'>,
  'caught-up': {
    request: r => ({ ...shardMessage(r), applied: s.sequence(r) }),
    reply: r => ({ counted: bool(r), executed: s.several(r, 3, () => executed(r)) }),
  } satisfies MessageSample<'caught-up'>,
}

const reports = {
  register: {
    request: r => ({
      name: s.name(r),
      domain: s.name(r),
      capacity: s.byteCount(r),
      weight: r.below(100) / 4,
      incarnation: s.incarnation(r),
      addresses: s.addresses(r),
    }),
    reply: r =>
      r.pick<() => m.RegisterReply>([
        () => ({ kind: 'registered', epoch: s.epoch(r) }),
        () => ({ kind: 'refused', reason: sentence(r) }),
        () => ({ kind: 'wait' }),
      ])(),
  } satisfies MessageSample<'register'>,
  'storage-report': {
    request: r => ({
      incarnation: s.incarnation(r),
      epoch: s.epoch(r),
      used: s.byteCount(r),
      free: s.byteCount(r),
      corruptBlocks: count(r),
      problem: sentence(r),
      syncing: s.several(r, 4, () => ({ ...shardName(r), bytesLeft: s.byteCount(r) })),
      merging: s.several(r, 4, () => ({ ...shardName(r), bytesLeft: s.byteCount(r) })),
      served: {
        ...{ reads: s.byteCount(r), writes: s.byteCount(r), flushes: s.byteCount(r) },
        ...{ bytesRead: s.byteCount(r), bytesWritten: s.byteCount(r) },
      },
      recovered: s.byteCount(r),
    }),
    reply: null,
  } satisfies MessageSample<'storage-report'>,
  mismatch: {
    request: r => ({ ...shardName(r), seen: s.epoch(r), own: s.epoch(r), from: s.peer(r) }),
    reply: null,
  } satisfies MessageSample<'mismatch'>,
  'caught-up-proposal': {
    request: r => ({
      replicas: s.several(r, 4, () => ({ ...shardMessage(r), server: s.peer(r) })),
    }),
    reply: null,
  } satisfies MessageSample<'caught-up-proposal'>,
  'suspend-proposal': {
    request: r => ({
      replicas: s.several(r, 4, () => ({
        ...shardMessage(r),
        server: s.peer(r),
        cause: r.pick(SUSPENSION_CAUSES),
      })),
    }),
    reply: null,
  } satisfies MessageSample<'suspend-proposal'>,
  sealed: {
    request: r => ({ shards: s.several(r, 4, () => ({ ...shardMessage(r), seal: s.epoch(r) })) }),
    reply: null,
  } satisfies MessageSample<'sealed'>,
  'client-report': {
    request: r => ({
      host: 'host',
      mountPoint: '/mnt/ä',
      epoch: s.epoch(r),
      held: bool(r)
        ? null
        : { requests: count(r), reason: sentence(r), since: '2026-01-01T00:00:00.000Z' },
    }),
    reply: null,
  } satisfies MessageSample<'client-report'>,
  attach: {
    request: r => ({
      ...{ volume: s.volumeId(r), host: s.host(r), mode: s.mode(r), takeover: bool(r) },
    }),
    reply: r =>
      r.pick<() => m.AttachReply>([
        () => ({ kind: 'attached', epoch: s.epoch(r) }),
        () => {
          const code = r.pick(['in-use', 'not-found', 'refused'] as const)
          return { kind: 'refused', code, reason: sentence(r) }
        },
        () => ({ kind: 'wait' }),
      ])(),
  } satisfies MessageSample<'attach'>,
  detach: {
    request: r => ({ volume: s.volumeId(r) }),
    reply: r =>
      r.pick<() => m.DetachReply>([
        () => ({ kind: 'detached', epoch: s.epoch(r) }),
        () => ({ kind: 'wait' }),
      ])(),
  } satisfies MessageSample<'detach'>,
  'client-heartbeat': {
    request: () => ({}),
    reply: null,
  } satisfies MessageSample<'client-heartbeat'>,
}

const leases = {
  heartbeat: {
    request: r => ({ incarnation: s.incarnation(r), epoch: s.epoch(r), fenced: s.epoch(r) }),
    reply: r =>
      r.pick<() => mm.HeartbeatReply>([
        () => ({ kind: 'granted', epoch: s.epoch(r), leader: s.peer(r), released: s.epoch(r) }),
        () => ({ kind: 'unregistered', leader: s.peer(r) }),
        () => ({ kind: 'no-leader' }),
      ])(),
  } satisfies MessageSample<'heartbeat'>,
  usage: {
    request: r => ({ volume: s.volumeId(r) }),
    reply: r => ({
      used: s.byteCount(r),
      layers: s.several(r, 3, () => ({
        layer: r.below(1000),
        written: s.byteCount(r),
        alone: s.byteCount(r),
      })),
    }),
  } satisfies MessageSample<'usage'>,
  leaving: {
    request: r => ({ incarnation: s.incarnation(r) }),
    reply: r => ({ ok: bool(r) }),
  } satisfies MessageSample<'leaving'>,
  gone: {
    request: r => ({
      server: s.peer(r),
      incarnation: s.incarnation(r),
      signature: r.bytes(64),
    }),
    reply: r => ({ ok: bool(r) }),
  } satisfies MessageSample<'gone'>,
  'storage-vote': {
    request: proposalVoteRequest,
    reply: proposalVoteReply,
  } satisfies MessageSample<'storage-vote'>,
}

const council = {
  raft: { request: raftMessage, reply: null } satisfies MessageSample<'raft'>,
  'manager-vote': {
    request: proposalVoteRequest,
    reply: proposalVoteReply,
  } satisfies MessageSample<'manager-vote'>,
  relay: {
    request: r => ({
      operation: r.below(2 ** 16),
      from: {
        id: s.peer(r),
        roles: s.several(r, 3, () => r.pick(['manager', 'storage', 'client'])),
        incarnation: s.incarnation(r),
        cluster: bool(r) ? null : s.cluster(r),
      },
      payload: content(r, r.below(500)),
    }),
    reply: r => ({ ok: bool(r), payload: content(r, r.below(500)) }),
  } satisfies MessageSample<'relay'>,
  'manager-join': {
    request: r => ({ addresses: s.addresses(r) }),
    reply: r =>
      r.pick<() => mm.JoinReply>([
        () => ({ kind: 'joined', epoch: s.epoch(r) }),
        () => ({ kind: 'refused', reason: sentence(r) }),
        () => ({ kind: 'wait', reason: sentence(r) }),
      ])(),
  } satisfies MessageSample<'manager-join'>,
}

const management = {
  'fetch-configuration': {
    request: r => ({ have: s.epoch(r) }),
    reply: configurationUpdate,
  } satisfies MessageSample<'fetch-configuration'>,
  configuration: {
    request: configurationUpdate,
    reply: null,
  } satisfies MessageSample<'configuration'>,
  admin: {
    request: () => ({ json: '{"command":"status"}' }),
    reply: r => ({ json: JSON.stringify({ ok: true, result: sentence(r) }) }),
  } satisfies MessageSample<'admin'>,
}

export const messageSamples: { readonly [O in OperationName]: MessageSample<O> } = {
  ...access,
  ...replication,
  ...comparing,
  ...reports,
  ...management,
  ...leases,
  ...council,
}
