// The codecs of src/net/messages.ts. Fields go over the wire in the order in which they stand here;
// docs/protocol.md lists them.
import {
  ADMIN_JSON_BYTES_MAX,
  BLOCK_BYTES,
  BLOCKS_PER_INDEX_PAGE,
  FRAME_BYTES_MAX,
  HELD_RANGES_MAX,
  HOST_LENGTH_MAX,
  INDEX_ENTRY_BYTES,
  LAYERS_MAX,
  NAME_LENGTH_MAX,
  ORIGINS_MAX,
  PAGES_COMPARED_MAX,
  REQUEST_BYTES_MAX,
  SENTENCE_BYTES_MAX,
  SHARDS_REPORTED_MAX,
} from '../../base/limits.js'
import { byteCount } from '../../base/brands.js'
import { SUSPENSION_CAUSES } from '../../layout/change.js'
import type { HeldRange } from '../../snapshot/held-ranges.js'
import type * as m from '../messages.js'
import {
  boolean,
  bytes,
  checked,
  integer,
  list,
  mapped,
  nullable,
  plain,
  real,
  record,
  sentence,
  text,
  union,
  word,
  type Codec,
} from './codec.js'
import {
  decodeConfiguration,
  decodeDelta,
  encodeConfiguration,
  encodeDelta,
} from './configuration.js'
import * as f from './fields.js'
import { payloadMessage, plainMessage } from './message-codec.js'

/** Storage servers talk of whole blocks, at most one index page of them. */
const BLOCKS_BYTES_MAX = BLOCKS_PER_INDEX_PAGE * BLOCK_BYTES
const wholeBlocks = { unit: BLOCK_BYTES, least: BLOCK_BYTES, most: BLOCKS_BYTES_MAX }
const anyBlocks = { ...wholeBlocks, least: 0 }
const readLength = integer(byteCount, REQUEST_BYTES_MAX + 1)

/** At least one, below `limit`. */
const positive = (limit: number): Codec<number> =>
  checked(plain(limit), n => (n === 0 ? 'a count of nothing' : null))

const shardName = { volume: f.volumeField, shard: f.shardField }
const shardMessage = { ...shardName, allocation: f.epochField }
const origin = record<m.Origin>({ client: f.peerField, request: f.requestField })
const origins = list(origin, ORIGINS_MAX, 33)
const anyBytes = { unit: 1, least: 0, most: REQUEST_BYTES_MAX }

export const readRequest = plainMessage<m.ReadRequest>(
  record({
    ...shardName,
    epoch: f.epochField,
    layer: f.countField,
    offset: f.offsetField,
    length: readLength,
  }),
)
export const writeRequest = payloadMessage<m.WriteRequest>(
  record({
    ...shardName,
    epoch: f.epochField,
    offset: f.offsetField,
    request: f.requestField,
    completeBelow: f.requestField,
    durable: boolean,
  }),
  { unit: 1, least: 1, most: REQUEST_BYTES_MAX },
)
const held = list(
  record<HeldRange>({ block: f.blockField, blocks: positive(2 ** 50), zeroes: boolean }),
  HELD_RANGES_MAX,
  3,
)
export const heldRequest = plainMessage<m.HeldRequest>(
  record({
    ...shardName,
    epoch: f.epochField,
    layers: checked(list(f.countField, LAYERS_MAX), layers =>
      layers.length === 0 ? 'a question about no layer' : null,
    ),
    block: f.blockField,
    blocks: positive(2 ** 50),
  }),
)
/** Inside the payload of a reply. */
export const heldAnswer: Codec<m.HeldAnswer> = record<m.HeldAnswer>({
  end: f.blockField,
  ranges: held,
})
export const flushRequest = plainMessage<m.FlushRequest>(
  record({ ...shardName, epoch: f.epochField }),
)
export const dataReply = payloadMessage<m.DataReply>(
  record({
    status: word([
      'ok',
      'stale-epoch',
      'not-serving',
      'corrupt',
      'disk-full',
      'disk-error',
      'out-of-range',
      'no-access',
    ]),
    epoch: f.epochField,
    generation: f.generationField,
    queue: f.countField,
    durable: boolean,
  }),
  anyBytes,
)

