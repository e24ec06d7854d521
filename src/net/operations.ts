// The protocol as one table. Dispatch, docs/protocol.md and the fuzz test read it.
import { assert } from '../base/assert.js'
import type { MessageCodec } from './codecs/message-codec.js'
import * as mc from './codecs/manager-messages.js'
import * as c from './codecs/messages.js'
import type * as mm from './manager-messages.js'
import type * as m from './messages.js'
import type { Role } from './peers.js'
import * as sc from './scrub/codecs.js'
import type * as ms from './scrub/messages.js'

/**
 * Who an operation is for: types only; numbers, codecs, roles and epoch rules are in the table
 * below.
 */
export interface OperationTypes {
  read: [m.ReadRequest, m.DataReply]
  write: [m.WriteRequest, m.DataReply]
  flush: [m.FlushRequest, m.DataReply]
  'held-blocks': [m.HeldRequest, m.DataReply]
  scrub: [ms.ScrubRequest, ms.ScrubReply]
  'scrub-compare': [ms.ScrubCompareRequest, ms.ScrubCompareReply]

  replicate: [m.Replicate, null]
  replicated: [m.Replicated, null]
  committed: [m.Committed, null]
  gather: [m.GatherRequest, m.GatherReply]
  sync: [m.SyncRequest, m.OkReply]
  summaries: [m.SummariesRequest, m.SummariesReply]
  'index-page': [m.IndexPageRequest, m.IndexPageReply]
  blocks: [m.BlocksRequest, m.BlocksReply]
  'caught-up': [m.CaughtUpRequest, m.CaughtUpReply]
  'still-current': [m.ShardMessage, m.OkReply]

  register: [m.RegisterRequest, m.RegisterReply]
  'storage-report': [m.StorageReport, null]
  'client-report': [m.ClientReport, null]
  mismatch: [m.MismatchReport, null]
  'caught-up-proposal': [m.CaughtUpProposal, null]
  'suspend-proposal': [m.SuspendProposal, null]
  sealed: [m.SealedShards, null]
  'fetch-configuration': [m.ConfigurationRequest, m.ConfigurationUpdate]
  configuration: [m.ConfigurationUpdate, null]
  admin: [m.AdminRequest, m.AdminReply]
  attach: [m.AttachRequest, m.AttachReply]
  detach: [m.DetachRequest, m.DetachReply]
  'client-heartbeat': [m.ClientHeartbeat, null]
  heartbeat: [mm.Heartbeat, mm.HeartbeatReply]
  leaving: [mm.Leaving, m.OkReply]
  gone: [mm.GoneNotice, m.OkReply]
  usage: [mm.UsageRequest, mm.UsageReply]
  'storage-vote': [mm.ProposalVoteRequest, mm.ProposalVoteReply]

  raft: [mm.RaftMessage, null]
  'manager-vote': [mm.ProposalVoteRequest, mm.ProposalVoteReply]
  relay: [mm.RelayRequest, mm.RelayReply]
  'manager-join': [mm.JoinRequest, mm.JoinReply]
}

export type OperationName = keyof OperationTypes
export type Request<O extends OperationName> = OperationTypes[O][0]
/** What a client asks of a shard. */
export type DataOperation = 'read' | 'write' | 'flush' | 'held-blocks'
/** Null for notifications. */
export type Reply<O extends OperationName> = OperationTypes[O][1]

/**
 * Which configuration a request must agree with (design §3):
 * - `client`: carries the client's epoch, judged by the epoch table (src/layout);
 * - `allocation`: carries the epoch of the shard's allocation, which must be equal;
 * - `none`: valid under every configuration.
 */
export type EpochRule = 'client' | 'allocation' | 'none'

/**
 * - `control`: never waits behind data, survives changes of the data path;
 * - `data`: goes over the direct link where there is one; ignored on any but the current data path.
 */
export type Path = 'control' | 'data'

export interface Operation<O extends OperationName> {
  /** On the wire; never reused. */
  readonly number: number
  readonly request: MessageCodec<Request<O>>
  /** Null for notifications. */
  readonly reply: Reply<O> extends null ? null : MessageCodec<Reply<O>>
  /** Roles of which the sender must have one. */
  readonly from: readonly Role[]
  /** Roles of which the receiver must have one. */
  readonly to: readonly Role[]
  readonly path: Path
  readonly epochRule: EpochRule
  /** A notification that nobody is waiting for: it waits a moment for another message's frame. */
  readonly patient?: true
}

const ANYONE: readonly Role[] = ['manager', 'storage', 'client']

