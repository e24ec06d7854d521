// The codecs of src/net/manager-messages.ts. Fields go over the wire in the order in which they
// stand here; docs/protocol.md lists them.
import {
  FRAME_BYTES_MAX,
  HISTORY_RECORD_BYTES_MAX,
  LAYERS_MAX,
  MANAGERS_MAX,
  RAFT_APPEND_ENTRIES_MAX,
  SENTENCE_BYTES_MAX,
} from '../../base/limits.js'
import { decodeChange, encodeChange } from './configuration.js'
import { SIGNATURE_BYTES } from '../identity.js'
import type * as m from '../manager-messages.js'
import {
  boolean,
  bytes,
  integer,
  list,
  mapped,
  nullable,
  plain,
  real,
  record,
  sentence,
  union,
  word,
  type Codec,
} from './codec.js'
import * as f from './fields.js'
import { plainMessage } from './message-codec.js'
import type { Role } from '../peers.js'

const term = integer((n: number) => n as m.Term, Number.MAX_SAFE_INTEGER)
const index = integer((n: number) => n as m.LogIndex, Number.MAX_SAFE_INTEGER)
const members = list(f.peerField, MANAGERS_MAX, 32)

export const logEntry: Codec<m.LogEntry> = record<m.LogEntry>({
  index,
  term,
  members: nullable(members),
  data: bytes(HISTORY_RECORD_BYTES_MAX),
})
export const logSnapshot: Codec<m.LogSnapshot> = record<m.LogSnapshot>({
  index,
  term,
  members,
  data: bytes(FRAME_BYTES_MAX),
})

export const raft = plainMessage<m.RaftMessage>(
  union<m.RaftMessage>({
    'vote-request': record({
      term,
      pre: boolean,
      takeOver: boolean,
      lastIndex: index,
      lastTerm: term,
    }),
    'vote-reply': record({ term, pre: boolean, granted: boolean }),
    append: record({
      term,
      previousIndex: index,
      previousTerm: term,
      commit: index,
      entries: list(logEntry, RAFT_APPEND_ENTRIES_MAX, 4),
    }),
    'append-reply': record({ term, accepted: boolean, index, hintTerm: term }),
    heartbeat: record({ term, commit: index, sentAt: real }),
    'heartbeat-reply': record({ term, sentAt: real }),
    snapshot: record({ term, snapshot: logSnapshot }),
    'take-over': record({ term }),
  }),
)

export const heartbeat = plainMessage<m.Heartbeat>(
  record({ incarnation: f.incarnationField, epoch: f.epochField, fenced: f.epochField }),
)
export const leaving = plainMessage<m.Leaving>(record({ incarnation: f.incarnationField }))
export const goneNotice = plainMessage<m.GoneNotice>(
  record({
    server: f.peerField,
    incarnation: f.incarnationField,
    signature: bytes(SIGNATURE_BYTES),
  }),
)
export const heartbeatReply = plainMessage<m.HeartbeatReply>(
  union<m.HeartbeatReply>({
    granted: record({ epoch: f.epochField, leader: f.peerField, released: f.epochField }),
    unregistered: record({ leader: f.peerField }),
    'no-leader': record({}),
  }),
)

const change = mapped(bytes(HISTORY_RECORD_BYTES_MAX), encodeChange, decodeChange)
export const proposalVoteRequest = plainMessage<m.ProposalVoteRequest>(
  record({ base: f.epochField, change }),
)
export const proposalVoteReply = plainMessage<m.ProposalVoteReply>(
  record({
    vote: word(['approve', 'refuse', 'abstain']),
    policy: boolean,
    reason: sentence(SENTENCE_BYTES_MAX),
  }),
)

const roles = list(word<Role>(['manager', 'storage', 'client']), 3)
const relayedPeer = record<m.RelayedPeer>({
  id: f.peerField,
  roles,
  incarnation: f.incarnationField,
  cluster: nullable(f.clusterField),
})
export const relayRequest = plainMessage<m.RelayRequest>(
  record({ operation: plain(2 ** 16), from: relayedPeer, payload: bytes(FRAME_BYTES_MAX) }),
)
export const relayReply = plainMessage<m.RelayReply>(
  record({ ok: boolean, payload: bytes(FRAME_BYTES_MAX) }),
)

export const joinRequest = plainMessage<m.JoinRequest>(record({ addresses: f.addressesField }))
export const joinReply = plainMessage<m.JoinReply>(
  union<m.JoinReply>({
    joined: record({ epoch: f.epochField }),
    refused: record({ reason: sentence(SENTENCE_BYTES_MAX) }),
    wait: record({ reason: sentence(SENTENCE_BYTES_MAX) }),
  }),
)

export const usageRequest = plainMessage<m.UsageRequest>(record({ volume: f.volumeField }))
const layerUsage = record<m.LayerUsage>({
  layer: f.countField,
  written: f.bytesField,
  alone: f.bytesField,
})
export const usageReply = plainMessage<m.UsageReply>(
  record({ used: f.bytesField, layers: list(layerUsage, LAYERS_MAX, 3) }),
)