export const replicate = payloadMessage<m.Replicate>(
  record({
    ...shardMessage,
    sequence: f.sequenceField,
    block: f.blockField,
    origins,
    settling: boolean,
    durable: boolean,
    committed: f.sequenceField,
    complete: origins,
  }),
  wholeBlocks,
)
export const replicated = plainMessage<m.Replicated>(
  record({
    ...shardMessage,
    sequence: f.sequenceField,
    durable: f.sequenceField,
    applied: boolean,
    resume: boolean,
  }),
)
export const committed = plainMessage<m.Committed>(
  record({ ...shardMessage, sequence: f.sequenceField, skip: boolean }),
)
export const gatherRequest = plainMessage<m.GatherRequest>(
  record({ ...shardMessage, primary: f.peerField }),
)
const uncommittedWrite = record<m.UncommittedWrite>({
  block: f.blockField,
  blocks: positive(BLOCKS_PER_INDEX_PAGE + 1),
  origins,
})
const executedWrite = record<m.ExecutedWrite>({
  client: f.peerField,
  request: f.requestField,
  block: f.blockField,
  blocks: positive(BLOCKS_PER_INDEX_PAGE + 1),
})
const executed = list(executedWrite, ORIGINS_MAX, 35)
export const gatherReply = plainMessage<m.GatherReply>(
  record({ ok: boolean, uncommitted: list(uncommittedWrite, ORIGINS_MAX, 3), executed }),
)
export const syncRequest = plainMessage<m.SyncRequest>(record(shardMessage))
export const okReply = plainMessage<m.OkReply>(record({ ok: boolean }))

export const summariesRequest = plainMessage<m.SummariesRequest>(
  record({
    ...shardMessage,
    layer: f.countField,
    firstPage: f.countField,
    pages: positive(PAGES_COMPARED_MAX + 1),
  }),
)
const pageSummary = record<m.PageSummary>({ page: f.countField, hash: bytes(64) })
export const summariesReply = plainMessage<m.SummariesReply>(
  record({
    ok: boolean,
    summaries: list(pageSummary, PAGES_COMPARED_MAX, 2),
    pageCount: f.countField,
  }),
)
export const indexPageRequest = plainMessage<m.IndexPageRequest>(
  record({ ...shardMessage, layer: f.countField, page: f.countField }),
)
export const indexPageReply = payloadMessage<m.IndexPageReply>(record({ ok: boolean }), {
  ...anyBlocks,
  most: BLOCK_BYTES,
})
export const blocksRequest = plainMessage<m.BlocksRequest>(
  record({
    ...shardMessage,
    layer: f.countField,
    block: f.blockField,
    blocks: positive(BLOCKS_PER_INDEX_PAGE + 1),
  }),
)
export const blocksReply = payloadMessage<m.BlocksReply>(
  record({
    status: word(['ok', 'refused', 'corrupt']),
    entries: bytes(BLOCKS_PER_INDEX_PAGE * INDEX_ENTRY_BYTES),
    busy: boolean,
  }),
  anyBlocks,
)
export const caughtUpRequest = plainMessage<m.CaughtUpRequest>(
  record({ ...shardMessage, applied: f.sequenceField }),
)
export const caughtUpReply = plainMessage<m.CaughtUpReply>(record({ counted: boolean, executed }))