/** From clients to storage servers. */
const access = { from: ['client'], to: ['storage'], path: 'data', epochRule: 'client' } as const
/** From clients about the copies of a shard, whoever may read it. */
const look = { from: ['client'], to: ['storage'], path: 'data', epochRule: 'allocation' } as const
/** Among the replicas of a shard. */
const among = {
  from: ['storage'],
  to: ['storage'],
  path: 'data',
  epochRule: 'allocation',
} as const
/** From storage servers to managers. */
const report = { from: ['storage'], to: ['manager'], path: 'control', epochRule: 'none' } as const
/** From clients to managers. */
const tell = { from: ['client'], to: ['manager'], path: 'control', epochRule: 'none' } as const
/** Among managers. */
const council = {
  from: ['manager'],
  to: ['manager'],
  path: 'control',
  epochRule: 'none',
} as const

export const operations: { readonly [O in OperationName]: Operation<O> } = {
  read: { number: 1, request: c.readRequest, reply: c.dataReply, ...access },
  write: { number: 2, request: c.writeRequest, reply: c.dataReply, ...access },
  flush: { number: 3, request: c.flushRequest, reply: c.dataReply, ...access },
  'held-blocks': { number: 4, request: c.heldRequest, reply: c.dataReply, ...access },
  scrub: { number: 5, request: sc.scrubRequest, reply: sc.scrubReply, ...look },
  'scrub-compare': {
    number: 6,
    request: sc.scrubCompareRequest,
    reply: sc.scrubCompareReply,
    ...look,
  },

  replicate: { number: 16, request: c.replicate, reply: null, ...among },
  replicated: { number: 17, request: c.replicated, reply: null, ...among },
  committed: { number: 18, request: c.committed, reply: null, ...among, patient: true },
  gather: { number: 19, request: c.gatherRequest, reply: c.gatherReply, ...among },
  sync: { number: 20, request: c.syncRequest, reply: c.okReply, ...among },
  summaries: { number: 21, request: c.summariesRequest, reply: c.summariesReply, ...among },
  'index-page': { number: 22, request: c.indexPageRequest, reply: c.indexPageReply, ...among },
  blocks: { number: 23, request: c.blocksRequest, reply: c.blocksReply, ...among },
  'caught-up': { number: 24, request: c.caughtUpRequest, reply: c.caughtUpReply, ...among },
  'still-current': { number: 25, request: c.syncRequest, reply: c.okReply, ...among },

  register: { number: 32, request: c.registerRequest, reply: c.registerReply, ...report },
  'storage-report': { number: 33, request: c.storageReport, reply: null, ...report },
  mismatch: { number: 34, request: c.mismatchReport, reply: null, ...report },
  'caught-up-proposal': { number: 35, request: c.caughtUpProposal, reply: null, ...report },
  'client-report': { number: 36, request: c.clientReport, reply: null, ...tell },
  'fetch-configuration': {
    number: 37,
    request: c.configurationRequest,
    reply: c.configurationUpdate,
    from: ANYONE,
    to: ['manager'],
    path: 'control',
    epochRule: 'none',
  },
  configuration: {
    number: 38,
    request: c.configurationUpdate,
    reply: null,
    from: ['manager'],
    to: ANYONE,
    path: 'control',
    epochRule: 'none',
  },
  admin: {
    number: 39,
    request: c.adminRequest,
    reply: c.adminReply,
    from: ANYONE,
    to: ['manager'],
    path: 'control',
    epochRule: 'none',
  },
  heartbeat: { number: 40, request: mc.heartbeat, reply: mc.heartbeatReply, ...report },
  'storage-vote': {
    number: 41,
    request: mc.proposalVoteRequest,
    reply: mc.proposalVoteReply,
    from: ['manager'],
    to: ['storage'],
    path: 'control',
    epochRule: 'none',
  },
  usage: {
    number: 50,
    request: mc.usageRequest,
    reply: mc.usageReply,
    from: ['manager'],
    to: ['storage'],
    path: 'control',
    epochRule: 'none',
  },
  leaving: { number: 42, request: mc.leaving, reply: c.okReply, ...report },
  attach: { number: 44, request: c.attachRequest, reply: c.attachReply, ...tell },
  detach: { number: 45, request: c.detachRequest, reply: c.detachReply, ...tell },
  'suspend-proposal': { number: 47, request: c.suspendProposal, reply: null, ...report },
  sealed: { number: 48, request: c.sealedShards, reply: null, ...report },
  gone: { number: 49, request: mc.goneNotice, reply: c.okReply, ...tell },
  'client-heartbeat': { number: 46, request: c.clientHeartbeat, reply: null, ...tell },

  raft: { number: 64, request: mc.raft, reply: null, ...council },
  'manager-vote': {
    number: 65,
    request: mc.proposalVoteRequest,
    reply: mc.proposalVoteReply,
    ...council,
  },
  relay: { number: 66, request: mc.relayRequest, reply: mc.relayReply, ...council },
  'manager-join': { number: 67, request: mc.joinRequest, reply: mc.joinReply, ...council },
}

export const operationNames = Object.keys(operations) as readonly OperationName[]

const names = new Map(operationNames.map(name => [operations[name].number, name]))
assert(names.size === operationNames.length, 'every operation has its own number')

export function operationOf(number: number): OperationName | undefined {
  return names.get(number)
}