export const registerRequest = plainMessage<m.RegisterRequest>(
  record({
    name: text(4 * NAME_LENGTH_MAX),
    domain: text(4 * NAME_LENGTH_MAX),
    capacity: f.bytesField,
    weight: real,
    incarnation: f.incarnationField,
    addresses: f.addressesField,
  }),
)
export const registerReply = plainMessage<m.RegisterReply>(
  union<m.RegisterReply>({
    registered: record({ epoch: f.epochField }),
    refused: record({ reason: sentence(SENTENCE_BYTES_MAX) }),
    wait: record({}),
  }),
)
const progress = record<m.ShardProgress>({ ...shardName, bytesLeft: f.bytesField })
const servedCount = plain(Number.MAX_SAFE_INTEGER)
const served = record<m.ServedReport>({
  reads: servedCount,
  writes: servedCount,
  flushes: servedCount,
  bytesRead: f.bytesField,
  bytesWritten: f.bytesField,
})
export const storageReport = plainMessage<m.StorageReport>(
  record({
    incarnation: f.incarnationField,
    epoch: f.epochField,
    used: f.bytesField,
    free: f.bytesField,
    corruptBlocks: f.countField,
    problem: sentence(SENTENCE_BYTES_MAX),
    syncing: list(progress, SHARDS_REPORTED_MAX, 3),
    merging: list(progress, SHARDS_REPORTED_MAX, 3),
    served,
    recovered: f.bytesField,
  }),
)
const heldReport = record<m.HeldReport>({
  requests: f.countField,
  reason: sentence(SENTENCE_BYTES_MAX),
  since: text(40),
})
export const clientReport = plainMessage<m.ClientReport>(
  record({
    host: sentence(255),
    mountPoint: sentence(4_096),
    epoch: f.epochField,
    held: nullable(heldReport),
  }),
)
export const attachRequest = plainMessage<m.AttachRequest>(
  record({
    volume: f.volumeField,
    host: text(HOST_LENGTH_MAX),
    mode: word(['exclusive', 'shared']),
    takeover: boolean,
  }),
)
export const attachReply = plainMessage<m.AttachReply>(
  union<m.AttachReply>({
    attached: record({ epoch: f.epochField }),
    refused: record({
      code: word(['in-use', 'not-found', 'refused']),
      reason: sentence(SENTENCE_BYTES_MAX),
    }),
    wait: record({}),
  }),
)
export const detachRequest = plainMessage<m.DetachRequest>(record({ volume: f.volumeField }))
export const detachReply = plainMessage<m.DetachReply>(
  union<m.DetachReply>({ detached: record({ epoch: f.epochField }), wait: record({}) }),
)
export const clientHeartbeat = plainMessage<m.ClientHeartbeat>(record({}))
export const mismatchReport = plainMessage<m.MismatchReport>(
  record({ ...shardName, seen: f.epochField, own: f.epochField, from: f.peerField }),
)
const caughtUpReplica = record<m.CaughtUpProposal['replicas'][number]>({
  ...shardMessage,
  server: f.peerField,
})
export const caughtUpProposal = plainMessage<m.CaughtUpProposal>(
  record({ replicas: list(caughtUpReplica, SHARDS_REPORTED_MAX, 35) }),
)

const suspendedReplica = record<m.SuspendProposal['replicas'][number]>({
  ...shardMessage,
  server: f.peerField,
  cause: word(SUSPENSION_CAUSES),
})
export const suspendProposal = plainMessage<m.SuspendProposal>(
  record({ replicas: list(suspendedReplica, SHARDS_REPORTED_MAX, 36) }),
)

const sealedShard = record<m.SealedShard>({ ...shardMessage, seal: f.epochField })
export const sealedShards = plainMessage<m.SealedShards>(
  record({ shards: list(sealedShard, SHARDS_REPORTED_MAX, 4) }),
)

export const configurationRequest = plainMessage<m.ConfigurationRequest>(
  record({ have: f.epochField }),
)

/** A document inside a message. The same object goes to many peers, so its bytes are remembered. */
function document<T extends object>(
  toBytes: (value: T) => Uint8Array,
  fromBytes: (bytes: Uint8Array) => T,
): Codec<T> {
  const known = new WeakMap<T, Uint8Array>()
  const encoded = (value: T): Uint8Array => {
    const found = known.get(value) ?? toBytes(value)
    known.set(value, found)
    return found
  }
  return mapped(bytes(FRAME_BYTES_MAX), encoded, fromBytes)
}

export const configurationUpdate = plainMessage<m.ConfigurationUpdate>(
  union<m.ConfigurationUpdate>({
    current: record({ epoch: f.epochField }),
    delta: record({ delta: document(encodeDelta, decodeDelta) }),
    full: record({ configuration: document(encodeConfiguration, decodeConfiguration) }),
  }),
)

const json = { json: text(ADMIN_JSON_BYTES_MAX) }
export const adminRequest = plainMessage<m.AdminRequest>(record(json))
export const adminReply = plainMessage<m.AdminReply>(record(json))
